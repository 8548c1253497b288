"""The width in which the original computes: scikit-learn computes in float32 what it is given in float32.

A graph repeats such arithmetic up to the last bit or two of a float32, which is enough for answers that grow smoothly,
and not in front of a step whose answers jump.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sealift_bundler.converters import NeverConverts
from sealift_bundler.converters.steps import Context, Emitter, Features, Predictor
from sealift_bundler.converters.steps.boundaries import check_double, refused
from sealift_bundler.converters.steps.given import same_bits
from sealift_bundler.converters.steps.magnified import check_fine
from sealift_bundler.samples.interfaces import Samples

# Steps that compare one number with another look for themselves, see `boundaries`.
_JUMPING = (".trees.", ".boosters.", ".models.neighbors", ".neighbor_imputer")
_SHORT = 2
_TREES = (".trees.", ".boosters.")
# Steps of these cast what they are given to a dtype of their own, or hand it on as it is.
_CASTING_MODULES = (".trees.", ".boosters.", ".meta.")
_ASKED_ROWS = 512
_METHODS = ("predict", "predict_proba", "decision_function")
# They leave the absent entries of a sparse matrix as they are, and make other numbers of zeros.
_NOT_OF_ABSENT = {"RobustScaler", "QuantileTransformer", "MissingIndicator", "SimpleImputer"}


def check_jump(context: Context, estimator: Any, emitter: "Emitter | Predictor", features: Features) -> None:
    """Refuse a model whose answers jump behind what a graph does not repeat, and where ordinary rows tell.

    That is arithmetic that the original does in float32, and numbers that are rounded otherwise and have no order.
    Refuse a model also behind what a scaler left of nearly equal numbers.

    Raises:
        NeverConverts: the model is such a one.
    """
    name = f"{emitter.__module__}."
    if any(part in name for part in _JUMPING):
        check_double(context, estimator, features)
    trees = any(part in name for part in _TREES)
    rough = next((feature for feature in features if feature.rough is not None and feature.rough.unordered), None)
    if rough is not None and trees:
        raise refused(context, estimator, rough)
    if ".models." in name:
        check_fine(context, estimator, features)
    elif trees:
        # What has a way back is compared exactly.
        check_fine(context, estimator, tuple(one for one in features if one.rough and one.rough.pull is None))


def note_width(context: Context, estimator: Any, emitter: "Emitter | Predictor", features: Features) -> None:
    """Note the columns of a step that may compute in the width of its rows: trees and boosters do not."""
    name = f"{emitter.__module__}."
    if getattr(estimator, "func", estimator) is None:  # what a ColumnTransformer makes of "passthrough"
        return
    if type(estimator).__name__ == "IsotonicRegression" or not any(part in name for part in _CASTING_MODULES):
        context.by_width.update(feature.column for feature in features if feature.column and not feature.text)


def note_whole(context: Context, features: Features) -> None:
    """Note that a step makes integers of the caller's integers, where the graph makes fractions."""
    if any(feature.origin is not None for feature in features):
        context.reads["whole"] = "refused"


def note_foreign(context: Context, features: Features, reading: str) -> None:
    """Note how a booster reads another byte order, and "refused" long doubles, in the caller's own numbers.

    Of pandas' categories it reads the codes where it was trained on none.
    """
    numbers = [feature for feature in features if feature.origin is not None and not feature.text]
    if numbers and all(feature.levels is None for feature in numbers):
        context.reads["codes"] = "refused"
    if numbers and context.reads.get("foreign") != "refused":
        context.reads["foreign"] = reading


def note_order(context: Context, given: Any, reading: str) -> None:
    """Note that a booster asks no column for its name, where it is given a table with the caller's own columns.

    LightGBM does not in any table ("places"), XGBoost not in those of Arrow and polars ("tables").
    """
    names = getattr(given, "column_names", None) if hasattr(given, "num_rows") else getattr(given, "columns", None)
    if names is None or context.samples is None:
        return
    own = [column.name for column in context.samples.columns]
    known = set(own)
    if [name for name in names if name in known] == own and context.reads.get("order") != "places":
        context.reads["order"] = reading


