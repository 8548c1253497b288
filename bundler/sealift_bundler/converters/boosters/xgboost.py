"""XGBoost: its own JSON becomes trees or a linear model; all arithmetic is float32, as in XGBoost."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from sealift_bundler.converters.boosters.columns import Categories, SplitColumns
from sealift_bundler.converters.boosters.native import NativeBooster
from sealift_bundler.converters.boosters.xgboost_levels import stored_levels
from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    columns_of,
    flat,
    numbers,
    predicts,
)
from sealift_bundler.converters.steps.given import given_to
from sealift_bundler.converters.steps.text.columns import SparseColumns, columns_at, plain
from sealift_bundler.converters.steps.text.product import product
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble, leaf
from sealift_bundler.converters.steps.trees.placing import marked, to_float32
from sealift_bundler.converters.steps.widths import note_foreign, note_order
from sealift_bundler.samples.containers import is_sparse
from sealift_bundler.samples.trained_columns import takes_absent_for_missing

_IDENTITY = (
    "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror",
    "binary:logitraw", "rank:ndcg", "rank:map", "rank:pairwise",
)  # fmt: skip
_EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_SIGMOID = ("binary:logistic", "reg:logistic")
_HINGE = "binary:hinge"
_SOFTMAX = ("multi:softprob", "multi:softmax")
# XGBoost cuts the power of its sigmoid here, where it would overflow.
_LARGEST_POWER = 88.7


@dataclass
class _Parsed:
    """A booster's JSON, and the iterations that its predictions use."""

    learner: dict[str, Any]
    iterations: int | None

    @property
    def objective(self) -> str:
        return str(self.learner["objective"]["name"])

    @property
    def booster(self) -> dict[str, Any]:
        found: dict[str, Any] = self.learner["gradient_booster"]
        return found

    @property
    def groups(self) -> int:
        parameters = self.learner["learner_model_param"]
        return max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)

    @property
    def base_margin(self) -> NDArray[np.float32]:
        """The margin that the sum of the trees starts from, one value for each group, as XGBoost's float32 gives it."""
        text = str(self.learner["learner_model_param"]["base_score"]).strip("[]")
        score = np.array([float(part) for part in text.split(",")], dtype=np.float32)
        if self.objective in _SIGMOID:
            odds = np.float32(1.0) / score - np.float32(1.0)
            score = (-np.log(odds.astype(np.float64))).astype(np.float32)
        elif self.objective in _EXPONENTIAL:
            score = np.log(score.astype(np.float64)).astype(np.float32)
        return np.broadcast_to(score, (self.groups,)).astype(np.float32)


def _parse(context: Context, estimator: Any, booster: "xgboost.Booster", iterations: int | None) -> _Parsed:
    parsed = _Parsed(json.loads(booster.save_raw("json"))["learner"], iterations)
    if parsed.objective not in (*_IDENTITY, *_EXPONENTIAL, *_SIGMOID, *_SOFTMAX, _HINGE):
        raise context.refuse(f"the objective {parsed.objective!r} of XGBoost is not supported", estimator)
    return parsed


