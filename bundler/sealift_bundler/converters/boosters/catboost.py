"""CatBoost: its own JSON becomes trees; features are compared in float32, leaves summed in float64."""

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import catboost
import numpy as np
import pandas as pd

from sealift_bundler.converters.boosters.catboost_ctrs import CtrTables
from sealift_bundler.converters.boosters.columns import Categories, SplitColumns
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    complement,
    flat,
    is_missing,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import sigmoid
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble
from sealift_bundler.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IDENTITY = re.compile(
    r"RMSE|MAE|Quantile|MultiQuantile|MAPE|Huber|LogCosh|Lq|Expectile|LogLinQuantile|MultiRMSE|"
    r"YetiRank.*|PairLogit.*|Query.*|StochasticRank|LambdaMart|StochasticFilter"
)
# Of a sum of models, which knows no loss of its own; its answers are the raw ones.
_SUM = "sum_models"
_SEVERAL_LABELS = ("MultiLogloss", "MultiCrossEntropy")
_UNCERTAINTY = "RMSEWithUncertainty"
_MOST_VALUES = 100_000


@dataclass
class _Parsed:
    """A model's JSON, and for each categorical feature the hash of each known value."""

    document: dict[str, Any]
    hashes: dict[int, dict[str, int]]

    @property
    def loss(self) -> str:
        loss = self.document["model_info"].get("params", {}).get("loss_function", _SUM)
        return str(loss["type"] if isinstance(loss, dict) else loss).split(":", maxsplit=1)[0]

    @property
    def groups(self) -> int:
        return len(self.document["scale_and_bias"][1])

    def features(self, kind: str) -> list[dict[str, Any]]:
        return list(self.document["features_info"].get(kind) or [])


def _parse(context: Context, estimator: Any, features: Features) -> _Parsed:
    if context.narrow:
        raise context.climb("it sums in float64", estimator)
    # Of a model with one of these CatBoost writes no JSON.
    odd = {"text": estimator.get_text_feature_indices(), "embedding": estimator.get_embedding_feature_indices()}
    for kind, places in odd.items():
        if places:
            names = ", ".join(repr(estimator.feature_names_[place]) for place in places)
            raise context.refuse(
                f"it has {kind} features ({names}), which are not supported; give it numbers in their place, of text "
                "for example those of a TfidfVectorizer in front of it",
                estimator,
            )
    categorical = [int(index) for index in estimator.get_cat_feature_indices()]
    values = {index: _values(context, estimator, features, index) for index in categorical}
    pool = _pool(values, list(estimator.feature_names_)) if categorical else None
    with tempfile.TemporaryDirectory(prefix="sealift-catboost-") as folder:
        path = Path(folder) / "model.json"
        estimator.save_model(str(path), format="json", pool=pool)
        document = json.loads(path.read_text("utf-8"))
    info = document["features_info"]
    by_value = {entry["value"]: int(entry["hash"]) for entry in info.get("cat_features_hash") or []}
    hashes = {}
    for index, found in values.items():
        hashes[index] = {str(value): _signed(by_value[str(value)]) for value in found if str(value) in by_value}
    return _Parsed(document, hashes)


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


def _values(context: Context, estimator: Any, features: Features, index: int) -> list[Any]:
    """The values of a categorical feature among the samples: CatBoost keeps hashes, and no values."""
    feature = features[index]
    if feature.origin is None or context.samples is None:
        raise context.refuse("its categorical features must be columns of the caller's, not of another step", estimator)
    rows = context.samples.rows
    if context.samples.interface == "columns":
        column = rows[feature.origin].unique()
    else:
        column = np.unique(rows[:, [place.name for place in context.samples.columns].index(feature.origin)])
    found = [value for value in column if not is_missing(value)]
    if len(found) > _MOST_VALUES:
        raise context.refuse(f"its feature {feature.origin!r} has {len(found):,} categories", estimator)
    return found


def _pool(values: dict[int, list[Any]], names: list[str]) -> Any:
    """A pool that holds every value once or more, for CatBoost to write down their hashes."""
    rows = max([1, *map(len, values.values())])
    frame = pd.DataFrame({index: np.zeros(rows) for index in range(len(names))})
    for index, found in values.items():
        cells = [found[row % len(found)] if found else "" for row in range(rows)]
        frame[index] = pd.Series([str(cell) for cell in cells], dtype=object)
    frame.columns = pd.Index(names)
    return catboost.Pool(frame, cat_features=list(values))


