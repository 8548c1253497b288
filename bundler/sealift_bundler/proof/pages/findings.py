"""What the disclosure scan found, as a section of a page; never a value."""

from collections.abc import Iterable, Mapping
from typing import Any

from sealift_bundler.disclosure import Disclosure
from sealift_bundler.proof.pages.table import table

_NOTHING = (
    '<p class="soft">Nothing was found. The scan knows tokens, keys, addresses and numbers by their form, and no '
    "names of persons.</p>"
)
REFUSED = "not accepted: add refuses it"
AUTHORS = "addresses of authors, who are named there"


def disclosure_rows(disclosure: Disclosure) -> list[dict[str, Any]]:
    """Return the findings as documents, each with the reason why it may leave, or the word that it may not."""
    return [
        *({**one.document(), "reason": REFUSED} for one in disclosure.refused),
        *(one.document() for one in disclosure.accepted),
        *({**one.document(), "reason": AUTHORS} for one in disclosure.authors),
    ]


def findings_section(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Write the section; findings have `kind`, `file`, `place`, `count` and `reason`."""
    rows = [tuple(one.get(key, "") for key in ("kind", "file", "place", "count", "reason")) for one in findings]
    marks = {(place, 4): "bad" for place, row in enumerate(rows) if row[4] == REFUSED}
    shown = table(("kind", "file", "first place", "#how many", "why it may leave"), rows, marks) if rows else _NOTHING
    return ["<h2>Findings of the disclosure scan</h2>", shown]
