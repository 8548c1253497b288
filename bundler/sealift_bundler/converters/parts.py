"""The estimators that an estimator holds, whatever holds them."""

from collections.abc import Iterable
from typing import Any


def parts_of(estimator: Any) -> Iterable[Any]:
    """Yield the estimators that an estimator holds at any depth, itself included."""
    waiting, seen = [estimator], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif hasattr(value, "get_params") and not isinstance(value, type):
            yield value
            waiting.extend(getattr(value, "__dict__", {}).values())