def _raw(context: Context, estimator: Any, features: Features, parsed: _Parsed) -> str:
    """The raw value [rows, groups], float64."""
    graph = context.graph
    flat_of = {entry["feature_index"]: entry["flat_feature_index"] for entry in parsed.features("categorical_features")}
    known = {}
    for index, hashes in parsed.hashes.items():
        levels: tuple[Any, ...] = tuple(hashes)
        if not features[index].text:
            levels = tuple(float(level) for level in levels)
        known[index] = Categories(levels, len(levels))
    columns = SplitColumns(context, estimator, features, "float32", known)
    ctrs = CtrTables(context, estimator, parsed.document, flat_of, parsed.hashes, columns)
    _check_values(context, estimator, features, ctrs, parsed, flat_of)
    splits = _Splits(context, estimator, parsed, columns, ctrs, flat_of)
    ensemble = TreeEnsemble(parsed.groups)
    for tree in parsed.document.get("oblivious_trees") or []:
        ensemble.trees.extend(_oblivious(tree, splits, parsed.groups))
    for tree in parsed.document.get("trees") or []:
        ensemble.trees.extend(_nested(tree, splits, parsed.groups))
    if not ensemble.trees:
        raise context.refuse("it holds no tree; was it fitted?", estimator)
    if columns.empty:
        columns.number(parsed.features("float_features")[0]["flat_feature_index"])
    scale, bias = parsed.document["scale_and_bias"]
    total = ensemble.emit_float64(graph, graph.cast(columns.emit(ensemble.trees), "float64"))
    scaled = total if scale == 1 else graph.add("Mul", total, graph.constant(float(scale)))
    return graph.add("Add", scaled, graph.constant(np.array(bias, dtype=np.float64)))


def _check_values(
    context: Context, estimator: Any, features: Features, ctrs: CtrTables, parsed: _Parsed, flat_of: dict[int, int]
) -> None:
    """Refuse where training knew values that the samples do not show."""
    one_hot = {
        entry["flat_feature_index"]: {int(value) for value in entry.get("values") or []}
        for entry in parsed.features("categorical_features")
    }
    for place, index in flat_of.items():
        hashes = set(parsed.hashes[index].values())
        if one_hot.get(index, set()) <= hashes and ctrs.covers(place, hashes):
            continue
        raise context.refuse(
            f"it was trained on categories of {features[index].origin!r} that the samples do not hold, and CatBoost "
            "keeps only their hashes; give samples in which every category occurs",
            estimator,
        )


@dataclass
class _Splits:
    """Turns a split into a column, a threshold and where a missing value goes."""

    context: Context
    estimator: Any
    parsed: _Parsed
    columns: SplitColumns
    ctrs: CtrTables
    flat_of: dict[int, int]

    def of(self, split: dict[str, Any]) -> tuple[int, float, bool]:
        kind = split["split_type"]
        if kind == "FloatFeature":
            info = self.parsed.features("float_features")[split["float_feature_index"]]
            border = float(np.float32(split["border"]))
            return self.columns.number(info["flat_feature_index"]), border, info["nan_value_treatment"] != "AsTrue"
        if kind == "OneHotFeature":
            feature = self.flat_of[split["cat_feature_index"]]
            hashes = [*self.parsed.hashes[feature].values()]
            table = np.array([*(float(found == split["value"]) for found in hashes), 0.0, 0.0])
            return self.columns.member(feature, table), 0.5, True
        if kind == "OnlineCtr":
            return self.ctrs.column(split), float(np.float32(split["border"])), True
        raise self.context.refuse(f"it splits on a {kind}, which is not supported", self.estimator)


def _oblivious(tree: dict[str, Any], splits: _Splits, groups: int) -> list[Tree]:
    """A full binary tree of each level's one split; split 0 is the lowest bit of the leaf's number."""
    levels = [splits.of(split) for split in tree["splits"] or []]
    depth = len(levels)
    inner = 2**depth - 1
    nodes = 2 * inner + 1
    level = np.floor(np.log2(np.arange(nodes) + 1)).astype(int)
    is_leaf = level == depth
    at = [levels[depth - 1 - place] if place < depth else (0, 0.0, True) for place in level]
    left = np.where(is_leaf, -1, 2 * np.arange(nodes) + 1)
    right = np.where(is_leaf, -1, 2 * np.arange(nodes) + 2)
    values = np.array(tree["leaf_values"], dtype=np.float64).reshape(-1, groups)
    # The root tests the highest bit, and going right sets it: leaves come in the order of their numbers.
    return [
        Tree(
            np.array([column for column, _, _ in at], dtype=np.int64),
            np.array([threshold for _, threshold, _ in at]),
            left,
            right,
            np.array([missing for _, _, missing in at]),
            np.concatenate([np.zeros(inner), values[:, group]]),
            group,
        )
        for group in range(groups)
    ]


