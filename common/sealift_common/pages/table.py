"""A table of a page."""

from collections.abc import Iterable, Sequence
from typing import Any

from sealift_common.pages.page import text


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], marks: dict[tuple[int, int], str] | None = None) -> str:
    """A table; a head that starts with "#" is of numbers.

    Args:
        marks: class of the cell in a row and column, for example "good".
    """
    numeric = [head.startswith("#") for head in heads]

    def cell(tag: str, index: int, value: Any, mark: str = "") -> str:
        classes = " ".join(part for part in ("number" if numeric[index] else "", mark) if part)
        return f'<{tag} class="{classes}">{text(value)}</{tag}>' if classes else f"<{tag}>{text(value)}</{tag}>"

    lines = [
        "<tr>"
        + "".join(cell("td", index, value, (marks or {}).get((place, index), "")) for index, value in enumerate(row))
        + "</tr>"
        for place, row in enumerate(rows)
    ]
    if not lines:
        return '<p class="soft">none</p>'
    head = "".join(cell("th", index, label.removeprefix("#")) for index, label in enumerate(heads))
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
