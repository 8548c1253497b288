"""Write one fitted scikit-learn step into a graph: what every step's emitter shares.

An emitter takes features and returns features, or for a final step its answers by role. Steps that
have no emitter here may have a converter that is registered with skl2onnx (`registered.py`).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealift.model.documents.description import REFUSES
from sealift_bundler.converters import NeedsLaterRung, NeverConverts, UnknownStep
from sealift_bundler.converters.graph import Graph

if TYPE_CHECKING:
    from sealift_bundler.converters.steps.text.layout import SparseLayout
    from sealift_bundler.samples.interfaces import Samples


@dataclass(frozen=True)
class Fill:
    """Numbers that a step filled in: which ones, as a bool tensor [rows, 1], and what they are in the original.

    `value` is None where the graph rounds what is filled in; that has no way back, and is compared as it is.
    """

    mask: str
    value: float | None


@dataclass(frozen=True)
class Pull:
    """A rough number as an increasing function of one that is not: the way back from its boundaries.

    `tensor` and `index` are the column of the other number; `functions` are the original's own, one after another.
    `fills` are exceptions, of which a later one overrides an earlier one.
    """

    tensor: str
    index: int
    functions: tuple[Callable[[NDArray[Any]], NDArray[Any]], ...]
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True)
class Rough:
    """A number that may differ from the original's in its last bit.

    `step` is the step that makes it, "" until that is known. `signed` says that its sign is the original's, and that
    it is zero where that is. `unordered` says that a graph may order such numbers otherwise among ordinary rows: they
    were multiplied, and products that are equal but for rounding are common, or a step took their way back, and
    numbers around a scaler's zero are as common. `coarse` says that the number is what a scaler left of a small
    difference, so that its last bits are no longer small.
    """

    step: str = ""
    pull: Pull | None = None
    signed: bool = False
    unordered: bool = False
    coarse: bool = False


@dataclass(frozen=True)
class Feature:
    """One column of a tensor [rows, width].

    `origin` names the caller's column whose values these still are, up to imputation. `exact` says that
    the value in a float32 graph is the original's float64 value rounded once, so that a tree, which
    itself rounds to float32, sees the same number. `missing_is` says what a missing text of this column is, "None",
    "NaN" or "pandas.NA", which scikit-learn tells apart. `levels` are the
    categories of a column of pandas' category dtype. `dtype` is the NumPy dtype in which the original holds the
    value, and `single` says that it computed the value in float32.

    `integral` says that the value is a whole number of an integer dtype in the original, or a code: float32 has room
    for it, and keeps what it is compared with below 2^24. `rough` is None where a float64 graph has the original's
    number bit for bit, unless that is `single`. `divided` says that scikit-learn divided it, and would multiply it in
    sparse rows, with another last bit. `doubt` names the step that may have made NaN or infinity out of a
    finite number; `column` is the caller's column that a message then names.
    """

    tensor: str
    index: int
    width: int
    text: bool
    origin: str | None
    exact: bool
    missing_is: str = "NaN"
    levels: tuple[Any, ...] | None = None
    dtype: str = "float64"
    single: bool = False
    integral: bool = False
    rough: Rough | None = None
    divided: bool = False
    doubt: str | None = None
    column: str | None = None


# Of columns of text that are mostly zero one object, `text.columns.SparseColumns`; of all others a tuple.
Features = Sequence[Feature]
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
    # Columns of texts in which a step tells None, NaN and pandas' NA apart.
    told_apart: set[str] = field(default_factory=set)
    # Columns of numbers that a step reads which may compute in the width of its rows.
    by_width: set[str] = field(default_factory=set)
    # How the original reads rows where containers and dtypes matter; `source.reads` of `model.json`.
    reads: dict[str, Any] = field(default_factory=dict)
    # Where text goes to the graph without zeros; None where it goes as dense counts.
    text: "SparseLayout | None" = None

    @property
    def narrow(self) -> bool:
        """Return whether arithmetic is float32."""
        return self.graph.dtype == "float32"

    @property
    def sparse(self) -> bool:
        """Return whether the samples are sparse, of which some steps compute in another order."""
        return self.samples is not None and self.samples.sparse

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

    def trapped(
        self, tensor: str, bad: str, columns: Sequence[str | None], reason: str, dtype: str | None = None
    ) -> str:
        """Let the graph refuse rows, as the original does: an index beyond a table is an error of ONNX Runtime.

        The name of the operator that fails carries the reason, and its index the column, for the loader's message.

        Args:
            tensor: The numbers [rows, columns]; what they are stays.
            bad: Which of them are refused, bool [rows, columns].
            columns: The caller's name of each column; None where it has none.
            reason: The step, and what it does not take.
            dtype: Of `tensor`; None means the graph's own.
        """
        graph = self.graph
        places = graph.constant(np.arange(1, len(columns) + 1)[np.newaxis])
        worst = graph.add("ReduceMax", graph.add("Mul", graph.cast(bad, "int64"), places), keepdims=0)
        known = json.dumps(list(columns)) if any(columns) else ""
        names = f" {known}" if 0 < len(known) <= _COLUMN_NAMES_CHARS else ""
        node = graph.name(f"{REFUSES}{reason}{names}")
        one = graph.add("Gather", graph.constant(np.ones(1), dtype), worst, name=node)
        return graph.add("Mul", tensor, one)

    def close(self, origin: str, categories: Sequence[Any]) -> None:
        """Let the loader refuse what is not one of these categories in the caller's column, as the original does."""
        known = tuple(category for category in categories if not is_missing(category))
        earlier = self.categories.get(origin)
        self.categories[origin] = known if earlier is None else tuple(value for value in earlier if value in known)

    def tell_apart(self, features: "Features") -> None:
        """Note that a step tells the kinds of missing texts of these columns apart."""
        self.told_apart.update(feature.column for feature in features if feature.text and feature.column)

    def where(self, estimator: Any) -> str:
        """Name a step: its path in the pipeline and its class."""
        return f"{'.'.join(self.path) or 'model'!r} ({type(estimator).__name__})"


