"""Tables for people: rows in columns, which a narrow terminal does not tear apart.

Elsewhere than on a terminal a row is one line, however long: scripts cut lines, and files are wide.
"""

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sealift_common.console import colored, plain

_GAP = "  "
# Fewer columns than this hold no sentence: each cell then gets a line of its own.
_LEAST = 24


def table(rows: Sequence[Sequence[Any]], headings: Sequence[str]) -> str:
    """Lay rows out in columns, as wide as their widest cell; a terminal's width decides what else is done.

    Where the last column alone does not fit, its cells are wrapped below themselves. Where more does not, each row is
    a block with one line for each cell that is not empty, after its heading.
    """
    return "\n".join(_lines(rows, headings, str))


def styled_table(rows: Sequence[Sequence[Any]], headings: Sequence[str]) -> str:
    """Lay rows out as `table` does, and color the last cells by their first words."""
    return "\n".join(_lines(rows, headings, colored))


def drawn_over(text: str) -> str:
    """Cut a line that the next one is drawn over; what a terminal wraps would stay."""
    room = shutil.get_terminal_size().columns - 1
    return text if len(text) <= room else text[: room - 1] + "…"


def _lines(rows: Sequence[Sequence[Any]], headings: Sequence[str], paint: Callable[[str], str]) -> Iterator[str]:
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    before = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    if before + widths[-1] > room and room - before < _LEAST:
        yield from _blocks(cells, headings, room, paint)
        return
    for number, row in enumerate([list(headings), *cells]):
        left = _GAP.join(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        first, *others = _wrapped(row[-1], room - before)
        last = paint(first) if number else first
        yield f"{left}{_GAP}{last}".rstrip() if left or len(row) > 1 else last
        yield from (" " * before + other for other in others)


def _blocks(
    cells: Sequence[Sequence[str]], headings: Sequence[str], room: int, paint: Callable[[str], str]
) -> Iterator[str]:
    width = max(map(len, headings))
    for number, row in enumerate(cells):
        if number:
            yield ""
        for place, (heading, cell) in enumerate(zip(headings, row, strict=True)):
            first, *others = _wrapped(cell, room - width - len(_GAP))
            if cell:
                yield f"{heading.ljust(width)}{_GAP}{paint(first) if place == len(row) - 1 else first}"
            yield from (" " * (width + len(_GAP)) + other for other in others)


def _wrapped(cell: str, width: int) -> list[str]:
    """Wrap at blanks alone: half a digest cannot be copied."""
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]
