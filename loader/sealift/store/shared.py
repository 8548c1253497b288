"""One session for each model version and set of options in a process, however often it is loaded.

An engine is kept for as long as a model stands on it, and no longer. Its bytes were verified when it was made and lie
in memory that nobody else can change, so a second load verifies trust and manifest, and shares the session.
"""

import os
from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple
from weakref import ReferenceType, ref

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sealift.model.engine import Engine


class Key(NamedTuple):
    """Key for sharing a session between two loads: the store, the manifest, the options."""

    store: str
    digest: str
    threads: int | None
    providers: tuple[str, ...]


class _Slot:
    def __init__(self) -> None:
        # A signal's handler may load in the middle of a load: it must not wait for the thread that it runs in.
        self.lock: AbstractContextManager[object] = RLock()
        self.users = 0
        self.engine: ReferenceType[Engine] | None = None

    def is_idle(self) -> bool:
        return not self.users and (self.engine is None or self.engine() is None)


class SharedEngines:
    """The engines that are alive in this process."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._slots: dict[Key, _Slot] = {}

    def get(self, key: Key, make: Callable[[], "Engine"]) -> "Engine":
        """Return the engine of `key`, made by `make` unless one is alive; who comes meanwhile waits for it.

        Raises:
            sealift.Error: whatever `make` raises; the next caller tries again.
        """
        with self._lock:
            for old in [old for old, slot in list(self._slots.items()) if old != key and slot.is_idle()]:
                self._slots.pop(old, None)
            slot = self._slots.setdefault(key, _Slot())
            # Counted here, a slot is never idle between being found and being used.
            slot.users += 1
        try:
            with slot.lock:
                engine = slot.engine() if slot.engine is not None else None
                if engine is None:
                    engine = make()
                    slot.engine = ref(engine)
                return engine
        finally:
            with self._lock:
                slot.users -= 1


SHARED = SharedEngines()


def _after_fork() -> None:
    # Locks may be held by threads that are not here, and sessions refuse.
    SHARED.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)
