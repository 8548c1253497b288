"""Emitters of categorical encoders, over text and over numbers, missing categories included."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from sealift.model.documents.description import MISSING_TEXT
from sealift_bundler.converters.graph import ML
from sealift_bundler.converters.steps import Context, Feature, Features, features_of, gather, is_missing, transforms
from sealift_bundler.converters.steps.arithmetic import concatenated
from sealift_bundler.converters.steps.boundaries import equal
from sealift_bundler.converters.steps.widths import note_nones


def _one_hot(context: Context, estimator: Any, feature: Feature, categories: NDArray[Any]) -> str:
    """Category of each row, bool [rows, categories]; no bit is set for an unknown value."""
    graph = context.graph
    column = gather(context, (feature,), estimator)
    if feature.text:
        if not all(is_missing(category) or isinstance(category, str) for category in categories):
            raise context.refuse("its categories mix text with other types", estimator)
        if any(is_missing(category) for category in categories):
            context.tell_apart((feature,))
        keys = [_key(category, feature) for category in categories]
        index = graph.add(
            "LabelEncoder", column, domain=ML, keys_strings=keys, values_int64s=list(range(len(keys))), default_int64=-1
        )
        return graph.add("Equal", index, graph.constant(np.arange(len(keys))[np.newaxis]))
    try:
        values = np.array([np.nan if is_missing(category) else category for category in categories], dtype=np.float64)
    except (TypeError, ValueError):
        raise context.refuse("its categories are text, and it is given numbers", estimator) from None
    found = equal(context, estimator, feature, values)
    if np.isnan(values).any():
        note_nones(context, (feature,))
        here = graph.add("And", graph.add("IsNaN", column), graph.constant(np.isnan(values)[np.newaxis]))
        found = graph.add("Or", found, here)
    return found


def _key(category: Any, feature: Feature) -> str:
    if not is_missing(category):
        return str(category)
    # The other kind of missing never occurs in this column; two tokens are not text that the loader lets in.
    return MISSING_TEXT if feature.missing_is == ("None" if category is None else "NaN") else MISSING_TEXT * 2


def _close(context: Context, estimator: Any, feature: Feature, categories: NDArray[Any]) -> None:
    """Where the original raises on an unknown category, the loader must refuse it too."""
    if feature.origin is None:
        raise context.refuse(
            "it raises on unknown categories behind another step, which a graph cannot; use handle_unknown='ignore'",
            estimator,
        )
    values = [category.item() if isinstance(category, np.generic) else category for category in categories]
    context.close(feature.origin, values)


@transforms(OneHotEncoder)
def _one_hot_encoder(context: Context, estimator: OneHotEncoder, features: Features) -> Features:
    graph = context.graph
    parts = []
    width = 0
    for index, feature in enumerate(features):
        categories = estimator.categories_[index]
        if estimator.handle_unknown == "error":
            _close(context, estimator, feature, categories)
        found = graph.cast(_one_hot(context, estimator, feature, categories), graph.dtype)
        mapping, other = _mapping(estimator, index, len(categories))
        encoded = found
        if not np.array_equal(mapping, np.eye(len(categories))):
            encoded = graph.add("MatMul", found, graph.constant(mapping))
        if other is not None and estimator.handle_unknown in ("infrequent_if_exist", "warn"):
            known = graph.add("ReduceSum", found, graph.constant([1]), keepdims=1)
            unknown = graph.add("Sub", graph.constant(1.0), known)
            target = np.zeros((1, mapping.shape[1]))
            target[0, other] = 1.0
            encoded = graph.add("Add", encoded, graph.add("Mul", unknown, graph.constant(target)))
        if mapping.shape[1]:
            parts.append(encoded)
            width += mapping.shape[1]
    if not parts:
        return ()
    tensor = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
    return features_of(tensor, width, exact=True, integral=True)


def _mapping(estimator: OneHotEncoder, index: int, size: int) -> tuple[NDArray[Any], int | None]:
    """Output column of each category, [categories, outputs], and the column of infrequent ones."""
    targets = np.arange(size)
    other = None
    infrequent = (estimator.infrequent_categories_ or [None] * (index + 1))[index] if _groups(estimator) else None
    if infrequent is not None:
        targets = np.asarray(estimator._default_to_infrequent_mappings[index])  # noqa: SLF001 - no public form
        other = int(targets.max())
    outputs = int(targets.max()) + 1 if size else 0
    mapping = np.zeros((size, outputs))
    mapping[np.arange(size), targets] = 1.0
    dropped = None if estimator.drop_idx_ is None else estimator.drop_idx_[index]
    if dropped is not None:
        column = int(targets[dropped])
        mapping = np.delete(mapping, column, axis=1)
        other = None if other is None or other == column else other - (other > column)
    return mapping, other


def _groups(estimator: Any) -> bool:
    return bool(getattr(estimator, "_infrequent_enabled", False))


@transforms(OrdinalEncoder)
def _ordinal_encoder(context: Context, estimator: OrdinalEncoder, features: Features) -> Features:
    graph = context.graph
    parts = []
    # Codes of missing and unknown categories may be anything.
    odd = [float(estimator.unknown_value)] if estimator.handle_unknown == "use_encoded_value" else []
    fractions = sum(not value.is_integer() for value in odd)
    for index, feature in enumerate(features):
        categories = estimator.categories_[index]
        if estimator.handle_unknown == "error":
            _close(context, estimator, feature, categories)
        codes = np.arange(len(categories), dtype=np.float64)
        if _groups(estimator) and estimator.infrequent_categories_[index] is not None:
            codes = np.asarray(estimator._default_to_infrequent_mappings[index], dtype=np.float64)  # noqa: SLF001
        for place, category in enumerate(categories):
            if is_missing(category) and category is not None:  # None has a code of its own
                codes[place] = estimator.encoded_missing_value
        fractions += int((codes != np.round(codes)).any())
        found = _one_hot(context, estimator, feature, categories)
        number = graph.cast(found, graph.dtype)
        finite = graph.constant(np.nan_to_num(codes)[:, np.newaxis])
        code = graph.add("MatMul", number, finite)
        if np.isnan(codes).any():
            absent = graph.add("MatMul", number, graph.constant(np.isnan(codes).astype(np.float64)[:, np.newaxis]))
            is_absent = graph.add("Greater", absent, graph.constant(0.5))
            code = graph.add("Where", is_absent, graph.constant(np.array([[np.nan]])), code)
        if estimator.handle_unknown == "use_encoded_value":
            known = graph.add("ReduceMax", number, graph.constant([1]), keepdims=1)
            is_known = graph.add("Greater", known, graph.constant(0.5))
            unknown = np.array([[float(estimator.unknown_value)]])
            code = graph.add("Where", is_known, code, graph.constant(unknown))
        parts.append(code)
    tensor = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
    return features_of(tensor, len(parts), exact=True, integral=fractions == 0)


@transforms(TargetEncoder)
def _target_encoder(context: Context, estimator: TargetEncoder, features: Features) -> Features:
    graph = context.graph
    parts = []
    width = 0
    means = np.atleast_1d(np.asarray(estimator.target_mean_, dtype=np.float64))
    encodings = estimator.encodings_
    each = len(encodings) // len(features)
    for index, feature in enumerate(features):
        found = graph.cast(_one_hot(context, estimator, feature, estimator.categories_[index]), graph.dtype)
        table = np.stack(encodings[index * each : (index + 1) * each], axis=1)
        known = graph.add("ReduceMax", found, graph.constant([1]), keepdims=1)
        is_known = graph.add("Greater", known, graph.constant(0.5))
        encoded = graph.add("MatMul", found, graph.constant(table))
        parts.append(graph.add("Where", is_known, encoded, graph.constant(means[np.newaxis, :each])))
        width += each
    return features_of(concatenated(graph, parts), width, same=True)
