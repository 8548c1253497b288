"""Look at every object of a model that another library made of its file, with the eyes of the unpickler."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from sealift_bundler.source.unpickling import states


def problem_in(model: Any, trusted: Collection[str] = ()) -> str:
    """Say what an object of the model does that no library writes; empty if nothing.

    skops knows which classes a file may hold, and not what their attributes make scikit-learn do: a stacking estimator
    calls the methods that `stack_method_` names on whatever stands in `estimators_`.

    Args:
        trusted: full names of the caller's own classes.
    """
    for made in _objects_of(model):
        attributes = getattr(made, "__dict__", None)
        if not attributes:
            continue
        cls = type(made)
        own = f"{cls.__module__}.{cls.__qualname__}" in trusted
        if problem := states.problem_of(made, attributes, own=own) or states.looked_up(made):
            return problem
    return ""


# What a module defines, and no file makes; NumPy's functions are objects with a dictionary.
_DEFINED = (type, FunctionType, ModuleType, np.ufunc, type(np.max))
_PLAIN = (str, bytes, int, float)


def _objects_of(root: Any) -> Iterator[Any]:
    """Yield what can be reached from an object, each once; a class, function or module is not looked into."""
    waiting, seen = [root], {}
    while waiting:
        made = waiting.pop()
        if id(made) in seen or isinstance(made, (*_PLAIN, *_DEFINED)):
            continue
        # Kept, so that no other object gets its number.
        seen[id(made)] = made
        yield made
        if isinstance(made, Mapping):
            waiting += [*made.keys(), *made.values()]
        elif isinstance(made, list | tuple | set | frozenset):
            waiting += made
        elif isinstance(made, np.ndarray):
            waiting += made.ravel().tolist() if made.dtype.hasobject else []
        elif isinstance(made, partial):
            waiting += [made.func, made.args, made.keywords]
        waiting.append(getattr(made, "__dict__", None))
