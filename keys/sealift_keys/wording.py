"""Words that people read: one blob, two blobs; a model and its version."""


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
