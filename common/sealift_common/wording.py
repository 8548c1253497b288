"""Words that people read: one blob, two blobs; a size; a model and its version; the nearest name."""

from collections.abc import Collection


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with what it counts, for example `1 blob` or `1,200 blobs`.

    Args:
        one: what stands after 1.
        many: what stands after every other number; by default `one` with an s.

    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def spaced(reference: str) -> str:
    """Write `NAME:VERSION` with a space, as lines for people have it."""
    return reference.replace(":", " ")


def human(size: int) -> str:
    """Write a number of bytes for people, for example `12.3 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def nearest(word: str, known: Collection[str]) -> str:
    """Say which of the names that are known a misspelled one may stand for."""
    # Only those who misspell something wait for it.
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of: {', '.join(known)}"
