"""A table of a report's page."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from sealift_bundler.disclosure import withheld


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], marks: dict[tuple[int, int], str] | None = None) -> str:
    """A table; a head that starts with "#" is of numbers."""
    numeric = [head.startswith("#") for head in heads]

    def cell(tag: str, index: int, value: Any, mark: str = "") -> str:
        classes = " ".join(part for part in ("number" if numeric[index] else "", mark) if part)
        return (
            f'<{tag} class="{classes}">{escape(withheld(str(value)))}</{tag}>'
            if classes
            else f"<{tag}>{escape(withheld(str(value)))}</{tag}>"
        )

    lines = [
        "<tr>"
        + "".join(cell("td", index, value, (marks or {}).get((place, index), "")) for index, value in enumerate(row))
        + "</tr>"
        for place, row in enumerate(rows)
    ]
    if not lines:
        return '<p class="soft">none</p>'
    head = "".join(cell("th", index, label.removeprefix("#")) for index, label in enumerate(heads))
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"
