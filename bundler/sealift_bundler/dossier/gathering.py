"""Read all that a dossier says of one version, from a channel whose bytes match the digest that people approve.

Documents are read under limits and nothing of them is believed; graphs run in `replaying` alone.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, NamedTuple

from sealift.errors import Error, MalformedError
from sealift.inspection.described import described, description_file
from sealift.model.documents.description import FILE_NAME, ModelDescription
from sealift_bundler.review.bom import FILE_NAME as BOM
from sealift_common.blob import Blob
from sealift_common.contents.reading import Contents, document, file_bytes, read_contents
from sealift_common.errors import ChannelError
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest
from sealift_common.review.judgement import Decision, decisions
from sealift_common.review.questionnaire import Question, default_bytes, parse_questionnaire
from sealift_common.review.statement import Subject
from sealift_keys.ceremony.quorum import missing
from sealift_keys.ceremony.stating import envelopes_of, record_digest, reviewers_of
from sealift_keys.channel.directory import Channel

# A longer text is the author's to print.
_MOST_TEXT_CHARS = 40_000
_TEXTS = (".md", ".txt")


class Graph(NamedTuple):
    """One graph of a version: its name among several, how it was proven, and what the probe found."""

    name: str
    described: ModelDescription
    probe: Mapping[str, Any]


class Approval(NamedTuple):
    """What reviewers decided.

    Attributes:
        asked: whether the channel has reviewers at all.
        decisions: that count.
        missing: what keeps the version from being released, in words.
    """

    asked: bool
    decisions: tuple[Decision, ...] = ()
    missing: tuple[str, ...] = ()


class Version(NamedTuple):
    """All that a dossier says of one version, except for what its graphs answer here.

    Attributes:
        state: where it stands, in words.
        graphs: none of files.
        bom: the bill of materials; None where there is none.
        texts: of the files that people read, by name.
        questions: of the questionnaire that the author answered, by key; None where this copy has another one.
        before: the newest lower version of the channel, and what its `model.json` says, if that can be read.
    """

    channel: str
    state: str
    contents: Contents
    described: ModelDescription
    graphs: tuple[Graph, ...]
    bom: Mapping[str, Any] | None
    texts: Mapping[str, str]
    questions: Mapping[str, Question] | None
    approval: Approval
    before: tuple[Contents, ModelDescription | None] | None

    @property
    def model(self) -> ModelVersion:
        """The name and version."""
        return self.contents.model


def gather(channel: Channel, model: ModelVersion) -> Version:
    """Read everything about one version of a channel.

    Raises:
        ChannelError: the channel has no such version, took it back, or lacks its files.
        DigestError, MalformedError, LimitError, UnsafeMemberError, UnsupportedVersionError: it is not what its digest
            says, or not of its form.
    """
    blob, state = _find(channel, model)
    contents = _read(channel, model, blob)
    manifest = contents.manifest
    description_file(manifest)
    whole = described(_file(channel, manifest, FILE_NAME), manifest)
    return Version(
        channel=channel.name,
        state=state,
        contents=contents,
        described=whole,
        graphs=tuple(_graphs(channel, manifest, whole, contents)),
        bom=document(manifest, BOM, channel.blob),
        texts=dict(_texts(channel, manifest)),
        questions=_questions(channel, contents),
        approval=_approval(channel, contents, blob),
        before=_before(channel, model),
    )


def _find(channel: Channel, model: ModelVersion) -> tuple[Blob, str]:
    release, staged = channel.release(), channel.staged()
    if model in release.models:
        return release.models[model], f"listed by release {release.number}"
    if model in staged:
        return staged[model], "staged, and not released"
    taken_back = release.withdrawal_of(model)
    if taken_back is not None:
        raise ChannelError(
            f"{model} was withdrawn at {taken_back.at}: {taken_back.reason!r}; nothing is left to approve"
        )
    known = [one.reference for one in sorted({**release.models, **staged})]
    near = get_close_matches(model.reference, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known[:10]) or 'no version'}"
    raise ChannelError(f"{model} is neither released nor staged in {str(channel.directory)!r}; {hint}")


def _read(channel: Channel, model: ModelVersion, blob: Blob) -> Contents:
    try:
        return read_contents(model, blob, channel.blob)
    except FileNotFoundError:
        raise _incomplete(channel, model) from None


def _file(channel: Channel, manifest: Manifest, name: str) -> bytes:
    try:
        data = file_bytes(manifest, name, channel.blob)
    except FileNotFoundError:
        raise _incomplete(channel, manifest.model) from None
    if data is None:
        raise MalformedError(f"{manifest.model} lacks {name[:120]!r}")
    return data


def _incomplete(channel: Channel, model: ModelVersion) -> ChannelError:
    return ChannelError(
        f"the files of {model} are not in {str(channel.directory)!r}; get a complete copy of the channel"
    )


def _graphs(channel: Channel, manifest: Manifest, whole: ModelDescription, contents: Contents) -> list[Graph]:
    probe = {} if contents.record is None else contents.record.probe
    if whole.graphs:
        return [
            Graph(
                name,
                ModelDescription.parse(_file(channel, manifest, f"{name}.{FILE_NAME}")),
                _mapping(probe.get(name)),
            )
            for name in whole.graphs
        ]
    return [Graph("", whole, probe)] if whole.inputs else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(channel: Channel, manifest: Manifest) -> list[tuple[str, str]]:
    found = []
    for file in manifest.files:
        if file.name.lower().endswith(_TEXTS) or file.name.upper() in ("LICENSE", "NOTICE"):
            if file.plain.size > 4 * _MOST_TEXT_CHARS:
                found.append((file.name, f"({file.plain.size:,} bytes, too long for this page)"))
                continue
            text = _file(channel, manifest, file.name).decode("utf-8", "replace")
            more = "" if len(text) <= _MOST_TEXT_CHARS else "\n(the rest is left out here)"
            found.append((file.name, text[:_MOST_TEXT_CHARS].replace("\r\n", "\n").replace("\t", "    ") + more))
    return found


def _questions(channel: Channel, contents: Contents) -> Mapping[str, Question] | None:
    if contents.record is None:
        return None
    for data in (channel.questionnaire(), default_bytes()):
        if data is not None:
            found = parse_questionnaire(data)
            if found.digest == contents.record.questionnaire:
                return found.questions
    return None


def _approval(channel: Channel, contents: Contents, blob: Blob) -> Approval:
    reviewers = reviewers_of(channel)
    if reviewers is None:
        return Approval(asked=False)
    envelopes = envelopes_of(channel)
    subject = Subject(contents.model, contents.manifest.digest)
    lacking: tuple[str, ...] = ()
    # What was released before there were reviewers is never asked again.
    if contents.record is not None or contents.model not in channel.released():
        lacking = tuple(missing(channel, reviewers, contents.model, blob, envelopes, now=datetime.now(UTC)))
    return Approval(
        asked=True,
        decisions=tuple(decisions(envelopes, reviewers, subject, record_digest(contents))),
        missing=lacking,
    )


def _before(channel: Channel, model: ModelVersion) -> tuple[Contents, ModelDescription | None] | None:
    listed = {**channel.release().models, **channel.staged()}
    lower = max((one for one in listed if one.name == model.name and one < model), default=None)
    if lower is None:
        return None
    try:
        contents = read_contents(lower, listed[lower], channel.blob)
        return contents, described(_file(channel, contents.manifest, FILE_NAME), contents.manifest)
    except (Error, FileNotFoundError):
        # The page is about another version; what it was before is then left out.
        return None
