"""LightGBM: its own model text becomes trees; comparisons and sums are float64, as in LightGBM."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.boosters.columns import Categories, SplitColumns
from sealift_bundler.converters.boosters.lightgbm_linear import emit_linear
from sealift_bundler.converters.boosters.native import NativeBooster
from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    columns_of,
    flat,
    gather,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import sigmoid
from sealift_bundler.converters.steps.given import given_to, rounds_integers
from sealift_bundler.converters.steps.text.columns import SparseColumns, numbered, plain
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble, leaf
from sealift_bundler.converters.steps.widths import note_foreign, note_order

_IDENTITY = (
    "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg",
)  # fmt: skip
_EXPONENTIAL = ("poisson", "gamma", "tweedie")
_SIGMOID = ("binary", "cross_entropy", "multiclassova")
# Of a function of the author's own; answers are the raw scores.
_CUSTOM = "custom"
# Values this close to zero are zero, where zeros are missing.
_ZERO = float(np.float32(1e-35))
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_NONE, _MISSING_ZERO, _MISSING_NAN = range(3)


@dataclass
class _Parsed:
    """A model text: its header, its trees, and the categories of the DataFrame it was trained on."""

    header: dict[str, str]
    trees: list[dict[str, str]] = field(default_factory=list)
    pandas_categories: list[list[Any]] | None = None

    @property
    def objective(self) -> str:
        return self.header.get("objective", _CUSTOM).split()[0]

    @property
    def options(self) -> dict[str, str]:
        words = self.header.get("objective", "").split()[1:]
        return {key: value for key, _, value in (word.partition(":") for word in words)}

    @property
    def groups(self) -> int:
        return int(self.header["num_tree_per_iteration"])


def _parse(context: Context, estimator: Any, booster: Any) -> _Parsed:
    text = booster.model_to_string()
    blocks = re.split(r"\n\n+", text.split("end of trees")[0])
    parsed = _Parsed(_fields(blocks[0]))
    parsed.trees = [_fields(block) for block in blocks[1:] if block.startswith("Tree=")]
    categories = re.search(r"^pandas_categorical:(.*)$", text, re.MULTILINE)
    parsed.pandas_categories = json.loads(categories[1]) if categories else None
    known = (*_IDENTITY, *_EXPONENTIAL, *_SIGMOID, "multiclass", "cross_entropy_lambda", _CUSTOM)
    if parsed.objective not in known:
        raise context.refuse(f"the objective {parsed.objective!r} of LightGBM is not supported", estimator)
    return parsed


def _fields(block: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in block.splitlines()) if key}


def _raw(context: Context, estimator: Any, features: Features, parsed: _Parsed) -> str:
    """The raw score [rows, groups], float64."""
    width = int(parsed.header["max_feature_idx"]) + 1
    if width != len(features):
        raise context.refuse(f"it takes {width} features, and is given {len(features)}", estimator)
    if context.narrow:
        raise context.climb("it compares in float64", estimator)
    rounded = _rounded(context, estimator, features)
    columns = SplitColumns(
        context, estimator, features, "float64", _categories(context, estimator, parsed, features), rounded
    )
    ensemble = TreeEnsemble(parsed.groups)
    for index, tree in enumerate(parsed.trees):
        ensemble.trees.append(_tree(columns, tree, index % parsed.groups))
    if not ensemble.trees:
        raise context.refuse("it holds no tree; was it fitted?", estimator)
    if columns.empty:
        columns.number(0)  # every tree is one leaf; the operator wants a column all the same
    tested = columns.emit(ensemble.trees)
    if not any(int(tree.get("is_linear", 0)) for tree in parsed.trees):
        return _without_least(context, estimator, features, parsed, ensemble.emit_float64(context.graph, tested))
    if parsed.pandas_categories:
        raise context.refuse("its leaves hold linear models beside categories, which is not supported", estimator)
    whole = tuple(range(len(features)))
    plain = SplitColumns(context, estimator, features, "float64", rounded=rounded)
    for feature in whole:
        plain.number(feature)
    return emit_linear(context.graph, tested, plain.emit(()), ensemble.trees, parsed.trees, parsed.groups)


def _without_least(context: Context, estimator: Any, features: Features, parsed: _Parsed, raw: str) -> str:
    """Let the graph refuse the one number that LightGBM takes for zero in some containers, where a tree asks for it."""
    split = {
        feature
        for tree in parsed.trees
        if "threshold" in tree
        for feature, threshold in zip(_ints(tree, "split_feature").tolist(), _floats(tree, "threshold"), strict=True)
        if threshold == -_ZERO
    }
    if isinstance(features, SparseColumns):
        return raw
    some = tuple(features[place] for place in sorted(split) if not features[place].text and not features[place].rough)
    if not some:
        return raw
    graph = context.graph
    found = graph.add("Equal", gather(context, some, estimator), graph.constant(-_ZERO))
    reason = f"step {context.where(estimator)} takes {-_ZERO!r} for zero in some containers and not in others"
    return context.trapped(raw, found, columns_of(some), reason, "float64")


def _rounded(context: Context, estimator: Any, features: Features) -> bool:
    """Return whether LightGBM is given integers of an array, which it rounds to float32; note what may change that."""
    given = given_to(context, estimator)
    rounded = rounds_integers(given)
    note_order(context, given, "places")
    note_foreign(context, plain(features), "refused")
    direct = not context.path
    samples = context.samples
    if direct and samples is not None and samples.interface == "matrix":
        context.reads.update(integers="arrays", rounded=rounded)
    elif not direct and any(feature.exact and not feature.text for feature in plain(features)):
        context.reads.update(integers="all", rounded=rounded)
    return rounded


def _categories(context: Context, estimator: Any, parsed: _Parsed, features: Features) -> dict[int, Categories]:
    """The categorical features; their codes are the order of the DataFrame's categories, or numbers."""
    highest: dict[int, int] = {}
    for tree in parsed.trees:
        for feature, codes in _category_splits(tree):
            highest[feature] = max([highest.get(feature, 0), *codes])
    infos = parsed.header["feature_infos"].split(" ")
    listed = [index for index, info in enumerate(infos) if ":" in info and not info.startswith("[")]
    declared = parsed.pandas_categories
    if declared:
        # LightGBM writes down the categories by DataFrame column; those without a split show as "none".
        levels = [index for index, feature in numbered(features) if feature.levels is not None]
        candidates = sorted({*levels, *listed})
        if len(candidates) != len(declared):
            raise context.refuse(
                f"it was trained on {len(declared)} category columns, and is given {len(candidates)}; "
                "give the samples with the same columns as dtype category",
                estimator,
            )
        return {
            index: Categories(tuple(levels), len(levels)) for index, levels in zip(candidates, declared, strict=True)
        }
    return {feature: Categories(None, code + 1, cuts_fractions=True) for feature, code in highest.items()}


