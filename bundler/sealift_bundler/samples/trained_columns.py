"""The columns that a fitted scikit-learn model was trained on."""

import re
from collections.abc import Iterable, Iterator
from typing import Any


def feature_names(model: Any, present: Iterable[Any]) -> list[str] | None:
    """Return the names of the columns that the model was trained on, in order; None where it knows none.

    Args:
        model: A fitted model.
        present: The names of the columns at hand.
    """
    present = list(present)
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        # CatBoost; numbers are what it calls the columns of an array.
        names = getattr(model, "feature_names_", None)
        if names is None or list(names) == [str(index) for index in range(len(names))]:
            return None
    if list(map(str, present)) == list(names) != present:
        return None  # XGBoost makes texts of names that are numbers
    trained = [str(name) if isinstance(name, str) else name for name in names]
    # LightGBM writes its names with underscores for white space, and goes by position.
    known = {re.sub(r"\s", "_", name): name for name in present if isinstance(name, str)}
    if set(trained) <= set(known) and not set(trained) <= set(present):
        return [known[name] for name in trained]
    return trained


def unread_columns(model: Any) -> frozenset[str]:
    """Return the columns that the model was trained on and that no step of it seems to read: it drops them."""
    names = feature_names(model, ())
    read = _read(model)
    return frozenset() if names is None or read is None else frozenset(set(names) - read)


def _read(model: Any) -> set[Any] | None:
    """The names of the columns that a fitted model reads; None where that cannot be seen, and it may read all."""
    indices = getattr(model, "_transformer_to_input_indices", None)
    if indices is not None:
        names = getattr(model, "feature_names_in_", None)
        kept = [name for name, step, _ in model.transformers_ if not (isinstance(step, str) and step == "drop")]
        return None if names is None else {names[index] for name in kept for index in indices.get(name, ())}
    parts = _given_the_same_columns(model)
    found = [_read(part) for part in parts if not isinstance(part, str)]
    read: set[Any] = set()
    for names in found:
        if names is None:
            return None
        read |= names
    return read if found else None


def _given_the_same_columns(model: Any) -> list[Any]:
    """The parts that a model that holds others hands its rows to as they are."""
    if getattr(model, "passthrough", False):
        return []
    steps = [
        step
        for _, step in getattr(model, "steps", ())
        if step is not None and not isinstance(step, str) and not hasattr(step, "fit_resample")
    ]
    if steps:
        return steps[:1]
    union = [step for _, step in getattr(model, "transformer_list", ())]
    members = union or list(getattr(model, "estimators_", ()))
    members += [member.estimator for member in getattr(model, "calibrated_classifiers_", ())]
    for name in ("best_estimator_", "estimator_", "regressor_"):
        members += [part] if not members and (part := getattr(model, name, None)) is not None else []
    return members


def takes_absent_for_missing(model: Any) -> bool:
    """Return whether a model is XGBoost's own, which takes the absent entries of a SciPy matrix for missing values."""
    while (inner := getattr(model, "best_estimator_", None)) is not None:
        model = inner
    return type(model).__module__.startswith("xgboost.") or getattr(model, "framework", None) == "xgboost"


def text_columns(model: Any) -> set[str]:
    """Return the columns whose fitted encoder knows text categories only.

    An encoder that learned `'8'` does not know `8`: giving it the number is not an error in scikit-learn,
    only another answer.
    """
    found = set()
    for encoder, columns in _encoders(model):
        categories = getattr(encoder, "categories_", None)
        if categories is None or len(categories) != len(columns):
            continue
        for column, known in zip(columns, categories, strict=True):
            values = [value for value in known if value is not None and value == value]  # noqa: PLR0124 - not NaN
            if isinstance(column, str) and values and all(isinstance(value, str) for value in values):
                found.add(column)
    return found


def _encoders(model: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield every last step of a ColumnTransformer's branches with the columns that it takes."""
    for part in [*(step for _, step in getattr(model, "steps", ())), getattr(model, "best_estimator_", None)]:
        if part is not None and not isinstance(part, str):
            yield from _encoders(part)
    for _, transformer, columns in getattr(model, "transformers_", ()):
        last = transformer.steps[-1][1] if hasattr(transformer, "steps") else transformer
        names = [columns] if isinstance(columns, str) else columns
        if isinstance(names, list | tuple) or hasattr(names, "tolist"):
            yield last, list(names)
