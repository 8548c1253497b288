"""Tell an application how long each prediction took: another class of model, so that the plain one pays nothing."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sealift.logs import logger
from sealift.model.batches import predict_batches
from sealift.model.model import Model


@dataclass(frozen=True, slots=True)
class Prediction:
    """One call of a model that has ended.

    Attributes:
        model: the model's name.
        version: its version, SemVer.
        digest: the digest of its manifest, `sha256:<hex>`.
        method: what was called, for example `predict`; several of `answers` are joined with `+`.
        rows: the number of rows answered; None where the call failed.
        seconds: wall-clock time of the call.
        error: the class of the error that the call raised, for example `InputError`; None where it answered.
    """

    model: str
    version: str
    digest: str
    method: str
    rows: int | None
    seconds: float
    error: str | None


_SILENT = logger("sealift.silent")
_SILENT.disabled = True

Observer = Callable[[Prediction], object]


class ObservedModel(Model):
    """A model that calls `observer` after every prediction; in everything else it is the model that it wraps.

    The observer runs in the thread that asked. What it raises is logged once, and does not reach the caller.
    """

    def __init__(self, model: Model, observer: Observer) -> None:
        # A model of its own: closing this one leaves the other as it is.
        self._model = model.share()
        self._observer = observer
        self._identity = (model.name, model.version, model.digest)
        self._logger = logger(__name__)

    def __getattr__(self, name: str) -> Any:
        # Python calls this for what `Model.__init__` would have set.
        if name.startswith("__") or name == "_model":
            raise AttributeError(name)
        return getattr(self._model, name)

    def share(self) -> Model:
        """Share as `Model.share`."""
        return ObservedModel(self._model, self._observer)

    def disable(self, message: str) -> None:
        """Refuse as `Model.disable`."""
        self._model.disable(message)

    def predict(self, rows: Any) -> Any:
        """Answer as `Model.predict`."""
        return self._observe("predict", self._model.predict, rows)

    def predict_proba(self, rows: Any) -> Any:
        """Answer as `Model.predict_proba`."""
        return self._observe("predict_proba", self._model.predict_proba, rows)

    def decision_function(self, rows: Any) -> Any:
        """Answer as `Model.decision_function`."""
        return self._observe("decision_function", self._model.decision_function, rows)

    def transform(self, rows: Any) -> Any:
        """Answer as `Model.transform`."""
        return self._observe("transform", self._model.transform, rows)

    def answers(self, methods: Iterable[str], rows: Any) -> dict[str, Any]:
        """Answer as `Model.answers`."""
        methods = list(methods)
        found: dict[str, Any] = self._observe("+".join(methods), self._model.answers, methods, rows)
        return found

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Answer as `Model.run`."""
        found: dict[str, Any] = self._observe("run", self._model.run, feeds)
        return found

    def predict_batches(self, batches: Iterable[Any], method: str = "predict") -> Iterator[Any]:
        """Answer as `Model.predict_batches`; each batch is one prediction."""
        return predict_batches(self._model, batches, method, getattr(self, method, None))

    def _observe(self, method: str, call: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            answer = call(*arguments)
        except Exception as error:
            self._tell(method, None, time.perf_counter() - started, type(error).__name__)
            raise
        self._tell(method, _rows(answer), time.perf_counter() - started, None)
        return answer

    def _tell(self, method: str, rows: int | None, seconds: float, error: str | None) -> None:
        try:
            self._observer(Prediction(*self._identity, method, rows, seconds, error))
        except Exception:
            # The application's own code may raise anything; a metric must not cost an answer.
            self._logger.exception("the observer of model %r failed; this is logged once", self.name)
            self._logger = _SILENT


def _rows(answer: Any) -> int:
    while isinstance(answer, dict | list):
        answer = next(iter(answer.values() if isinstance(answer, dict) else answer), ())
    return answer.shape[0] if getattr(answer, "ndim", 0) else 1
