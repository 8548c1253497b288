"""A table of a report's page: what the disclosure scan finds is withheld from it."""

from collections.abc import Iterable, Sequence
from typing import Any

from sealift_bundler.disclosure import withheld
from sealift_common.pages.page import text
from sealift_common.pages.table import table as plain_table


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    marks: dict[tuple[int, int], str] | None = None,
    *,
    even: bool = False,
) -> str:
    """A table as `sealift_common.pages.table` makes it."""
    return plain_table(heads, ([withheld(str(value)) for value in row] for row in rows), marks, even=even)


def shown(value: object) -> str:
    """Return a text as HTML, without what the disclosure scan finds."""
    return text(withheld(str(value)))
