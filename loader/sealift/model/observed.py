"""A model whose predictions an observer is told of."""

from typing import Any

from sealift.errors import Error
from sealift.model.engine import Engine
from sealift.model.model import Model
from sealift.model.observing import Observation


class ObservedModel(Model):
    """A model that tells an observer of every prediction; in everything else it is the model that it wraps."""

    def __init__(self, model: Model, observation: Observation) -> None:
        self._model = model
        self._observation = observation

    @property
    def _engine(self) -> Engine:
        return self._model._engine

    def _answer(self, method: str | tuple[str, ...], rows: Any) -> Any:
        model = self._model.now
        return self._observation.answer(model._engine, model._answer, method, rows)

    def graph(self, name: str) -> Model:
        """Return a graph as `Model.graph`; the same observer is told of what it answers."""
        return ObservedModel(self._model.graph(name), self._observation)

    @property
    def now(self) -> Model:
        """The wrapped model as it is now, observed."""
        model = self._model.now
        return self if model is self._model else ObservedModel(model, self._observation)

    def share(self) -> Model:
        """Share as `Model.share`; the same observer is told."""
        return ObservedModel(self._model.share(), self._observation)

    def disable(self, refusal: Error | str) -> None:
        """Refuse as `Model.disable`."""
        self._model.disable(refusal)
