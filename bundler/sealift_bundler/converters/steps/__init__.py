"""Write one fitted scikit-learn step into a graph: what every step's emitter shares.

An emitter takes features and returns features, or for a final step its answers by role. Steps that
have no emitter here may have a converter that is registered with skl2onnx (`registered.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters import NeedsLaterRung, NeverConverts, UnknownStep
from sealift_bundler.converters.graph import Graph

if TYPE_CHECKING:
    from sealift_bundler.samples.interfaces import Samples


@dataclass(frozen=True)
class Feature:
    """One column of a tensor [rows, width].

    `origin` names the caller's column whose values these still are, up to imputation. `exact` says that
    the value in a float32 graph is the original's float64 value rounded once, so that a tree, which
    itself rounds to float32, sees the same number. `none` says that a missing text of this column is
    None and not NaN, which scikit-learn tells apart. `levels` are the
    categories of a column of pandas' category dtype. `dtype` is the NumPy dtype in which the original holds the
    value, and `single` says that it computed the value in float32.
    """

    tensor: str
    index: int
    width: int
    text: bool
    origin: str | None
    exact: bool
    none: bool = False
    levels: tuple[Any, ...] | None = None
    dtype: str = "float64"
    single: bool = False


Features = tuple[Feature, ...]
# role -> tensor: "label", "probabilities", "scores", "values"
Heads = dict[str, str]


@dataclass
class Context:
    """One conversion under way: the graph, and what is learned about the caller's columns."""

    graph: Graph
    # Whether this rung may ask skl2onnx for steps that have no emitter here.
    registered: bool = False
    categories: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    counters: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    path: tuple[str, ...] = ()
    # What the caller's rows hold, for the one booster that keeps hashes of its categories and no values.
    samples: "Samples | None" = None
    # The whole model, which may be asked what it gives to one of its steps.
    source: Any = None
    # How the original reads rows where containers and dtypes matter; `source.reads` of `model.json`.
    reads: dict[str, Any] = field(default_factory=dict)

    @property
    def narrow(self) -> bool:
        """Return whether arithmetic is float32."""
        return self.graph.dtype == "float32"

    def inside(self, step: str) -> "Context":
        """The same conversion, one step deeper; errors name the path of steps."""
        return replace(self, path=(*self.path, step))

    def refuse(self, reason: str, estimator: Any) -> NeverConverts:
        """Make the error for a step that no rung can convert."""
        return NeverConverts(f"step {self.where(estimator)}: {reason}")

    def climb(self, reason: str, estimator: Any) -> NeedsLaterRung:
        """Make the error for a step that can be converted, but only on a later rung."""
        return NeedsLaterRung(f"step {self.where(estimator)}: {reason}")

    def unknown(self, reason: str, estimator: Any) -> UnknownStep:
        """Make the error for a step that the last rung alone may convert, because it has no emitter here."""
        return UnknownStep(f"step {self.where(estimator)}: {reason}")

    def where(self, estimator: Any) -> str:
        """Name a step: its path in the pipeline and its class."""
        return f"{'.'.join(self.path) or 'model'!r} ({type(estimator).__name__})"


Emitter = Callable[[Context, Any, Features], Features]
Predictor = Callable[[Context, Any, Features], Heads]

TRANSFORMERS: dict[type, Emitter] = {}
PREDICTORS: dict[type, Predictor] = {}


def transforms(*classes: type) -> Callable[[Emitter], Emitter]:
    """Register the emitter of exactly these classes: a subclass may compute something else."""

    def register(emitter: Emitter) -> Emitter:
        TRANSFORMERS.update(dict.fromkeys(classes, emitter))
        return emitter

    return register


def predicts(*classes: type) -> Callable[[Predictor], Predictor]:
    """Register the emitter of final steps."""

    def register(predictor: Predictor) -> Predictor:
        PREDICTORS.update(dict.fromkeys(classes, predictor))
        return predictor

    return register


def is_missing(value: Any) -> bool:
    """Return whether a fitted value stands for a missing one: None, NaN, or pandas' NA."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"  # noqa: PLR0124


def features_of(tensor: str, width: int, *, exact: bool = False, text: bool = False) -> Features:
    """All columns of a new tensor."""
    return tuple(Feature(tensor, index, width, text, None, exact) for index in range(width))


def gather(context: Context, features: Features, estimator: Any) -> str:
    """Make one tensor [rows, len(features)] of the features, all text or all numbers."""
    if not features:
        raise context.refuse("it is given no columns", estimator)
    if any(feature.text != features[0].text for feature in features):
        raise context.refuse("it mixes text and numbers; give each its own branch", estimator)
    graph = context.graph
    parts: list[str] = []
    start = 0
    while start < len(features):
        end = start + 1
        while end < len(features) and features[end].tensor == features[start].tensor:
            end += 1
        run = features[start:end]
        indices = [feature.index for feature in run]
        whole = indices == list(range(run[0].width))
        parts.append(run[0].tensor if whole else graph.add("Gather", run[0].tensor, graph.constant(indices), axis=1))
        start = end
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


def numbers(context: Context, features: Features, estimator: Any) -> str:
    """Make one numeric tensor of the features.

    Raises:
        NeverConverts: a feature is text.
    """
    if features and any(feature.text for feature in features):
        names = [feature.origin for feature in features if feature.text]
        raise context.refuse(f"it takes numbers, and is given the text {names!r:.80}; encode it first", estimator)
    return gather(context, features, estimator)


def class_labels(graph: Graph, index: str, classes: NDArray[Any]) -> str:
    """Turn the index of a class, int64 [rows], into its label; ONNX labels are int64, double, bool or string."""
    array = np.asarray(classes)
    dtype = {"i": np.int64, "u": np.int64, "f": np.float64}.get(array.dtype.kind)
    return graph.add("Gather", graph.constant(array, dtype), index, axis=0)


def argmax(graph: Graph, scores: str) -> str:
    """The index of the first largest score in each row, int64 [rows]."""
    return graph.add("ArgMax", scores, axis=1, keepdims=0)


def flat(graph: Graph, tensor: str) -> str:
    """Make [rows, 1] into [rows]."""
    return graph.add("Reshape", tensor, graph.constant([-1]))


def complement(graph: Graph, positive: str) -> str:
    """Make [rows, 1] of a probability into [rows, 2] of both classes."""
    return graph.add("Concat", graph.add("Sub", graph.constant(1.0), positive), positive, axis=1)
