"""A table of a page."""

from collections.abc import Iterable, Sequence
from typing import Any

from sealift_common.pages.page import text

# A word that fits in a narrow column is never broken, and one that fits in none may be, anywhere.
_WORD_CHARS = 16
_LONG_CHARS = 32


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    marks: dict[tuple[int, int], str] | None = None,
    *,
    even: bool = False,
) -> str:
    """A table; a head that starts with "#" is of numbers.

    Args:
        marks: class of the cell in a row and column, for example "good".
        even: columns of equal width, so that tables below each other line up.
    """
    numeric = [head.startswith("#") for head in heads]
    lines = [
        "<tr>"
        + "".join(
            _cell("td", value, ("number" if numeric[index] else _shape(value), (marks or {}).get((place, index), "")))
            for index, value in enumerate(row)
        )
        + "</tr>"
        for place, row in enumerate(rows)
    ]
    if not lines:
        return '<p class="soft">none</p>'
    head = "".join(
        _cell("th", label.removeprefix("#"), ("number" if numeric[index] else "",)) for index, label in enumerate(heads)
    )
    kind = ' class="even"' if even else ""
    return f'<div class="wide"><table{kind}><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _cell(tag: str, value: Any, classes: Sequence[str]) -> str:
    named = " ".join(filter(None, classes))
    return f'<{tag} class="{named}">{text(value)}</{tag}>' if named else f"<{tag}>{text(value)}</{tag}>"


def _shape(value: Any) -> str:
    words = str(value).split()
    longest = max(map(len, words), default=0)
    if longest > _LONG_CHARS:
        return "long"
    return "word" if len(words) == 1 and longest <= _WORD_CHARS else ""
