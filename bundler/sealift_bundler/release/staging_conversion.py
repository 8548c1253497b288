"""Stage what was converted, or is carried as it is: scan, describe for reviewers, sign, write blobs, stage.

One order for all that becomes a version. Nothing is written before the scan accepts every file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sealift_bundler.disclosure.judgement import Acceptance, Disclosure, judge
from sealift_bundler.errors import DisclosureError
from sealift_bundler.release.modelpack import Descriptor
from sealift_bundler.release.provenance import same_conversion
from sealift_bundler.release.reviewing import Review, read_review
from sealift_bundler.release.staging import check_may_add, stage_locked
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.provenance import Provenance
from sealift_common.wording import counted
from sealift_keys.channel.directory import Channel

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from sealift_bundler.proof.conversion import Conversion


class Origin(NamedTuple):
    """What a version is made of.

    Attributes:
        path: the file in which a person corrects what is refused; messages name it.
        source: returns the digest of the trained model, `sha256:…`; asked only where there is a review.
        samples: returns the digest of the rows that the proof compared, as `source`.
    """

    path: Path
    source: Callable[[], str]
    samples: Callable[[], str]


@dataclass(frozen=True)
class Staged:
    """Result of staging.

    Attributes:
        outcome: 'added', 'replaced' or 'unchanged'.
        disclosure: what was accepted of what the scan found. It is for people, and travels nowhere.
    """

    model: ModelVersion
    reference: Blob
    outcome: str
    disclosure: Disclosure


def stage_conversion(
    conversion: "Conversion",
    channel: Channel,
    *,
    origin: Origin,
    documents: Mapping[str, bytes] | None = None,
    descriptor: Descriptor | None = None,
    answers: Path | None = None,
    accepted: Sequence[Acceptance] = (),
    model_signer: "Signer | None" = None,
) -> Staged:
    """Stage a conversion that is in memory; its name and version are those that it was converted for.

    Args:
        conversion: as `convert` gives it, proven.
        channel: the channel whose next release it waits for.
        origin: what it is made of.
        documents: side files by their names, for example `CARD.md`.
        descriptor: what people read about it.
        answers: the author's answers, where the channel has reviewers or a questionnaire.
        accepted: findings of the disclosure scan that may leave.
        model_signer: a P-256 key that signs the model's files as `model.sig`.

    Raises:
        RecipeError: the review is incomplete or wrong.
        DisclosureError: a file holds a secret or personal data that nobody accepts; nothing was written.
        ChannelError: the version is withdrawn, or released with other bytes.
        GateError: no instance would install it.
        MalformedError, LimitError, UnsafeMemberError: a document has a name that no version can hold, or is too large.
        KeyFileError: the model's key is not a P-256 key.
    """
    from sealift_bundler.proof.documents import with_schema

    description = conversion.description
    model = ModelVersion.parse(description.name, description.version)
    check_may_add(channel, model)
    review = read_review(answers, channel, model, origin.path)
    return stage_files(
        model,
        with_schema({**conversion.files, **(documents or {})}),
        channel,
        origin=origin,
        descriptor=descriptor or Descriptor(),
        conversions={"": conversion},
        review=review,
        accepted=accepted,
        model_signer=model_signer,
    )


def stage_files(
    model: ModelVersion,
    files: Mapping[str, bytes | Path],
    channel: Channel,
    *,
    origin: Origin,
    descriptor: Descriptor,
    conversions: "Mapping[str, Conversion]",
    review: Review | None = None,
    accepted: Sequence[Acceptance] = (),
    model_signer: "Signer | None" = None,
    form: str = layout.ONNX,
    provenance: Provenance | None = None,
) -> Staged:
    """Stage the files of a version, `model.json` among them.

    Args:
        conversions: that gave the files: of the model under "", of each of several graphs, or none.
        review: complete answers; None where nobody asks for any.
        form: what the manifest's config says of the files.
        provenance: which pipeline converted it; a version that is there already and differs in nothing else stays.

    Raises:
        As `stage_conversion`.
    """
    from sealift_bundler.disclosure import scan_files
    from sealift_bundler.packing.blobs import read_manifest
    from sealift_bundler.packing.installable import require_installable
    from sealift_bundler.release.carried_files import in_memory
    from sealift_bundler.release.model_signature import FILE_NAME, sign_model
    from sealift_bundler.release.modelpack import write_model

    files = dict(files)
    with in_memory(files) as contents:
        said = {} if provenance is None else provenance.document()
        findings = scan_files(contents, {**descriptor.to_config(model), **said})
    acceptances = (*accepted, *(review.answers.accepted if review else ()))
    if review is not None:
        made = review.documents(model, origin, descriptor, conversions, files, judge(findings, acceptances))
        findings += scan_files(made)
        files |= made
    if model_signer is not None:
        signed = {FILE_NAME: sign_model(model.name, files, model_signer)}
        findings += scan_files(signed)
        files |= signed
    disclosure = _disclosed(judge(findings, acceptances), model, origin.path)
    # In one with staging: `sweep` takes blobs that no staged version names yet for left ones.
    with channel.locked():
        reference = write_model(channel.blobs_dir, model, files, descriptor, form=form, provenance=provenance)
        reference = _first_of_the_same(channel, model, reference)
        require_installable(channel.blobs_dir, read_manifest(channel.blobs_dir, model, reference))
        outcome = stage_locked(channel, model, reference)
    return Staged(model, reference, outcome, disclosure)


def _first_of_the_same(channel: Channel, model: ModelVersion, reference: Blob) -> Blob:
    """Return the manifest that the channel has for the same conversion in another pipeline; else `reference`."""
    first = channel.released().get(model) or channel.staged().get(model)
    if first is None or first == reference or not (channel.blobs_dir / first.hex).is_file():
        return reference
    data = channel.blob(first)
    same = layout.sha256(data) == first.digest and same_conversion(data, channel.blob(reference))
    return first if same else reference


def _disclosed(disclosure: Disclosure, model: ModelVersion, path: Path) -> Disclosure:
    """Return what was found, if all of it may leave.

    Raises:
        DisclosureError: something was found that nobody accepts.
    """
    refused = disclosure.refused
    if refused:
        more = f", and {counted(len(refused) - 1, 'other finding')}" if len(refused) > 1 else ""
        raise DisclosureError(
            f"{model} would disclose {refused[0].line()}{more}; nothing was staged. Take the values out and "
            f"train again, or accept each finding in {str(path)!r} under [[accepted]]",
            refused,
            disclosure.unused,
        )
    return disclosure