# Of column names in the name of an operator.
_COLUMN_NAMES_CHARS = 2000

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
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"  # noqa: PLR0124 - NaN


def features_of(
    tensor: str, width: int, *, exact: bool = False, integral: bool = False, same: bool = False, signed: bool = False
) -> Features:
    """All columns of a new tensor of numbers.

    `exact`, `integral` and `signed` are as for a Feature; `same` says that a float64 graph has the original's numbers
    bit for bit.
    """
    rough = None if exact or same else Rough(signed=signed)
    return tuple(
        Feature(tensor, index, width, text=False, origin=None, exact=exact, integral=integral, rough=rough)
        for index in range(width)
    )


def one_to_one(features: Features, tensor: str, **changes: Any) -> Features:
    """The columns of a new tensor, each of them made of one feature: what is known of that one stays, but `changes`."""
    width = len(features)
    fresh: dict[str, Any] = {"exact": False, "integral": False, "dtype": "float64", "single": False}
    changes = fresh | {"origin": None, "levels": None} | changes
    return tuple(
        replace(feature, tensor=tensor, index=index, width=width, **changes) for index, feature in enumerate(features)
    )


def gather(context: Context, features: Features, estimator: Any) -> str:
    """Make one tensor [rows, len(features)] of the features, all text or all numbers."""
    if not features:
        raise context.refuse("it is given no columns", estimator)
    dropped = next((feature for feature in features if not feature.tensor), None)
    if dropped is not None:
        raise context.refuse(f"it reads the column {dropped.origin!r}, which the model does not", estimator)
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


def columns_of(features: Features) -> list[str | None]:
    """The caller's name of each feature's column, for messages."""
    return [feature.column for feature in features]


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
