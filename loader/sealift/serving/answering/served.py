"""One served model: it follows its store, and answers only as long as the channel and the policy let it.

A followed model answers with its old version while the new one loads, and when this machine cannot load that. Here
this holds only for an old version that may still be used: one that was withdrawn, or that the policy refuses, answers
no more, even where a newer one would be allowed and does not load.
"""

import threading
from collections.abc import Callable

from sealift.errors import Error
from sealift.following import DECISIONS, FollowedModel, Switch
from sealift.model.model import Model
from sealift.serving.refusals import RefusedError, not_loaded
from sealift.store import Store
from sealift.store.contents.generations import Generation
from sealift_common.metadata.release_document import Release
from sealift_common.oci import layout

Moment = tuple[Generation, Release]


class ServedModel:
    """A model of the store, under its name or under one version of it.

    Args:
        name: the model's name.
        version: one version; None means the active one.
        threads: of one run; None leaves it to ONNX Runtime.
        switched: told of every switch, and of every one that failed, in the thread that loads.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        version: str | None,
        threads: int | None,
        switched: Callable[["ServedModel", Switch], object],
    ) -> None:
        self.name = name
        self.version = version
        self._store = store
        self._threads = threads
        self._switched = switched
        self._lock = threading.Lock()
        self._model: FollowedModel | None = None
        self.error: Error | RefusedError | None = not_loaded(f"model {name!r} is not loaded yet")
        # Why the version that the store wants could not be loaded, where another one answers.
        self.stuck: Error | None = None
        self._told = 0

    def now(self) -> Model:
        """Return the model that answers now, which does not change.

        Raises:
            sealift.Error: it may not be used, or could not be loaded.
            RefusedError: it is being loaded.
        """
        error, model = self.error, self._model
        if error is not None or model is None:
            raise error or not_loaded(f"model {self.name!r} is not loaded")
        now = model.now
        # Sooner than the thread that looks at the store knows.
        if model.refusal is not None:
            raise model.refusal
        return now

    def look(self) -> None:
        """Let a followed model notice a new generation; costs a look at the clock."""
        model = self._model
        if model is not None:
            _ = model.now

    def refresh(self) -> None:
        """Load it, or find out whether it may still be used. For a thread: reads the store, and verifies it.

        What goes wrong is in `error`, or in `stuck` where the version that is loaded answers on.
        """
        with self._lock:
            try:
                self._refresh()
            except Error as error:
                if isinstance(error, DECISIONS) or self._model is None:
                    self._refuse(error)
                else:
                    # A store that cannot be read for a while is not a reason to stop answering.
                    self.stuck = error

    def _refuse(self, error: Error) -> None:
        self.error = error
        if isinstance(error, DECISIONS):
            # Its memory is free once the last answer is out. Not closed: an answer that has begun finishes.
            self._model = None

    def _refresh(self) -> None:
        # Before the store is read: what is told of a switch meanwhile is newer than what is read here.
        told = self._told
        moment = self._store.moment(self.name)
        wanted = self._store.find(self.name, self.version, moment=moment)
        self._store.require_approved(wanted, moment[1])
        if self._model is None:
            self._model = FollowedModel(self._store, self._load, self._tell)
            self.stuck = None
        now = self._model.now
        if now.digest == wanted.manifest.digest:
            self.error = None
            if told == self._told:
                self.stuck = None
            return
        # The other thread is loading, or could not.
        self.error = self._still_allowed(now, moment, f"{wanted.model} is being loaded, or could not be")

    def _still_allowed(self, now: Model, moment: Moment, why: str) -> RefusedError | None:
        try:
            answering = self._store.find(self.name, now.version, moment=moment)
            self._store.require_approved(answering, moment[1])
        except DECISIONS as error:
            return not_loaded(f"{error}; {why}")
        return None

    def _load(self) -> Model:
        return self._store.load(self.name, self.version, threads=self._threads)

    def _tell(self, switch: Switch) -> None:
        self._told += 1
        self.stuck = None if isinstance(switch.error, DECISIONS) else switch.error
        self._switched(self, switch)


def is_model(store: Store, name: str, moment: Moment) -> bool:
    """Return whether an active version is something that answers, and no files that are only carried."""
    try:
        return store.find(name, moment=moment).manifest.form == layout.ONNX
    except Error:
        # It is served all the same, so that its clients are told why it does not answer.
        return True