def _nested(tree: dict[str, Any], splits: _Splits, groups: int) -> list[Tree]:
    """A tree of any shape (grow_policy Depthwise or Lossguide)."""
    rows: list[list[Any]] = []
    leaves: list[NDArray[np.float64]] = []

    def walk(node: dict[str, Any]) -> int:
        index = len(rows)
        rows.append([0, 0.0, True, -1, -1])
        leaves.append(np.zeros(groups))
        if "split" not in node:
            leaves[index] = np.atleast_1d(np.array(node["value"], dtype=np.float64))
            return index
        rows[index][:3] = splits.of(node["split"])
        rows[index][3] = walk(node["left"])
        rows[index][4] = walk(node["right"])
        return index

    walk(tree)
    column, threshold, missing, left, right = (np.array(values) for values in zip(*rows, strict=True))
    return [
        Tree(column, threshold, left, right, missing, np.array([leaf[group] for leaf in leaves]), group)
        for group in range(groups)
    ]


@predicts(catboost.CatBoostClassifier)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    parsed = _parse(context, estimator, features)
    graph = context.graph
    raw = _raw(context, estimator, features, parsed)
    classes = np.asarray(estimator.classes_)
    if parsed.loss in ("Logloss", "CrossEntropy") or (parsed.loss == _SUM and parsed.groups == 1):
        positive = graph.cast(graph.add("Greater", raw, graph.constant(0.0)), "int64")
        probabilities = complement(graph, sigmoid(graph, raw))
        return {"label": class_labels(graph, flat(graph, positive), classes), "probabilities": probabilities}
    if parsed.loss in _SEVERAL_LABELS:
        each = graph.cast(graph.add("Greater", raw, graph.constant(0.0)), "int64")
        return {"label": each, "probabilities": sigmoid(graph, raw)}
    if parsed.loss not in ("MultiClass", "MultiClassOneVsAll"):
        raise context.refuse(f"the loss {parsed.loss!r} of CatBoost is not supported", estimator)
    softmax = parsed.loss == "MultiClass"
    probabilities = graph.add("Softmax", raw, axis=1) if softmax else sigmoid(graph, raw)
    return {"label": class_labels(graph, argmax(graph, raw), classes), "probabilities": probabilities}


@predicts(catboost.CatBoostRegressor, catboost.CatBoostRanker, catboost.CatBoost)
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    parsed = _parse(context, estimator, features)
    exponential = parsed.loss in ("Poisson", "Tweedie") and type(estimator) is not catboost.CatBoost
    if parsed.loss == _UNCERTAINTY and type(estimator) is not catboost.CatBoost:
        raw = _raw(context, estimator, features, parsed)
        mean, scale = (context.graph.add("Gather", raw, context.graph.constant([place]), axis=1) for place in (0, 1))
        # The second is the logarithm of the standard deviation; the answer is the variance.
        variance = context.graph.add("Exp", context.graph.add("Mul", scale, context.graph.constant(2.0)))
        return {"values": context.graph.add("Concat", mean, variance, axis=1)}
    if not exponential and parsed.loss != _SUM and not _IDENTITY.fullmatch(parsed.loss):
        raise context.refuse(f"the loss {parsed.loss!r} of CatBoost is not supported", estimator)
    raw = _raw(context, estimator, features, parsed)
    return {"values": context.graph.add("Exp", raw) if exponential else raw}


def open_estimator(path: Path) -> Any:
    """Open a .cbm file as the estimator that its loss asks for."""
    plain = catboost.CatBoost().load_model(str(path))
    loss = str(plain.get_all_params().get("loss_function", "")).split(":", maxsplit=1)[0]
    if not loss:
        raise SourceError(f"{str(path)!r} does not say which loss it was trained with; save it again by CatBoost 1.x")
    classifier = loss in ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")
    estimator = catboost.CatBoostClassifier() if classifier else catboost.CatBoostRegressor()
    return estimator.load_model(str(path))
