"""What is other than in the version before, as a section."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sealift.inspection.difference import Change, compare_models
from sealift_bundler.dossier.answers import said
from sealift_bundler.dossier.gathering import Version
from sealift_bundler.proof.pages.table import shown, table
from sealift_common.review.record import Record

_MANY = 100


def differences_section(version: Version) -> Iterator[str]:
    """Write what changed: answers, findings, interface, proof, files."""
    if version.before is None:
        yield "<h2>Differences</h2>"
        yield '<p class="soft">The channel has no lower version of this model.</p>'
        return
    earlier, described = version.before
    yield f"<h2>Differences to {shown(earlier.model.version)}</h2>"
    found = compare_models(earlier.manifest, version.contents.manifest, (described, version.described))
    if not found.same_interface:
        yield '<p class="bad">Applications feed it otherwise, or read other answers.</p>'
    yield from _changes("Review", _record_changes(earlier.record, version.contents.record))
    yield from _changes("Interface", [*found.inputs, *found.outputs, *found.columns])
    yield from _changes("Proof and making", found.figures)
    yield from _changes("Files, in bytes", found.files)


def _changes(title: str, changes: Iterable[Change]) -> Iterator[str]:
    rows = [(one.name, _said(one.before), _said(one.after)) for one in changes]
    if rows:
        yield f"<h3>{title}</h3>"
        yield table(("", "before", "now"), rows[:_MANY])
        if len(rows) > _MANY:
            yield f'<p class="soft">and {len(rows) - _MANY:,} more</p>'


def _record_changes(before: Record | None, after: Record | None) -> list[Change]:
    one, other = _record(before), _record(after)
    return [
        Change(name, one.get(name), other.get(name))
        for name in dict.fromkeys([*one, *other])
        if one.get(name) != other.get(name)
    ]


def _record(record: Record | None) -> dict[str, Any]:
    if record is None:
        return {"answers": "none"}
    found: dict[str, Any] = {
        "class of risk": record.risk,
        "roles that approve": ", ".join(record.roles),
        "questionnaire": record.questionnaire,
        "trained model": record.source,
        "samples": record.samples,
    }
    for name, answers in record.answers.items():
        if isinstance(answers, Mapping):
            found |= {f"{name}.{key}": said(value) for key, value in answers.items()}
        else:
            found[name] = said(answers)
    for one in record.accepted:
        found[f"accepted: {one['kind']} in {one['file']}"] = one["reason"]
    return found | {f"library {name}": version for name, version in record.versions.items()}


def _said(value: Any) -> str:
    if value is None:
        return "not there"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return said(value)
