"""When a model stops answering: after it was closed, and after its process was forked away from its threads.

ONNX Runtime's threads stay with the process that made them. A forked worker that asks such a session waits forever,
so in the worker the session is replaced by one that says what to do. Freeing it waits forever as well (seen with 1.32:
a condition variable with waiters that are not here), so it is never freed there, not even when the interpreter ends.
A session of one thread has no others, and is as good in the worker as before.
"""

import ctypes
import os
from copy import copy
from typing import Any, NoReturn, Protocol
from weakref import WeakSet

from sealift.errors import Error, UsageError


class Unusable:
    """Stands where a session was; asking it anything raises the error that it was given, or `UsageError`."""

    def __init__(self, refusal: Error | str) -> None:
        self._error = UsageError(refusal) if isinstance(refusal, str) else refusal

    def run(self, *_: object) -> NoReturn:
        """Refuse.

        Raises:
            sealift.Error: always.
        """
        # A copy: threads that ask at the same time must not share a traceback.
        raise copy(self._error)


class _Holder(Protocol):
    session: Any

    @property
    def name(self) -> str:
        """The model's name."""


_threaded: "WeakSet[_Holder]" = WeakSet()


def watch(holder: _Holder) -> None:
    """Make the session of `holder` refuse in forked processes, since it has threads."""
    _threaded.add(holder)


def _after_fork() -> None:
    for holder in list(_threaded):
        # One reference that nobody gives back.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(holder.session))
        holder.session = Unusable(
            f"model {holder.name!r} was loaded before this process was forked, and its threads stayed behind; "
            "load it again here, or load it with threads=1 before forking"
        )
    _threaded.clear()


os.register_at_fork(after_in_child=_after_fork)
