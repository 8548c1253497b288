"""The width in which the original computes: scikit-learn computes in float32 what it is given in float32.

A graph repeats such arithmetic up to the last bit or two of a float32, which is enough for answers that grow smoothly,
and not in front of a step whose answers jump.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from sealift_bundler.converters.steps import Context, Emitter, Features, Predictor
from sealift_bundler.converters.steps.boundaries import check_double

# Steps that compare one number with another look for themselves, see `boundaries`.
_JUMPING = (".trees.", ".boosters.", ".models.neighbors", ".neighbor_imputer")
_SHORT = 2
# They leave the absent entries of a sparse matrix as they are, and make other numbers of zeros.
_NOT_OF_ABSENT = {"RobustScaler", "QuantileTransformer", "MissingIndicator", "SimpleImputer"}


def check_jump(context: Context, estimator: Any, emitter: "Emitter | Predictor", features: Features) -> None:
    """Refuse a model whose answers jump behind arithmetic that the original does in float32.

    Raises:
        NeverConverts: the model is such a one.
    """
    if any(part in f"{emitter.__module__}." for part in _JUMPING):
        check_double(context, estimator, features)


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
