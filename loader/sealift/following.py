"""A model that follows its store: a newly activated generation serves from the next call on, without a restart.

A call asks the store which generation is active, at most fifty times a second: one readlink, and a look at policy and
pinned root, some microseconds; between that, a look at the clock. Only when one of them changed is there work, and a
thread of its own does it, because loading large weights takes longer than an answer may. Until the new model is ready,
and if this machine cannot load it, the old one answers. Once the channel, the policy or the admin took the model away,
nothing does: every call raises why, until there is a version that may answer. One call is answered by one version.
"""

import os
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sealift.errors import Error, NotInstalledError, UnreviewedError, WithdrawnError
from sealift.logs import logger
from sealift.model.model import Model
from sealift.policy.policy import DIRECTORY as OWN_REVIEWS
from sealift.policy.policy import FILE_NAME as POLICY

if TYPE_CHECKING:
    from sealift.model.engine import Engine
    from sealift.store import Store

# What the channel, the policy or the admin decided; everything else is trouble of this machine.
DECISIONS = (NotInstalledError, UnreviewedError, WithdrawnError)

_LOOK_EVERY_S = 0.02
# After a failure: a repair or more memory may come without a new generation.
_RETRY_S = 10.0
_logger = logger(__name__)
# Where the link to the active generation leads, and the last changes of what decides beside it.
State = tuple[str, *tuple[tuple[int, ...], ...]]
_followed: "WeakSet[FollowedModel]" = WeakSet()


@dataclass(frozen=True)
class Switch:
    """A switch of a followed model, or a failed one, for its callback.

    Attributes:
        name: the model.
        old_version, old_digest: what answered before, and still does where `error` is set and no refusal.
        new_version, new_digest: what answers from now on; "" where it could not be loaded.
        error: why it could not, or None. WithdrawnError, UnreviewedError and NotInstalledError are refusals: from now
            on every call raises them, until a version is there that may answer.
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
        store: the store to watch.
        load: loads the model again.
        on_switch: told of every switch and every failed one, in the thread that loads; None means nobody.

    Raises:
        sealift.Error: the first load failed.
    """

    def __init__(
        self, store: "Store", load: Callable[[], Model], on_switch: Callable[[Switch], object] | None = None
    ) -> None:
        self._link = str(store.layout.current)
        trust = store.trust_directory
        # A rejection of the site's own reviewers is a new file of theirs.
        self._decided_by = (str(trust), str(trust / POLICY), str(trust / OWN_REVIEWS))
        self._load = load
        self._on_switch = on_switch
        self._switching = threading.Lock()
        self._closed = False
        self._look_at = 0.0
        self._refusal: Error | None = None
        self._failed: State | None = None
        self._retry_at = 0.0
        # Before loading: a switch in between is then noticed at the first call.
        self._seen = self._state()
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

    def disable(self, refusal: Error | str) -> None:
        """Refuse as `Model.disable`, and stop following."""
        self._closed = True
        with self._switching:
            self._model.disable(refusal)

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
        active = self._state()
        # A store that is gone, or unmounted for a while, is not a reason to stop answering.
        if active is None or self._closed or active == self._seen:
            return
        if active == self._failed and clock < self._retry_at:
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

    @property
    def refusal(self) -> Error | None:
        """Why no call is answered, as the last look at the store found; None where calls are."""
        return self._refusal

    def _state(self) -> State | None:
        """What changes with all that can change the answering version; None where the store is not there."""
        try:
            return (os.readlink(self._link), *map(last_change, self._decided_by))
        except OSError:
            return None

    def _switch(self, active: State) -> None:
        """Load what is active, and let it answer; runs in its own thread, which holds the lock."""
        old, new, error = self._model, None, None
        try:
            new = self._load()
        except Error as raised:
            error = raised
        finally:
            # A store that went away in the meantime decided nothing.
            refused = isinstance(error, DECISIONS) and self._state() is not None
            refusal, told = str(error) if refused else "", str(self._refusal or "")
            if new is not None:
                # One assignment: a call that has begun keeps the model that it took.
                self._model = new
                self._refusal = None
                # Last: `share` relies on it.
                self._seen = active
            else:
                if error is not None and refused:
                    # Not `old` itself: a call that has begun, and who holds it, finishes.
                    refusing = old.share()
                    refusing.disable(error)
                    self._model = refusing
                    self._refusal = error
                    # A rollback to what was seen before is news now.
                    self._seen = None
                self._failed = active
                self._retry_at = time.monotonic() + _RETRY_S
            if self._closed:
                self._model.close()
            self._switching.release()
        is_news = refusal != told or (new.digest != old.digest if new is not None else not refusal)
        if not self._closed and is_news:
            answers = (new.version, new.digest) if new is not None else ("", "")
            self._tell(Switch(old.name, old.version, old.digest, *answers, error))

    def _tell(self, switch: Switch) -> None:
        if self._on_switch is None:
            return
        try:
            self._on_switch(switch)
        except Exception:
            # The application's own code may raise anything; nobody waits for this thread.
            _logger.exception("on_switch of model %r failed", switch.name)


def last_change(path: "str | os.PathLike[str]") -> tuple[int, ...]:
    """Return what a change of a file or folder changes: its inode, size and times in ns, the last change last."""
    try:
        status = os.stat(path)
    except OSError as error:
        return (error.errno or 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _after_fork() -> None:
    # The thread that was loading is not here, and would never let go of the lock.
    for model in list(_followed):
        model.renew_lock()


os.register_at_fork(after_in_child=_after_fork)
