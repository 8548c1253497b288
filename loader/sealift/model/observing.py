"""Tell an application how long each prediction took."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealift.logs import logger

if TYPE_CHECKING:
    from sealift.model.engine import Engine


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


class Observation:
    """Tells `observer` of every prediction, in the thread that asked; logs once what it raises."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._logger = logger(__name__)

    def answer(
        self,
        engine: "Engine",
        call: Callable[[str | tuple[str, ...], Any], Any],
        method: str | tuple[str, ...],
        rows: Any,
    ) -> Any:
        """Return what `call` answers, and tell the observer how that went.

        Args:
            engine: whose name, version and digest the observer is told.
            call: answers as `Engine.answer`.
            method: as for `Engine.answer`.
            rows: what the method takes.

        Raises:
            sealift.Error: what `call` raises.
        """
        started = time.perf_counter()
        try:
            answer = call(method, rows)
        except Exception as error:
            self._tell(engine, method, None, time.perf_counter() - started, type(error).__name__)
            raise
        self._tell(engine, method, _rows(answer), time.perf_counter() - started, None)
        return answer

    def _tell(
        self, engine: "Engine", method: str | tuple[str, ...], rows: int | None, seconds: float, error: str | None
    ) -> None:
        called = method if isinstance(method, str) else "+".join(method)
        try:
            self._observer(
                Prediction(engine.name, engine.description.version, engine.digest, called, rows, seconds, error)
            )
        except Exception:
            # The application's own code may raise anything; a metric must not cost an answer.
            self._logger.exception("the observer of model %r failed; this is logged once", engine.name)
            self._logger = _SILENT


def _rows(answer: Any) -> int:
    while isinstance(answer, dict | list):
        answer = next(iter(answer.values() if isinstance(answer, dict) else answer), ())
    return answer.shape[0] if getattr(answer, "ndim", 0) else 1
