"""The reviews of an installed version, as a page for paper and screen."""

from collections.abc import Iterator
from datetime import datetime

from sealift.inspection.reviewed import Reviewed
from sealift_common import fingerprint
from sealift_common.pages.page import page, text
from sealift_common.pages.table import table
from sealift_common.review.statement import APPROVED

HEADS = ("role", "decision", "by", "made", "until", "note")


def review_html(found: Reviewed, now: datetime) -> str:
    """Write the page.

    Args:
        now: what expiry is judged by (UTC).
    """
    return page(f"{found.model}: reviews", _body(found, now))


def decision_rows(found: Reviewed, now: datetime) -> list[tuple[str, ...]]:
    """Return a row of `HEADS` for each decision."""
    rows: list[tuple[str, ...]] = []
    for one in found.decisions:
        said = one.statement
        word = f"{said.decision}, expired" if one.expired(now) else said.decision
        until = "" if said.expires is None else f"{said.expires:%Y-%m-%d}"
        rows.append((said.role, word, found.by(one), f"{said.created:%Y-%m-%d}", until, said.note))
    return rows


def policy_line(found: Reviewed) -> str:
    """Say what this instance asks for."""
    if found.roles is None:
        return "neither the channel nor this instance asks for approvals"
    return f"asked for here: {', '.join(found.roles) or 'no role'}"


def _body(found: Reviewed, now: datetime) -> Iterator[str]:
    yield f"<h1>{text(found.model)}</h1>"
    yield f'<p class="soft">channel {text(found.channel)}, release {found.release}</p>'
    yield f"<p>Manifest: <code>{text(found.digest)}</code></p>"
    if found.record is not None:
        yield f"<p>Answers of its author, REVIEW.json: <code>{text(found.record)}</code></p>"
    yield "<h2>Decisions</h2>"
    rows = decision_rows(found, now)
    yield table(HEADS, rows, {(place, 1): "good" if row[1] == APPROVED else "bad" for place, row in enumerate(rows)})
    yield "<h2>On this instance</h2>"
    yield f"<p>{text(policy_line(found).capitalize())}.</p>"
    if found.excepted is not None:
        until = f"{found.excepted.until:%Y-%m-%d}"
        yield f"<p>Excepted by the policy until {until}: {text(found.excepted.reason)}</p>"
    if found.unmet:
        yield f'<p class="bad">It is not loaded: {text("; ".join(found.unmet))}</p>'
    elif found.unmet_for_installing:
        said = "; ".join(found.unmet_for_installing)
        yield f'<p class="bad">It is loaded, and would not be installed anew: {text(said)}</p>'
    else:
        yield '<p class="good">It may be installed and loaded.</p>'
    if found.decisions:
        yield "<h2>Keys</h2>"
        keys = {
            (one.statement.role, found.by(one)): fingerprint.grouped(fingerprint.of_bytes(one.reviewer.material))
            for one in found.decisions
        }
        yield table(("role", "key", "fingerprint"), [(*who, printed) for who, printed in keys.items()])
