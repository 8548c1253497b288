"""A release as its signers and reviewers see it before they sign: the lines of `preview` and of `sign`.

Nothing here is read: the caller gives what was verified. Texts that somebody signed are made fit for a terminal.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sealift_common.clock import rfc3339
from sealift_common.console import plain
from sealift_common.contents.changes import Changes
from sealift_common.contents.reading import Contents
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion
from sealift_common.oci.layout import ONNX
from sealift_common.review.judgement import Decision
from sealift_common.review.record import Record
from sealift_common.review.reviewers import demand_line
from sealift_common.review.statement import APPROVED
from sealift_common.wording import counted, human

_TEXT_CHARS = 200


class Summary(NamedTuple):
    """A release, what it changes, and what the versions hold that are new in it.

    Attributes:
        before: the release that it is compared with; None for none.
        contents: of every new version and its predecessor, where their documents are here.
        digest: `sha256:<hex>` of what signatures on its targets cover; empty where no targets were made yet.
        decisions: what reviewers decided about each new version; those without reviewers are left out.
    """

    before: Release | None
    after: Release
    changes: Changes
    contents: Mapping[ModelVersion, Contents]
    digest: str = ""
    decisions: Mapping[ModelVersion, tuple[Decision, ...]] = MappingProxyType({})


def lines(summary: Summary) -> Iterator[str]:
    """Write the summary for people, the most alarming first."""
    changes = summary.changes
    yield _heading(summary)
    demanded = demand_line(summary.after.reviewers)
    if demanded:
        yield f"  {demanded}"
    for model in changes.returned:
        yield f"  RETURNED: {model} was withdrawn and is listed all the same; do not sign this"
    for model, (old, new) in changes.changed.items():
        yield f"  OTHER BYTES: {model} was {old.digest} and is {new.digest}; do not sign this"
    for model, blob in changes.gone.items():
        yield f"  MISSING: {model} {blob.digest} is no longer listed, and was not withdrawn; do not sign this"
    for entry in changes.withdrawn:
        yield f"  withdrawn: {entry.model}: {_text(entry.reason)!r}"
    for model, blob in changes.new.items():
        yield f"  new: {model} {blob.digest}"
        yield from (f"    {line}" for line in _version_lines(summary, model))
    if summary.digest:
        yield f"targets {summary.after.number}, as signatures cover them:"
        yield summary.digest


def _heading(summary: Summary) -> str:
    changes, after = summary.changes, summary.after
    against = "the first" if summary.before is None else f"against release {summary.before.number}"
    parts = [f"{len(changes.new):,} new"]
    parts += [f"{len(changes.withdrawn):,} withdrawn"] if changes.withdrawn else []
    parts += [f"{changes.kept:,} as before"]
    return f"release {after.number} of channel {after.channel!r}, {against}: {', '.join(parts)}"


def _version_lines(summary: Summary, model: ModelVersion) -> Iterator[str]:
    contents = summary.contents.get(model)
    if contents is None:
        yield "its files are not in this copy of the channel, so nothing can be said of them"
        return
    lower, _ = summary.changes.predecessors.get(model, (None, None))
    before = summary.contents.get(lower) if lower is not None else None
    size = human(contents.manifest.size)
    size += f" ({human(before.manifest.size)} in {before.model.version})" if before is not None else ""
    licenses = _text(", ".join(contents.licenses)) or "license not stated"
    first = "a first version" if lower is None else f"after {lower.version}"
    yield f"{first}; {counted(len(contents.manifest.files), 'file')}, {size}; {licenses}"
    yield proof_line(contents)
    yield from map(plain, provenance_lines(contents))
    yield from record_lines(contents, None if before is None else before.record)
    yield from map(decision_line, summary.decisions.get(model, ()))


def proof_line(contents: Contents) -> str:
    """Say in one line how a version was proven."""
    proof = contents.proof
    if contents.manifest.form != ONNX:
        return f"proof: none of answers; files ({contents.manifest.form}) that are carried and not run"
    if proof is None:
        return "NO PROOF: it has no model.json"
    rows = "rows" if proof.rows is None else counted(proof.rows, "row")
    samples = "" if proof.samples is None else f" ({counted(proof.samples, 'sample')})"
    wrong = "" if not proof.wrong else f", {proof.wrong:,} WRONG"
    golden = f", golden rows {_text(proof.golden)}" if proof.golden else ""
    ties = "" if proof.ties is None else f", {counted(proof.ties, 'exact tie')}"
    agree = "agrees" if proof.rows == 1 else "agree"
    return (
        f"proof: {rows}{samples} {agree} with {_text(proof.reference) or 'an original that it does not name'}{wrong}"
        f"{ties}, rung {_text(proof.rung)!r}{golden}"
    )


def provenance_lines(contents: Contents) -> Iterator[str]:
    """Say which pipeline converted the version, as that one says; nothing where it says nothing."""
    provenance = contents.manifest.provenance
    yield from () if provenance is None else provenance.lines()


def record_lines(contents: Contents, before: Record | None = None) -> Iterator[str]:
    """Say what the author answered, as far as it decides who looks, and what was accepted of what the scan found.

    Args:
        before: the record of the version before.
    """
    record = contents.record
    if record is None:
        if before is not None:
            yield "NO REVIEW, and the version before had one"
        return
    personal = "personal data" if record.personal_data else "no personal data"
    risk = record.risk if before is None or before.risk == record.risk else f"{record.risk} ({before.risk} before)"
    yield f"review: risk {risk}, {personal}; to approve: {', '.join(record.roles)}"
    for one in record.accepted:
        yield _text(f"accepted: {one['kind']} in {one['file']}, {one['place']}: {one['reason']}")


def decision_line(decision: Decision) -> str:
    """Say in one line what one reviewer decided."""
    statement = decision.statement
    until = "" if statement.expires is None else f" until {statement.expires:%Y-%m-%d}"
    word = statement.decision if statement.decision == APPROVED else statement.decision.upper()
    note = f": {_text(statement.note)!r}" if statement.note else ""
    return f"{statement.role}: {word} by {decision.name!r}{until}{note}"


def summary_document(summary: Summary) -> dict[str, Any]:
    """Return the same for scripts."""
    changes, after = summary.changes, summary.after
    return {
        "before": None if summary.before is None else summary.before.number,
        "changed": [
            {**_reference(model), "before": old.digest, "digest": new.digest}
            for model, (old, new) in changes.changed.items()
        ],
        "channel": after.channel,
        "gone": [{**_reference(model), "digest": blob.digest} for model, blob in changes.gone.items()],
        "kept": changes.kept,
        "new": [
            {**_reference(model), "digest": blob.digest, **_content(summary, model)}
            for model, blob in changes.new.items()
        ],
        "release": after.number,
        "required_roles": [] if after.reviewers is None else list(after.reviewers.require),
        "released": rfc3339(after.released),
        "returned": [_reference(model) for model in changes.returned],
        "targets_digest": summary.digest or None,
        "withdrawn": [
            {**_reference(entry.model), "at": entry.at, "reason": entry.reason} for entry in changes.withdrawn
        ],
    }


def _reference(model: ModelVersion) -> dict[str, str]:
    return {"model": model.name, "version": str(model.version)}


def _content(summary: Summary, model: ModelVersion) -> dict[str, Any]:
    contents = summary.contents.get(model)
    lower, _ = summary.changes.predecessors.get(model, (None, None))
    common = {"after": None if lower is None else str(lower.version)}
    if contents is None:
        return {
            **common,
            "decisions": [],
            "files": None,
            "licenses": None,
            "proof": None,
            "provenance": None,
            "review": None,
            "size": None,
        }
    return {
        **common,
        "files": {file.name: file.plain.size for file in contents.manifest.files},
        "licenses": list(contents.licenses),
        "proof": None if contents.proof is None else contents.proof._asdict(),
        "provenance": None if (said := contents.manifest.provenance) is None else said.document(),
        "decisions": [_decision(one) for one in summary.decisions.get(model, ())],
        "review": None if contents.record is None else _review(contents.record),
        "size": contents.manifest.size,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    statement = decision.statement
    return {
        "by": decision.name,
        "decision": statement.decision,
        "expires": None if statement.expires is None else rfc3339(statement.expires),
        "note": statement.note,
        "role": statement.role,
    }


def _review(record: Record) -> dict[str, Any]:
    return {
        "accepted": [dict(one) for one in record.accepted],
        "personal_data": record.personal_data,
        "questionnaire": record.questionnaire,
        "risk": record.risk,
        "roles": list(record.roles),
    }


def _text(value: str) -> str:
    shown = plain(value)
    return shown if len(shown) <= _TEXT_CHARS else shown[: _TEXT_CHARS - 1] + "…"
