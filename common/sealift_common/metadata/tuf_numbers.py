"""Numbers of TUF metadata that stand there as `true` or `false`: Python takes `true` for 1. Pure."""

from typing import Any

_NUMBERS = frozenset({"version", "threshold", "length", "x-sealift-expires-days"})


def boolean_number(document: Any) -> str | None:
    """Return the name of a version, threshold, length or lifetime that is a boolean; None where all are numbers.

    Args:
        document: parsed JSON.
    """
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for name in sorted(_NUMBERS & value.keys()):
                if isinstance(value[name], bool):
                    return name
            waiting += value.values()
    return None