def _category_splits(tree: dict[str, str]) -> list[tuple[int, list[int]]]:
    if int(tree.get("num_cat", 0)) == 0:
        return []
    features = _ints(tree, "split_feature")
    kinds = _ints(tree, "decision_type")
    return [(int(features[node]), _codes(tree, node)) for node in np.flatnonzero(kinds & _CATEGORICAL).tolist()]


def _codes(tree: dict[str, str], node: int) -> list[int]:
    """The categories that go left at a node: the bits that are set."""
    bounds, words = _ints(tree, "cat_boundaries"), _ints(tree, "cat_threshold")
    place = int(float(tree["threshold"].split(" ")[node]))
    mine = words[bounds[place] : bounds[place + 1]].tolist()
    return [32 * index + bit for index, word in enumerate(mine) for bit in range(32) if word >> bit & 1]


def _ints(tree: dict[str, str], key: str) -> NDArray[np.int64]:
    return np.array(tree[key].split(), dtype=np.int64)


def _floats(tree: dict[str, str], key: str) -> NDArray[np.float64]:
    return np.array([float(part) for part in tree[key].split()], dtype=np.float64)


def _tree(columns: SplitColumns, tree: dict[str, str], target: int) -> Tree:
    values = _floats(tree, "leaf_value")
    inner = int(tree["num_leaves"]) - 1
    if inner == 0:
        return leaf(float(values[0]), target)
    kinds = _ints(tree, "decision_type")
    threshold = _floats(tree, "threshold")
    features = _ints(tree, "split_feature")
    column = np.zeros(inner, dtype=np.int64)
    missing_left = (kinds & _DEFAULT_LEFT) != 0
    for node in range(inner):
        feature, missing = int(features[node]), int(kinds[node]) >> 2 & 3
        if kinds[node] & _CATEGORICAL:
            known = columns.categories[feature]
            # The chosen go left: to be at most 0.5, they are 0 and all others 1, the missing among them.
            table = np.ones(known.codes + 2)
            table[[code for code in _codes(tree, node) if code < known.codes]] = 0.0
            column[node], threshold[node], missing_left[node] = columns.member(feature, table), 0.5, False
        elif feature in columns.categories and columns.features[feature].levels is not None:
            table = _of_order(columns.categories[feature], zero=missing == _MISSING_ZERO)
            column[node] = columns.member(feature, table)
            if missing == _MISSING_NONE:
                missing_left[node] = threshold[node] >= 0.0
        elif missing == _MISSING_ZERO:
            column[node] = columns.number(feature, "zero", lambda some, x: columns.without(some, x, (-_ZERO, _ZERO)))
        else:
            column[node] = columns.number(feature)
            if missing == _MISSING_NONE:  # a missing value is 0
                missing_left[node] = threshold[node] >= 0.0

    def child(key: str) -> NDArray[np.int64]:
        # -1 is the first leaf, -2 the second; leaves come behind the inner nodes here.
        found = _ints(tree, key)
        return np.concatenate([np.where(found >= 0, found, inner - 1 - found), np.full(inner + 1, -1)])

    def inner_then(values_of_inner: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([values_of_inner, np.zeros(inner + 1, dtype=values_of_inner.dtype)])

    return Tree(
        inner_then(column),
        inner_then(threshold),
        child("left_child"),
        child("right_child"),
        inner_then(missing_left),
        np.concatenate([np.zeros(inner), values]),
        target,
    )


def _of_order(known: Categories, *, zero: bool) -> NDArray[np.float64]:
    """The numbers of an ordered category: its place, missing for one that is unknown, and for the first if `zero`."""
    table = np.append(np.arange(known.codes, dtype=np.float64), [np.nan, np.nan])
    table[0] = np.nan if zero else 0.0
    return table


def _answer(graph: Graph, raw: str, parsed: _Parsed) -> str:
    """Answers of `Booster.predict`: [rows, groups]."""
    objective, options = parsed.objective, parsed.options
    if "average_output" in parsed.header:  # a random forest; its raw scores are sums all the same
        raw = graph.add("Div", raw, graph.constant(len(parsed.trees) / parsed.groups))
    if objective == "multiclass":
        return graph.add("Softmax", raw, axis=1)
    if objective in _SIGMOID:
        slope = float(options.get("sigmoid", 1.0))
        return sigmoid(graph, raw if slope == 1.0 else graph.add("Mul", raw, graph.constant(slope)))
    if objective in _EXPONENTIAL:
        return graph.add("Exp", raw)
    if objective == "cross_entropy_lambda":
        return graph.add("Log", graph.add("Add", graph.add("Exp", raw), graph.constant(1.0)))
    if "sqrt" in options:
        return graph.add("Mul", graph.add("Sign", raw), graph.add("Mul", raw, raw))
    return raw


@predicts(lightgbm.LGBMClassifier)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    parsed = _parse(context, estimator, estimator.booster_)
    if parsed.objective == _CUSTOM:
        raw = _raw(context, estimator, features, parsed)
        raw = flat(context.graph, raw) if parsed.groups == 1 else raw
        return {"values": raw, "probabilities": raw, "scores": raw}
    if parsed.objective not in ("binary", "multiclass", "multiclassova", "cross_entropy"):
        raise context.refuse(f"the objective {parsed.objective!r} gives no probabilities", estimator)
    graph = context.graph
    raw = _raw(context, estimator, features, parsed)
    answer = _answer(graph, raw, parsed)
    if parsed.groups == 1:
        answer = graph.add("Concat", graph.add("Sub", graph.constant(1.0), answer), answer, axis=1)
    label = class_labels(graph, argmax(graph, answer), np.asarray(estimator.classes_))
    return {"label": label, "probabilities": answer, "scores": flat(graph, raw) if parsed.groups == 1 else raw}


@predicts(lightgbm.LGBMRegressor, lightgbm.LGBMRanker)
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    return _values(context, estimator, features, estimator.booster_)


def _values(context: Context, estimator: Any, features: Features, booster: Any) -> Heads:
    parsed = _parse(context, estimator, booster)
    return {"values": _answer(context.graph, _raw(context, estimator, features, parsed), parsed)}


@dataclass(repr=False)
class LightgbmBooster(NativeBooster):
    """A `lightgbm.Booster` of its own file; `predict` gives what `Booster.predict` gives."""

    booster: Any

    framework = "lightgbm"

    @property
    def names(self) -> list[str] | None:
        """The feature names that it was trained with."""
        names = list(self.booster.feature_name())
        return None if names == [f"Column_{index}" for index in range(len(names))] else names

    @property
    def n_features_in_(self) -> int:
        """Number of columns it takes."""
        return int(self.booster.num_feature())

    def predict(self, rows: Any) -> NDArray[Any]:
        """Answer rows: a DataFrame or a 2-D array."""
        return np.asarray(self.booster.predict(rows))


@predicts(LightgbmBooster)
def _booster(context: Context, estimator: LightgbmBooster, features: Features) -> Heads:
    return _values(context, estimator, features, estimator.booster)


def open_estimator(path: Path) -> Any:
    """Open a model file; LightGBM keeps boosters only, so `predict` gives probabilities, not labels."""
    return LightgbmBooster(lightgbm.Booster(model_file=str(path)))


def of_booster(booster: Any) -> Any:
    """See a `Booster` as the estimator that its own file opens as."""
    return LightgbmBooster(booster)