def _margin(context: Context, estimator: Any, features: Features, parsed: _Parsed) -> str:
    """The margin [rows, groups], float32."""
    width = int(parsed.learner["learner_model_param"]["num_feature"])
    if width != len(features):
        raise context.refuse(f"it takes {width} features, and is given {len(features)}", estimator)
    rounded = isinstance(features, SparseColumns) or not all(feature.exact or feature.text for feature in features)
    if context.narrow and rounded:
        raise context.climb("float32 rounding in front of a tree can cross a threshold", estimator)
    note_foreign(context, plain(features), "order")
    note_order(context, given_to(context, estimator), "tables")
    if parsed.booster["name"] == "gblinear":
        return _linear(context, estimator, features, parsed)
    absent = _zero_is_absent(context, estimator)
    if absent and context.narrow and not all(feature.integral for feature in plain(features)):
        raise context.climb("it takes zeros for missing, and float32 makes some of small numbers", estimator)
    dropped = parsed.booster["name"] == "dart"
    model = parsed.booster["gbtree" if dropped else "model"]
    model = model["model"] if dropped else model
    weights = parsed.booster["weight_drop"] if dropped else None
    columns = SplitColumns(
        context,
        estimator,
        features,
        "float32",
        _categories(context, estimator, model, parsed, features),
        zero_is_absent=absent,
    )
    missing = getattr(estimator, "missing", np.nan)
    # XGBoost starts from the base score and adds tree after tree, all in float32.
    ensemble = TreeEnsemble(parsed.groups, [leaf(float(base), group) for group, base in enumerate(parsed.base_margin)])
    for index in _used(parsed, model):
        weight = np.float32(1.0) if weights is None else np.float32(weights[index])
        tree = _tree(columns, model["trees"][index], missing)
        value = (tree.value.astype(np.float32) * weight).astype(np.float64)
        if value.ndim == 1:
            ensemble.trees.append(replace(tree, value=value, target=int(model["tree_info"][index])))
        else:
            # Sums of one target are in the order of the trees, so each target has trees of its own.
            ensemble.trees.extend(
                replace(tree, value=value[:, target], target=target) for target in range(parsed.groups)
            )
    if columns.empty:
        columns.number(0)  # every tree is one leaf; the operator wants a column all the same
    return ensemble.emit_in_order(context.graph, columns.emit(ensemble.trees))


def _zero_is_absent(context: Context, estimator: Any) -> bool:
    """Return whether zeros of the graph are entries that a sparse matrix lacks, which XGBoost takes for missing.

    Raises:
        NeverConverts: whether they are depends on the container that the caller gives.
    """
    samples = context.samples
    if samples is not None and takes_absent_for_missing(context.source):
        context.reads["absent"] = "missing"
        if samples.sparse and samples.absent_is_missing:
            context.reads["proven"] = "sparse"
        return False
    context.reads["absent"] = "refused"
    given = given_to(context, estimator)
    if samples is not None and samples.sparse:
        raise context.refuse(
            "XGBoost takes the absent entries of a sparse matrix for missing values, and the steps before it may pass "
            "one on or not; give the samples as a dense array, with .toarray()",
            estimator,
        )
    return is_sparse(given)


def _used(parsed: _Parsed, model: dict[str, Any]) -> Sequence[int]:
    count = len(model["trees"])
    if parsed.iterations is None:
        return range(count)
    bounds = model.get("iteration_indptr")
    if bounds is None:
        parallel = max(int(model["gbtree_model_param"].get("num_parallel_tree", 1)), 1)
        return range(min(count, parsed.iterations * parallel * parsed.groups))
    return range(int(bounds[min(parsed.iterations, len(bounds) - 1)]))


def _categories(
    context: Context, estimator: Any, model: dict[str, Any], parsed: _Parsed, features: Features
) -> dict[int, Categories]:
    types = parsed.learner.get("feature_types") or []
    categorical = [index for index, kind in enumerate(types) if kind == "c"]
    stored = (model.get("cats") or parsed.booster.get("cats") or {}).get("enc") or []
    found = {}
    for index in categorical:
        (column,) = columns_at(features, [index])
        levels = stored_levels(context, estimator, stored[index], column) if index < len(stored) else None
        highest = 0
        for tree in model["trees"]:
            if index in tree["split_indices"]:
                highest = max([highest, *tree["categories"]])
        if levels is None and getattr(estimator, "feature_names_in_", None) is not None:
            raise context.refuse(
                "it does not hold its categories (saved by an XGBoost before 3.1); train and save it again", estimator
            )
        if levels is not None and column.origin is not None:
            context.close(column.origin, levels)  # it raises on others
        found[index] = Categories(levels, len(levels) if levels is not None else highest + 1)
    return found


