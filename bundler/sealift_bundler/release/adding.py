"""Bring one model version from its recipe into a channel: convert, prove, write blobs, stage."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sealift import plain_file
from sealift.limits import LIMITS
from sealift.model.documents.description import FILES
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift_bundler.errors import DisclosureWarning, RecipeError
from sealift_bundler.release.recipes.kinds import GraphRecipe
from sealift_bundler.release.recipes.recipe import Recipe
from sealift_bundler.release.reviewing import read_review
from sealift_bundler.release.staging import check_may_add
from sealift_bundler.release.staging_conversion import Origin, stage_files
from sealift_common import console
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.provenance import Provenance
from sealift_keys.channel.directory import Channel

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from sealift.model.documents.description import Tolerance
    from sealift_bundler.disclosure import Disclosure
    from sealift_bundler.proof.conversion import Conversion
    from sealift_bundler.release.modelpack import Descriptor


@dataclass(frozen=True)
class Added:
    """Result of `add`.

    Attributes:
        outcome: 'added', 'replaced' or 'unchanged'.
        disclosure: what the recipe accepted of what the scan found. It is for people, and travels nowhere.
        conversions: of the model under "", or of each of several graphs under its name; what their `golden` and
            `probe` say is for people as well. Files have none.
        formats: of files that are carried as they are, those whose header was checked.
    """

    model: ModelVersion
    reference: Blob
    outcome: str
    disclosure: "Disclosure"
    conversions: "Mapping[str, Conversion]"
    formats: Mapping[str, str]


def add(
    recipe: Recipe,
    channel: Channel,
    *,
    trust_globals: Sequence[str] = (),
    model_signer: "Signer | None" = None,
    benchmark: bool = False,
    probe: bool = False,
    holdout: "Path | None" = None,
    access: Access = DEFAULT_ACCESS,
    token_file: "Path | None" = None,
    provenance: Provenance | None = None,
) -> Added:
    """Convert the recipe's model with proof, or check its files; stage it for the next release.

    Args:
        trust_globals: names to trust besides those of the recipe; see `convert`.
        model_signer: a P-256 key that signs the model's files as `model.sig`, for third parties.
        benchmark: record how fast the model answers here; its bytes are then others every time.
        probe: probe the converted model; what is found goes into `Conversion.probe` alone.
        holdout: rows that the model was not trained on, to probe it; None takes the recipe's.
        access: how a registry of models may be reached, where the recipe names one.
        token_file: with the token for it; None takes that of the environment.
        provenance: which pipeline this is; see `stage_files`.

    Raises:
        RecipeError: `[convert]` holds an option that no converter takes, or the review is incomplete or wrong.
        ConversionError: no rung of the ladder can convert it.
        ParityError: the converted model gives other answers.
        DisclosureError: a file holds a secret or personal data that the recipe does not accept; nothing was written.
        LocalError: a document cannot be read, or is larger than the limits.
        MalformedError, LimitError, UnsupportedVersionError: weights that are carried as they are have a bad header, or
            are too large; or they are a pickle.
        UntrustedPickleError: the model asks for a class or function that is neither of a known library nor trusted.
        SourceError: the model or its samples cannot be read, or a module of `import` is not found or raises.
        DigestError: a registry has other files than the recipe pins.
        ChannelError: the version is withdrawn, or released with other bytes; or the channel's questionnaire is wrong.
        GateError: no instance would install it.
        KeyFileError: the model's key is not a P-256 key.
    """
    # Converters take seconds to import and minutes to run: refuse what cannot be staged before that.
    check_may_add(channel, recipe.model)
    with _at_hand(recipe, access, token_file) as local:
        return _add(
            local,
            channel,
            trust_globals=trust_globals,
            model_signer=model_signer,
            benchmark=benchmark,
            probe=probe,
            holdout=holdout,
            provenance=provenance,
        )


@contextmanager
def _at_hand(recipe: Recipe, access: Access, token_file: "Path | None") -> Iterator[Recipe]:
    """Give the recipe with a source on this machine, fetched where it is in a registry of models."""
    if recipe.registered is None:
        yield recipe
        return
    from sealift_bundler.source.registered import fetched

    with fetched(recipe.registered, access, token_file) as path:
        yield replace(recipe, source=path)


def _add(
    recipe: Recipe,
    channel: Channel,
    *,
    trust_globals: Sequence[str],
    model_signer: "Signer | None",
    benchmark: bool,
    probe: bool,
    holdout: "Path | None",
    provenance: Provenance | None,
) -> Added:
    review = read_review(recipe.review, channel, recipe.model, recipe.path)
    from sealift_bundler.proof.documents import with_schema
    from sealift_bundler.release.carried_files import carried_files, config_format
    from sealift_bundler.release.graph_set import files_of, parts_of
    from sealift_bundler.release.model_signature import p256_key
    from sealift_bundler.review.digests import digest_of_all

    if model_signer is not None:
        p256_key(model_signer)
    conversions: dict[str, Conversion] = {}
    formats: Mapping[str, str] = {}
    if recipe.kind == FILES:
        files, formats = carried_files(recipe)
    else:
        probe = probe or review is not None
        convert = partial(_converted, recipe, trust_globals, benchmark=benchmark, probe=probe, holdout=holdout)
        conversions = {name: convert(graph) for name, graph in parts_of(recipe).items()}
        # Read once: what is scanned is what is stored.
        documents = {name: _read(path) for name, path in recipe.documents.items()}
        files = {**with_schema({**files_of(recipe, conversions), **documents})}
    samples = {name: graph.samples for name, graph in parts_of(recipe).items()} if conversions else {}
    origin = Origin(recipe.path, partial(digest_of_all, recipe.sources), partial(digest_of_all, samples))
    staged = stage_files(
        recipe.model,
        files,
        channel,
        origin=origin,
        descriptor=descriptor_of(recipe),
        conversions=conversions,
        review=review,
        accepted=recipe.accepted,
        model_signer=model_signer,
        form=config_format(formats) if recipe.kind == FILES else layout.ONNX,
        provenance=provenance,
    )
    return Added(staged.model, staged.reference, staged.outcome, staged.disclosure, conversions, formats)


def _converted(
    recipe: Recipe,
    trust_globals: Sequence[str],
    graph: GraphRecipe,
    *,
    benchmark: bool,
    probe: bool,
    holdout: "Path | None",
) -> "Conversion":
    for option in recipe.options:
        # Silently ignored, an option would be taken for obeyed.
        raise RecipeError(
            f"{recipe.path}: [convert] option {option!r} is not known; no converter takes options, remove it"
        )
    from sealift_bundler import convert

    with warnings.catch_warnings():
        # What `convert` warns of is refused below, with the documents.
        warnings.simplefilter("ignore", DisclosureWarning)
        conversion = convert(
            graph.source,
            graph.samples,
            name=recipe.model.name,
            version=str(recipe.model.version),
            tolerance=_tolerance(recipe),
            imports=recipe.imports,
            trust_globals=tuple(dict.fromkeys((*recipe.trust_globals, *trust_globals))),
            golden=graph.golden,
            holdout=holdout or recipe.holdout,
            probe=probe,
            frontend=recipe.frontend,
        )
    if benchmark:
        from sealift_bundler.proof.recording import with_benchmark

        return with_benchmark(conversion)
    return conversion


def _read(path: Path) -> bytes:
    try:
        return plain_file.read(path, LIMITS.document_size_bytes, follow=True)
    except OSError as error:
        raise console.local_error(error, "cannot read document") from error


def _tolerance(recipe: Recipe) -> "Tolerance":
    from sealift.model.documents.description import Tolerance
    from sealift_bundler.proof.parity import DEFAULT_TOLERANCE as DEFAULT

    return Tolerance(
        atol=DEFAULT.atol if recipe.atol is None else recipe.atol,
        rtol=DEFAULT.rtol if recipe.rtol is None else recipe.rtol,
    )


def descriptor_of(recipe: Recipe) -> "Descriptor":
    """Return the manifest's descriptor, which is for people."""
    from sealift_bundler.release.modelpack import Descriptor

    return Descriptor(
        title=recipe.title,
        description=recipe.description,
        authors=list(recipe.authors),
        licenses=list(recipe.licenses),
        created_at=recipe.creation_time(),
        revision=recipe.revision,
        vendor=recipe.vendor,
        source_url=recipe.source_url,
    )
