"""The models that are served: those that were named, or all that are active, now and after every install.

Four times a second the store is looked at from outside: which generation is active, and whether trust or the policy
changed. Only then, and now and again for a model that could not be loaded, is anything read and verified; a thread of
its own does that.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sealift.errors import Error, NotInstalledError, WithdrawnError
from sealift.following import DECISIONS, Switch, last_change
from sealift.logs import logger
from sealift.policy.policy import DIRECTORY as OWN_REVIEWS
from sealift.policy.policy import FILE_NAME as POLICY
from sealift.serving.answering.served import Moment, ServedModel, is_model
from sealift.serving.refusals import not_loaded
from sealift.store import Store
from sealift_common.names import ModelVersion

_LOOK_EVERY_S = 0.25
_RETRY_S = 10.0
# What changed just now may change again within one tick of the file system's clock, which then shows nothing new.
_SETTLED_S = 2.0
_LOG = logger(__name__)

# Where the link to the active generation leads, and of each file and folder its inode, size and times, the last change
# last.
Signature = tuple[str, *tuple[tuple[int, ...], ...]]


class Wanted(NamedTuple):
    """A model that was asked for by name, and by version where not the active one is meant."""

    name: str
    version: str | None

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        """Read `NAME` or `NAME:VERSION`.

        Raises:
            UsageError: no name, or no version.
        """
        name, colon, version = text.partition(":")
        ModelVersion.parse(name, version if colon else "0.0.0")
        return cls(name, version if colon else None)


class Catalog:
    """The served models by name and version.

    Args:
        wanted: what to serve; nothing means every active model.
        threads: of one run; None leaves it to ONNX Runtime.
        changed: told, as one line, of what happened to a model.
    """

    def __init__(
        self, store: Store, wanted: Sequence[Wanted], threads: int | None, changed: Callable[[str, str], object]
    ) -> None:
        self._store = store
        self._threads = threads
        self._changed = changed
        self._serves_all = not wanted
        self._models = {one: self._served(one) for one in wanted}
        # Name and version to why it was taken back.
        self._withdrawn: dict[tuple[str, str], str] = {}
        self._said: dict[Wanted, str] = {}
        self._signature: Signature = ("",)
        self._refresh_at = 0.0
        self._again = False
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._work, name="sealift-serve-store", daemon=True)
        # Whether every model was tried once.
        self.is_complete = False
        self.error: Error | None = None

    def start(self) -> None:
        """Begin to load, and to watch the store."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it may be loading, and nobody waits for that."""
        self._stop = True
        self._wake.set()

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(list(self._models.values()))

    def find(self, name: str, version: str | None) -> ServedModel:
        """Return what answers under a name, or under one version of it.

        Raises:
            NotInstalledError: it is not served.
            WithdrawnError: it, or that version of it, was withdrawn.
            RefusedError: nobody knows yet.
        """
        exact = self._models.get(Wanted(name, version))
        if exact is not None:
            return exact
        active = self._models.get(Wanted(name, None))
        if active is not None and (version is None or active.now().version == version):
            return active
        withdrawn = [why for model, why in self._withdrawn.items() if model[0] == name and version in (None, model[1])]
        if withdrawn:
            raise WithdrawnError(withdrawn[-1])
        if active is not None:
            raise NotInstalledError(
                f"version {version!r:.80} of {name!r} is not served; {active.now().version} is, and "
                "`sealift serve NAME:VERSION` adds others"
            )
        if not self.is_complete and self._serves_all:
            raise not_loaded("the store is being read")
        raise NotInstalledError(f"no model {name[:120]!r} is served; served: {', '.join(self.names())[:400] or 'none'}")

    @property
    def problem(self) -> str | None:
        """Why nothing answers; None where a model does, or where the store is sound and has none to serve."""
        if not self.is_complete:
            return "the store is being read"
        if any(one.error is None for one in self) or (self.error is None and not self._models):
            return None
        return "no model answers" if self.error is None else f"{self.error} [{self.error.code}]"

    def names(self) -> list[str]:
        """Return the names of all served models."""
        return sorted({one.name for one in self._models})

    def _served(self, wanted: Wanted) -> ServedModel:
        return ServedModel(self._store, wanted.name, wanted.version, self._threads, self._switched)

    def _work(self) -> None:
        while not self._stop:
            try:
                self._look()
            except Exception:  # noqa: BLE001 - see below
                # Whatever it is, the next look may find the store better; the models answer on.
                _LOG.exception("looking at the store failed")
            self._wake.wait(_LOOK_EVERY_S)
            self._wake.clear()

    def _look(self) -> None:
        for model in self:
            model.look()
        signature, now = self._signature_now(), time.monotonic()
        if signature == self._signature and now < self._refresh_at and not self._again:
            return
        # Before the store is read: a switch that is told meanwhile must not be forgotten.
        self._again = False
        self._refresh()
        # Taken before: what changed meanwhile is looked at again.
        self._signature = signature
        broken = self.error is not None or any(model.error or model.stuck for model in self)
        changed = max((time_ns for *_, time_ns in signature[1:]), default=0) / 1e9
        wait_s = _RETRY_S if broken else float("inf")
        self._refresh_at = now + (min(wait_s, _SETTLED_S) if abs(time.time() - changed) <= _SETTLED_S else wait_s)
        self.is_complete = True

    def _signature_now(self) -> Signature:
        """What changes with every install, roll back, withdrawal, review and change of the policy."""
        trust = self._store.trust_directory
        # Of the site's own reviewers too: a rejection is a new file of theirs.
        looked_at = (self._store.layout.trust, trust, trust / POLICY, trust / OWN_REVIEWS)
        return (_link(self._store.layout.current), *map(last_change, looked_at))

    def _refresh(self) -> None:
        try:
            moment = self._store.moment()
        except Error as error:
            self.error = error
        else:
            self.error = None
            self._withdrawn = _reasons(moment)
            if self._serves_all:
                self._follow(moment)
        for wanted, model in list(self._models.items()):
            model.refresh()
            self._say(wanted, model)

    def _follow(self, moment: Moment) -> None:
        """Serve what is active now, and nothing else."""
        active = {Wanted(name, None) for name in moment[0].models if is_model(self._store, name, moment)}
        kept = {one: model for one, model in self._models.items() if one in active}
        self._models = {**kept, **{one: self._served(one) for one in sorted(active - set(kept))}}

    def _switched(self, _model: ServedModel, _switch: Switch) -> None:
        # Whether the old version may still be used matters no more, or matters now.
        self._again = True
        self._wake.set()

    def _say(self, wanted: Wanted, model: ServedModel) -> None:
        label = wanted.name if wanted.version is None else f"{wanted.name}:{wanted.version}"
        error = model.error or model.stuck
        if error is not None:
            said = f"{'refused' if isinstance(error, DECISIONS) else 'not loaded'}: {error} [{error.code}]"
        else:
            now = model.now()
            said = f"serving {now.version} {now.digest}"
        if self._said.get(wanted) != said:
            self._said[wanted] = said
            self._changed(label, said)


def _reasons(moment: Moment) -> dict[tuple[str, str], str]:
    by = f"was withdrawn by channel {moment[1].channel!r}"
    return {
        (one.model.name, str(one.model.version)): f"{one.model} {by} ({one.at}: {one.reason!r})"
        for one in moment[1].withdrawn
    }


def _link(path: os.PathLike[str]) -> str:
    try:
        return os.readlink(path)
    except OSError as error:
        return str(error.errno)
