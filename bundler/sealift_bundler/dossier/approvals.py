"""Who decided what about a version, as a section."""

from collections.abc import Iterator
from datetime import UTC, datetime

from sealift_bundler.dossier.gathering import Version
from sealift_bundler.proof.pages.table import shown, table
from sealift_common.review.judgement import Decision
from sealift_common.review.statement import APPROVED


def approval_section(version: Version) -> Iterator[str]:
    """Write who approved until when, and who still has to."""
    yield "<h2>Approvals</h2>"
    approval, record = version.approval, version.contents.record
    if not approval.asked:
        yield '<p class="soft">This channel has no reviewers: it is released without approvals.</p>'
        return
    if record is not None:
        yield f"<p>To approve, by the questionnaire: {shown(', '.join(record.roles))}.</p>"
    now = datetime.now(UTC)
    rows = [_row(one, now) for one in approval.decisions]
    marks = {(place, 1): "good" if row[1] == APPROVED else "bad" for place, row in enumerate(rows)}
    heads = ("role", "decision", "by", "made", "until", "note")
    yield table(heads, rows, marks) if rows else "<p>Nobody has decided.</p>"
    if approval.missing:
        yield '<p class="bad">Missing:</p>'
        yield f"<ul>{''.join(f'<li>{shown(one)}</li>' for one in approval.missing)}</ul>"
    elif record is None:
        yield '<p class="soft">It was released before this channel had reviewers, and is not asked again.</p>'
    else:
        yield '<p class="good">Every role has approved.</p>'


def _row(decision: Decision, now: datetime) -> tuple[str, ...]:
    statement = decision.statement
    until = "" if statement.expires is None else f"{statement.expires:%Y-%m-%d}"
    return (
        statement.role,
        f"{statement.decision}, expired" if decision.expired(now) else statement.decision,
        decision.name,
        f"{statement.created:%Y-%m-%d}",
        until,
        statement.note,
    )