def note_nones(context: Context, features: Features) -> None:
    """Note that a step takes NaN for missing, and None among the caller's objects for another value."""
    if any(feature.origin is not None and not feature.text for feature in features):
        context.reads["nones"] = "refused"


def of_any_width(context: Context) -> set[str]:
    """Return the columns of numbers for which the original gives the same bits in float32 and in float64.

    It is asked: for some of the samples, rounded to float32, in both dtypes.
    """
    samples = context.samples
    if samples is None or context.source is None or "narrow" in context.reads:
        return set()
    # Which integers LightGBM rounds is seen by their dtype.
    kinds = ("float",) if "integers" in context.reads else ("int", "float")
    places = [
        place
        for place, column in enumerate(samples.columns)
        if column.kind in kinds and column.levels is None and column.name not in context.by_width
    ]
    whole = samples.interface == "matrix" and len(places) < len(samples.columns)
    if not places or whole or samples.sparse or samples.interface == "text":
        return set()
    rows = samples.head(_ASKED_ROWS)
    try:
        answers = [_in_dtype(context, rows, places, dtype) for dtype in ("float32", "float64")]
    except Exception:  # noqa: BLE001 - someone else's model; whatever it raises means that it tells them apart
        return set()
    same = all(same_bits(one, other) for one, other in zip(*answers, strict=True))
    return {samples.columns[place].name for place in places} if same else set()


def check_tables(samples: Samples, alike: Collection[str]) -> None:
    """Refuse float32 numbers in a table of Arrow or polars, of which only some steps of scikit-learn make float64.

    Args:
        samples: with the caller's container.
        alike: the columns in which the width does not matter.

    Raises:
        NeverConverts: another column has such numbers.
    """
    if not samples.tabular or isinstance(samples.given, pd.DataFrame):
        return
    column = next((one for one in samples.columns if one.dtype == "float32" and one.name not in alike), None)
    if column is not None:
        raise NeverConverts(
            f"column {column.name!r} of the samples is float32 in a {type(samples.given).__name__}, of which "
            "scikit-learn makes float64 in some steps and not in others; give it as float64, or the samples as a "
            "pandas frame"
        )


def _in_dtype(context: Context, rows: Any, places: Sequence[int], dtype: str) -> list[Any]:
    """What the original answers for rows that are rounded to float32, given in a dtype."""
    samples, source = context.samples, context.source
    if samples is None:
        return []
    if samples.interface == "matrix":
        given = rows.astype(np.float32).astype(dtype)
    else:
        names = [samples.columns[place].name for place in places]
        given = rows.astype(dict.fromkeys(names, "float32")).astype(dict.fromkeys(names, dtype))
    methods = [name for name in _METHODS if hasattr(source, name)]
    found = [getattr(source, name)(samples.own(given)) for name in methods]
    return [part for answer in found for part in (answer if isinstance(answer, list) else [answer])]


def with_widths(context: Context, estimator: Any, given: Features, made: Features) -> Features:
    """Note in the features that a step makes in which width the original computes them.

    Raises:
        NeverConverts: it computes in float16.
    """
    if type(estimator).__name__ in _NOT_OF_ABSENT and not context.sparse:
        context.reads.setdefault("absent", "refused")
    dtypes = [np.dtype(feature.dtype) for feature in given if not feature.text and feature.dtype != "str"]
    if not dtypes:
        return made
    widest = np.result_type(*dtypes)
    narrow = widest.kind == "f" and widest.itemsize < np.dtype(np.float64).itemsize
    if narrow and widest.itemsize <= _SHORT and any(not feature.exact for feature in made):
        raise context.refuse(
            "scikit-learn computes in float16 what is given in float16; give float64 samples: .astype('float64')",
            estimator,
        )
    single = narrow or any(feature.single for feature in given)
    if not single:
        return made
    return tuple(feature if feature.exact else replace(feature, single=True, dtype=widest.name) for feature in made)
