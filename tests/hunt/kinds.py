"""What each hunt looks for: the steps, models, columns, containers and dtypes that it draws from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hunt.containers import CONTAINERS, DTYPES, INTEGERS, SPARSE
from hunt.data import COLUMNS
from hunt.pipelines import ROUNDED

_DENSE = ("ndarray", "ndarray", "frame", "frame", "fortran", "list", "objects", "nullable", "arrow frame", "arrow",
          "polars")  # fmt: skip
_FLOAT64 = {"float64": 0.7, "int64": 0.1, "int32": 0.05, "float32": 0.15}
_BOOSTERS = ("XGB", "LGBM", "CatBoost")
_LINEAR = ("Ridge", "LogisticRegression", "LinearDiscriminantAnalysis", "SV", "MLP", "PoissonRegressor")
_JUMPS = (
    "floor", "ceil", "rint", "trunc", "sign", "KBins ordinal", "KBins uniform", "KBins of values", "Binarizer",
    "Binarizer of 3", "OneHotEncoder", "OrdinalEncoder", "SimpleImputer of 0", "MissingIndicator of 3",
    "QuantileTransformer",
)  # fmt: skip
_PARTIAL = ("log", "log10", "log2", "log1p", "sqrt", "PowerTransformer box-cox")
_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
_GROWING = ("PolynomialFeatures", "PolynomialFeatures of 3", "square", "expm1", "exp", "sinh")


@dataclass(frozen=True)
class Kind:
    """One kind of silent error.

    `steps` are the groups that a pipeline draws one step each from, "" for none; None stands for any pipeline.
    `models` are the beginnings of names; `dtypes` have weights; `zeros` makes most of the numbers zero.
    """

    number: int
    steps: tuple[tuple[str, ...], ...] | None = None
    models: tuple[str, ...] = ("",)
    columns: tuple[str, ...] = tuple(COLUMNS)
    containers: tuple[str, ...] = tuple(CONTAINERS)
    dtypes: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(DTYPES, 1.0))
    zeros: bool | None = None
    # What an example of it says, in a release that has it: see `--until-found`.
    example: str = ""
    # Rows with numbers below zero come last, where the comparison cuts them off in few calls.
    positive_first: bool = False
    tables: float = 0.0

    def dtype(self, generator: np.random.Generator) -> str:
        """Draw a dtype."""
        weights = np.array([*self.dtypes.values()])
        return str(generator.choice([*self.dtypes], p=weights / weights.sum()))

    def pipeline(self, generator: np.random.Generator, models: Mapping[str, Any]) -> tuple[list[str], str]:
        """Draw the names of the steps, and of the model."""
        known = [name for name in models if name.startswith(self.models)]
        steps = [str(generator.choice(group)) for group in self.steps or ()]
        return [step for step in steps if step], str(generator.choice(known))


# Ready-made graphs, which have no pipeline: see `exports`.
EXPORTS = "exports"
# Any pipeline is drawn in `pipelines`.
ANY = "any"
KINDS = {
    ANY: Kind(
        0,
        dtypes=dict(zip(DTYPES, (0.04, 0.2, 0.32, 0.02, 0.03, 0.06, 0.2, 0.02, 0.02, 0.03, 0.03, 0.03), strict=True)),
        tables=0.25,
    ),
    "integers": Kind(
        1,
        steps=(("", "", "passthrough", "VarianceThreshold"),),
        models=(*_BOOSTERS, "Hist", "Extra", "DecisionTree"),
        columns=("identifiers", "seconds", "counts", "large"),
        containers=_DENSE,
        dtypes={name: 6.0 if name in ("int64", "int32", "uint32", "uint64") else 1.0 for name in INTEGERS},
    ),
    "absent": Kind(
        2,
        steps=(("", "", "", "MaxAbsScaler", "StandardScaler, zeros kept", "VarianceThreshold"),),
        models=(*_BOOSTERS, "Ridge", "LogisticRegression", "SV", "DecisionTree"),
        containers=SPARSE,
        dtypes={"float64": 0.6, "float32": 0.25, "int64": 0.15},
        zeros=True,
    ),
    "rounded": Kind(
        3,
        steps=(ROUNDED, ("", "", *_SCALERS, *ROUNDED), _JUMPS),
        columns=("powers", "counts", "rounded", "skewed", "grid", "seconds"),
        containers=_DENSE,
        dtypes=_FLOAT64,
    ),
    "jumps": Kind(
        4,
        steps=(("", "", "", "passthrough", "absolute", "SimpleImputer"), _JUMPS),
        columns=("normal", "rounded", "counts", "grid", "skewed", "powers"),
        containers=_DENSE,
        dtypes=_FLOAT64,
    ),
    "raising": Kind(
        5,
        steps=(("", "", "passthrough", "half scaled"), _PARTIAL, ("", "", *_SCALERS, "PolynomialFeatures")),
        columns=("powers", "skewed", "seconds", "identifiers"),
        dtypes=_FLOAT64,
        zeros=False,
        positive_first=True,
        example="an answer where the original raises",
    ),
    "far": Kind(
        6,
        steps=(("", "", *_SCALERS, "Normalizer", "PCA"), _GROWING, ("", "", *_SCALERS)),
        models=_LINEAR,
        example="magnitudes rows",
        columns=("normal", "rounded", "counts", "grid"),
        containers=_DENSE,
        dtypes=_FLOAT64,
    ),
}