def _tree(columns: SplitColumns, tree: dict[str, Any], missing: float) -> Tree:
    left = np.array(tree["left_children"], dtype=np.int64)
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    sets = _sets(tree)
    # x < t is x <= the float32 just below t.
    threshold = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
    column = np.zeros(len(left), dtype=np.int64)
    for node in np.flatnonzero(left >= 0).tolist():
        feature = int(tree["split_indices"][node])
        if node in sets:
            known = columns.categories[feature]
            table = np.zeros(known.codes + 2)
            table[[code for code in sets[node] if code < known.codes]] = 1.0
            table[known.missing] = np.nan
            column[node], threshold[node] = columns.member(feature, table), 0.5
        elif missing is None or np.isnan(missing):
            column[node] = columns.number(feature)
        else:
            column[node] = columns.number(feature, "missing", lambda some, x: columns.without(some, x, _only(missing)))
    right = np.array(tree["right_children"], dtype=np.int64)
    width = int(tree["tree_param"].get("size_leaf_vector") or 1)
    value = conditions.astype(np.float64) if width == 1 else _vectors(tree, left, right, width)
    return Tree(column, threshold, left, right, np.array(tree["default_left"], dtype=bool), value)


def _vectors(tree: dict[str, Any], left: NDArray[Any], right: NDArray[Any], width: int) -> NDArray[np.float64]:
    """What the leaves of a tree for several targets give, [nodes, targets]; a leaf's right child is its place."""
    value = np.zeros((len(left), width))
    value[left < 0] = np.array(tree["leaf_weights"], dtype=np.float64).reshape(-1, width)[right[left < 0]]
    return value


def _sets(tree: dict[str, Any]) -> dict[int, list[int]]:
    """The categories that go right, for each node that splits on categories."""
    bounds = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    return {node: tree["categories"][start : start + size] for node, start, size in bounds}


def _only(missing: float) -> tuple[float, float]:
    """The least and the largest float32 that XGBoost takes for this missing value."""
    value = float(np.float32(missing))
    return value, value


def _linear(context: Context, estimator: Any, features: Features, parsed: _Parsed) -> str:
    """The margin of a linear model, to which what is missing adds nothing, as a zero does."""
    graph = context.graph
    weights = np.array(parsed.booster["model"]["weights"], dtype=np.float32).reshape(-1, parsed.groups)
    missing = getattr(estimator, "missing", np.nan)
    other = missing is not None and not np.isnan(missing)
    if isinstance(features, SparseColumns) and not features.plain and not other:
        total = graph.cast(product(context, estimator, features, weights[:-1]), "float32")
    else:
        tensor = graph.cast(numbers(context, features, estimator), "float32")
        if other:
            absent = marked(context, estimator, tuple(features), tensor, _only(missing), "float32", to_float32)
        else:
            absent = graph.add("IsNaN", tensor)
        if not all(feature.integral for feature in features):
            # For a linear model it copies the rows into a matrix of its own, which takes no infinity; for trees not.
            reason = f"step {context.where(estimator)} takes no number beyond the range of float32"
            tensor = context.trapped(tensor, graph.add("IsInf", tensor), columns_of(features), reason, "float32")
        present = graph.add("Where", absent, graph.constant(np.array(0.0), np.float32), tensor)
        total = graph.add("MatMul", present, graph.constant(weights[:-1], np.float32))
    # XGBoost 3 starts every group of a linear model from the first group's base score.
    return graph.add("Add", total, graph.constant(weights[-1] + parsed.base_margin[0], np.float32))


def _answer(context: Context, margin: str, parsed: _Parsed) -> str:
    """What `predict` gives of the margin, float32, operation for operation as XGBoost's C++ does it.

    ONNX's own Sigmoid and Softmax differ from that by some float32 numbers, which a threshold or tree behind may see.
    """
    graph = context.graph
    if parsed.objective in _SIGMOID:
        power = graph.add("Min", graph.add("Neg", margin), _float32(graph, _LARGEST_POWER))
        one = _float32(graph, 1.0)
        return graph.add("Div", one, graph.add("Add", _exp(graph, power), one))
    if parsed.objective in _EXPONENTIAL:
        return _exp(graph, margin)
    if parsed.objective in _SOFTMAX:
        largest = graph.add("ReduceMax", margin, graph.constant([1]), keepdims=1)
        each = _exp(graph, graph.add("Sub", margin, largest))
        total = graph.add("ReduceSum", graph.cast(each, "float64"), graph.constant([1]), keepdims=1)
        return graph.add("Div", each, graph.cast(total, "float32"))
    if parsed.objective == _HINGE:
        return graph.cast(graph.add("Greater", margin, _float32(graph, 0.0)), "float32")
    return margin


