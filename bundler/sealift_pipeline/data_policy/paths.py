"""Where a column's value lies in an event: keys with dots between them, `[]` after one that holds a list. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}(?:\[\])?")


class MissingPathError(Exception):
    """An event has no such path; where a key has the value null, the path is there and the value is None."""


def parse(text: str) -> tuple[str, ...]:
    """Return the steps of a path such as `object_attributes.labels[].title`.

    Raises:
        ValueError: it is not such a path, or has more than one `[]`.
    """
    steps = tuple(text.split("."))
    if len(steps) > 16 or not all(_STEP.fullmatch(step) for step in steps):
        raise ValueError("expected keys with dots between them, for example object_attributes.labels[].title")
    if text.count("[]") > 1:
        raise ValueError("at most one of its keys may hold a list")
    return steps


def is_list(steps: Sequence[str]) -> bool:
    """Return whether the path leads to several values."""
    return any(step.endswith("[]") for step in steps)


def objects_in(event: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object of an event, however deep it stands, without recursion."""
    waiting = [event]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            yield value


def find(event: Any, steps: Sequence[str]) -> Any:
    """Return the value at a path; a list of values for a path with `[]`, where None stands for null on the way.

    Raises:
        MissingPathError: a key is not there, or what should hold it is neither an object nor null.
    """
    value = event
    for place, step in enumerate(steps):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise MissingPathError
        key = step.removesuffix("[]")
        if key not in value:
            raise MissingPathError
        value = value[key]
        if step.endswith("[]"):
            if value is None:
                return None
            if not isinstance(value, list):
                raise MissingPathError
            rest = steps[place + 1 :]
            return [find(one, rest) for one in value] if rest else value
    return value
