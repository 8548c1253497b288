"""A model that follows its store: a newly activated generation serves from the next call on, without a restart.

A call asks the store which generation is active, at most fifty times a second: one readlink, some microseconds;
between that, a look at the clock. Only when the link changed is there work, and a thread of its own does it, because
loading large weights takes longer than an answer may. Until the new model is ready, and if it cannot be loaded, the
old one answers. One call is answered by one version.
"""

import os
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sealift.errors import Error
from sealift.logs import logger
from sealift.model.model import Model

if TYPE_CHECKING:
    from sealift.model.engine import Engine
    from sealift.store.contents.layout import StoreLayout

_LOOK_EVERY_S = 0.02
# After a failure: a repair or more memory may come without a new generation.
_RETRY_S = 10.0
_logger = logger(__name__)
_followed: "WeakSet[FollowedModel]" = WeakSet()


@dataclass(frozen=True)
class Switch:
    """A switch of a followed model, or a failed one, for its callback.

    Attributes:
        name: the model.
        old_version, old_digest: what answered before, and still does where `error` is set.
        new_version, new_digest: what answers from now on; "" where it could not be loaded.
        error: why it could not, or None.
    """

    name: str
    old_version: str
    old_digest: str
    new_version: str
    new_digest: str
    error: Error | None


class FollowedModel(Model):
    """Answers as the model that is active now.

    Two properties read one after the other may be of two versions. Where they must fit together, take `now` once.

    Args:
        layout: the store to watch.
        load: loads the model again.
        on_switch: told of every switch and every failed one, in the thread that loads; None means nobody.

    Raises:
        sealift.Error: the first load failed.
    """

    def __init__(
        self, layout: "StoreLayout", load: Callable[[], Model], on_switch: Callable[[Switch], object] | None = None
    ) -> None:
        self._link = str(layout.current)
        self._load = load
        self._on_switch = on_switch
        self._switching = threading.Lock()
        self._closed = False
        self._look_at = 0.0
        self._failed = ""
        self._retry_at = 0.0
        # Before loading: a switch in between is then noticed at the first call.
        self._seen = os.readlink(self._link) if os.path.islink(self._link) else ""
        self._model = load()
        _followed.add(self)

    @property
    def now(self) -> Model:
        """The model that is active now, which does not change."""
        # The call that notices a switch keeps its model, however soon the other thread has loaded.
        model = self._model
        clock = time.monotonic()
        if clock >= self._look_at:
            self._look_at = clock + _LOOK_EVERY_S
            self._look(clock)
        return model

    @property
    def _engine(self) -> "Engine":
        return self.now._engine

    def _answer(self, method: str | tuple[str, ...], rows: Any) -> Any:
        return self.now._answer(method, rows)

    def share(self) -> Model:
        """Share as `Model.share`; the other one follows by itself, and tells the same callback."""
        other = copy(self)
        other.renew_lock()
        # After the copy: it may then have seen an older generation than its model is of, and looks once more; never a
        # newer one, which it would miss.
        other.__dict__["_model"] = self._model.share()
        _followed.add(other)
        return other

    def disable(self, message: str) -> None:
        """Refuse as `Model.disable`, and stop following."""
        self._closed = True
        with self._switching:
            self._model.disable(message)

    def close(self) -> None:
        """Close as `Model.close`, and stop following."""
        # First, lest the look at the name begins to load another.
        self._closed = True
        super().close()

    def renew_lock(self) -> None:
        """Follow on by itself, whatever the one that it was copied or forked from is doing."""
        self._switching = threading.Lock()

    def __repr__(self) -> str:
        return f"<following {self._model!r}>"

    def _look(self, clock: float) -> None:
        try:
            active = os.readlink(self._link)
        except OSError:
            # A store that is gone, or unmounted for a while, is not a reason to stop answering.
            return
        if active == self._seen or self._closed or (active == self._failed and clock < self._retry_at):
            return
        if self._switching.acquire(blocking=False):
            try:
                threading.Thread(target=self._switch, args=(active,), name="sealift-switch").start()
            except RuntimeError:
                # No more threads here, or the interpreter is ending: the old one answers, and a later call looks again.
                self._switching.release()
            except BaseException:
                self._switching.release()
                raise

    def _switch(self, active: str) -> None:
        """Load what is active, and let it answer; runs in its own thread, which holds the lock."""
        old, new, error = self._model, None, None
        try:
            new = self._load()
        except Error as raised:
            error = raised
        finally:
            if new is not None:
                # One assignment: a call that has begun keeps the model that it took.
                self._model = new
                # Last: `share` relies on it.
                self._seen = active
            else:
                self._failed = active
                self._retry_at = time.monotonic() + _RETRY_S
            if self._closed:
                self._model.close()
            self._switching.release()
        if not self._closed and (new is None or new.digest != old.digest):
            told = (new.version, new.digest) if new is not None else ("", "")
            self._tell(Switch(old.name, old.version, old.digest, *told, error))

    def _tell(self, switch: Switch) -> None:
        if self._on_switch is None:
            return
        try:
            self._on_switch(switch)
        except Exception:
            # The application's own code may raise anything; nobody waits for this thread.
            _logger.exception("on_switch of model %r failed", switch.name)


def _after_fork() -> None:
    # The thread that was loading is not here, and would never let go of the lock.
    for model in list(_followed):
        model.renew_lock()


os.register_at_fork(after_in_child=_after_fork)