def _exp(graph: Graph, tensor: str) -> str:
    """The exponential of float32 numbers rounded once, as that of a C library is but for one number in thousands."""
    return graph.cast(graph.add("Exp", graph.cast(tensor, "float64")), "float32")


def _float32(graph: Graph, value: float) -> str:
    return graph.constant(np.array(value), np.float32)


def _iterations(estimator: Any) -> int | None:
    """Iterations that `predict` uses: all, or those up to the best one of early stopping."""
    try:
        return int(estimator.best_iteration) + 1
    except AttributeError:
        return None


@predicts(xgboost.XGBClassifier, xgboost.XGBRFClassifier)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    parsed = _parse(context, estimator, estimator.get_booster(), _iterations(estimator))
    if parsed.objective not in (*_SIGMOID, *_SOFTMAX, _HINGE):
        raise context.refuse(f"the objective {parsed.objective!r} gives no probabilities", estimator)
    graph = context.graph
    answer = _answer(context, _margin(context, estimator, features, parsed), parsed)
    if parsed.objective in _SOFTMAX:
        label = argmax(graph, answer)
    elif parsed.groups > 1:
        # Several labels a row, each yes or no.
        label = graph.cast(graph.add("Greater", answer, _float32(graph, 0.5)), graph.dtype)
        return {"label": label, "probabilities": graph.widened(answer)}
    else:
        label = flat(graph, graph.cast(graph.add("Greater", answer, _float32(graph, 0.5)), "int64"))
        answer = graph.add("Concat", graph.add("Sub", _float32(graph, 1.0), answer), answer, axis=1)
    label = class_labels(graph, label, np.asarray(estimator.classes_))
    return {"label": label, "probabilities": graph.widened(answer)}


@predicts(xgboost.XGBRegressor, xgboost.XGBRFRegressor, xgboost.XGBRanker)
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    parsed = _parse(context, estimator, estimator.get_booster(), _iterations(estimator))
    return {"values": context.graph.widened(_answer(context, _margin(context, estimator, features, parsed), parsed))}


@dataclass(repr=False)
class XgboostBooster(NativeBooster):
    """An `xgboost.Booster` of its own file; `predict` gives what `Booster.predict` gives."""

    booster: Any

    framework = "xgboost"

    @property
    def names(self) -> list[str] | None:
        """The feature names that it was trained with."""
        names = self.booster.feature_names
        return None if names is None else [str(name) for name in names]

    @property
    def n_features_in_(self) -> int:
        """Number of columns it takes."""
        return int(self.booster.num_features())

    def predict(self, rows: Any) -> NDArray[Any]:
        """Answer rows: a DataFrame or a 2-D array."""
        types = self.booster.feature_types
        names = self.booster.feature_names
        if hasattr(rows, "columns"):
            data = xgboost.DMatrix(rows, enable_categorical=True)
        else:
            data = xgboost.DMatrix(rows, feature_names=names, feature_types=types, enable_categorical=True)
        return np.asarray(self.booster.predict(data))


@predicts(XgboostBooster)
def _booster(context: Context, estimator: XgboostBooster, features: Features) -> Heads:
    parsed = _parse(context, estimator, estimator.booster, None)
    answer = _answer(context, _margin(context, estimator, features, parsed), parsed)
    if parsed.objective == "multi:softmax":
        answer = context.graph.cast(argmax(context.graph, answer), "float32")
    return {"values": context.graph.widened(answer)}


def open_estimator(path: Path) -> Any:
    """Open a model file as the estimator that saved it, or as a plain booster."""
    booster = xgboost.Booster(model_file=str(path))
    saved = re.search(r"_estimator_type\W+(\w+)", booster.attr("scikit_learn") or "")
    kind = {"classifier": xgboost.XGBClassifier, "regressor": xgboost.XGBRegressor}.get(saved[1] if saved else "")
    if kind is None:
        return XgboostBooster(booster)
    estimator = kind()
    estimator.load_model(str(path))
    return estimator


def of_booster(booster: Any) -> Any:
    """See a `Booster` as the estimator that its own file opens as."""
    return XgboostBooster(booster)
