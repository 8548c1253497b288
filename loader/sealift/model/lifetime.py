"""When a model stops answering: after it was closed, and after its process was forked away from its threads.

ONNX Runtime's threads stay with the process that made them. A forked worker that asks such a session waits for ever,
so in the worker the session is replaced by one that says what to do. Freeing it waits for ever as well (seen with 1.32:
a condition variable with waiters that are not here), so it is never freed there, not even when the interpreter ends.
A session of one thread has no others, and is as good in the worker as before.
"""

import ctypes
import os
from typing import TYPE_CHECKING, NoReturn
from weakref import WeakSet

from sealift.errors import UsageError

if TYPE_CHECKING:
    from sealift.model.model import Model


class Unusable:
    """Stands where a session was; asking it anything raises `UsageError`."""

    def __init__(self, message: str) -> None:
        self._message = message

    def run(self, *_: object) -> NoReturn:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise UsageError(self._message)


_threaded: "WeakSet[Model]" = WeakSet()


def watch(model: "Model") -> None:
    """Make `model` refuse in forked processes, since its session has threads."""
    _threaded.add(model)


def is_watched(model: "Model") -> bool:
    """Tell whether the session of `model` has threads."""
    return model in _threaded


def _after_fork() -> None:
    for model in list(_threaded):
        # One reference that nobody gives back.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(model.session))
        model.disable(
            f"model {model.name!r} was loaded before this process was forked, and its threads stayed behind; "
            "load it again here, or load it with threads=1 before forking"
        )
    _threaded.clear()


os.register_at_fork(after_in_child=_after_fork)
