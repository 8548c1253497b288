"""Pipelines to draw from: up to two steps of preprocessing, and a model of any library."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn import (
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    impute,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier, XGBRegressor

_CAT = {"iterations": 12, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 0}
_LGB = {"n_estimators": 15, "verbose": -1, "n_jobs": 1, "min_child_samples": 4}
_XGB = {"n_estimators": 12, "max_depth": 5, "n_jobs": 1}

CLASSIFIERS = {
    "XGBClassifier": lambda: XGBClassifier(**_XGB),
    "XGBClassifier dart": lambda: XGBClassifier(booster="dart", **_XGB),
    "XGBClassifier gblinear": lambda: XGBClassifier(booster="gblinear", n_estimators=12, n_jobs=1),
    "XGBClassifier missing 0": lambda: XGBClassifier(missing=0.0, **_XGB),
    "LGBMClassifier": lambda: LGBMClassifier(**_LGB),
    "LGBMClassifier zeros missing": lambda: LGBMClassifier(zero_as_missing=True, **_LGB),
    "CatBoostClassifier": lambda: CatBoostClassifier(**_CAT),
    "RandomForestClassifier": lambda: ensemble.RandomForestClassifier(10, random_state=0),
    "HistGradientBoostingClassifier": lambda: ensemble.HistGradientBoostingClassifier(max_iter=12, min_samples_leaf=5),
    "GradientBoostingClassifier": lambda: ensemble.GradientBoostingClassifier(n_estimators=10),
    "DecisionTreeClassifier": lambda: tree.DecisionTreeClassifier(max_depth=8, random_state=0),
    "LogisticRegression": lambda: linear_model.LogisticRegression(max_iter=50),
    "LinearDiscriminantAnalysis": discriminant_analysis.LinearDiscriminantAnalysis,
    "GaussianNB": naive_bayes.GaussianNB,
    "BernoulliNB": lambda: naive_bayes.BernoulliNB(binarize=0.3),
    "SVC": svm.SVC,
    "KNeighborsClassifier": lambda: neighbors.KNeighborsClassifier(3, weights="distance"),
    "MLPClassifier": lambda: neural_network.MLPClassifier((6,), max_iter=40, random_state=0),
    "AdaBoostClassifier": lambda: ensemble.AdaBoostClassifier(n_estimators=8, random_state=0),
}
REGRESSORS = {
    "XGBRegressor": lambda: XGBRegressor(**_XGB),
    "LGBMRegressor": lambda: LGBMRegressor(**_LGB),
    "LGBMRegressor fine": lambda: LGBMRegressor(
        **{**_LGB, "n_estimators": 40, "max_bin": 1000, "min_child_samples": 2}
    ),
    "CatBoostRegressor": lambda: CatBoostRegressor(**_CAT),
    "ExtraTreesRegressor": lambda: ensemble.ExtraTreesRegressor(8, random_state=0),
    "HistGradientBoostingRegressor": lambda: ensemble.HistGradientBoostingRegressor(max_iter=12, min_samples_leaf=5),
    "DecisionTreeRegressor": lambda: tree.DecisionTreeRegressor(max_depth=8, random_state=0),
    "Ridge": linear_model.Ridge,
    "SVR": svm.SVR,
    "KNeighborsRegressor": lambda: neighbors.KNeighborsRegressor(3),
    "PoissonRegressor": linear_model.PoissonRegressor,
}
STEPS = {
    "StandardScaler": preprocessing.StandardScaler,
    "StandardScaler, zeros kept": lambda: preprocessing.StandardScaler(with_mean=False),
    "MinMaxScaler": preprocessing.MinMaxScaler,
    "MaxAbsScaler": preprocessing.MaxAbsScaler,
    "RobustScaler": preprocessing.RobustScaler,
    "QuantileTransformer": lambda: preprocessing.QuantileTransformer(n_quantiles=50, random_state=0),
    "PowerTransformer": preprocessing.PowerTransformer,
    "PowerTransformer box-cox": lambda: preprocessing.PowerTransformer("box-cox"),
    "KBins ordinal": lambda: preprocessing.KBinsDiscretizer(5, encode="ordinal"),
    "KBins uniform": lambda: preprocessing.KBinsDiscretizer(6, strategy="uniform"),
    "KBins of values": lambda: preprocessing.KBinsDiscretizer(
        8, encode="ordinal", quantile_method="averaged_inverted_cdf"
    ),
    "PolynomialFeatures": lambda: preprocessing.PolynomialFeatures(2, include_bias=False),
    "PolynomialFeatures of 3": lambda: preprocessing.PolynomialFeatures(3),
    "Normalizer": preprocessing.Normalizer,
    "SimpleImputer": impute.SimpleImputer,
    "SimpleImputer frequent": lambda: impute.SimpleImputer(strategy="most_frequent", add_indicator=True),
    "SimpleImputer of 0": lambda: impute.SimpleImputer(missing_values=0),
    "MissingIndicator of 3": lambda: impute.MissingIndicator(missing_values=3, features="all"),
    "Binarizer": lambda: preprocessing.Binarizer(threshold=0.1),
    "Binarizer of 3": lambda: preprocessing.Binarizer(threshold=np.nextafter(3.0, 0)),
    "OneHotEncoder": lambda: preprocessing.OneHotEncoder(handle_unknown="ignore", max_categories=6),
    "OrdinalEncoder": lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "VarianceThreshold": feature_selection.VarianceThreshold,
    "SelectKBest": lambda: feature_selection.SelectKBest(k=2),
    "PCA": lambda: decomposition.PCA(2),
    "TruncatedSVD": lambda: decomposition.TruncatedSVD(2, random_state=0),
    "SplineTransformer": lambda: preprocessing.SplineTransformer(n_knots=4),
    "passthrough": lambda: compose.ColumnTransformer([("all", "passthrough", slice(None))]),
    "half scaled": lambda: compose.ColumnTransformer(
        [("first", preprocessing.StandardScaler(), slice(0, 1))], remainder="passthrough"
    ),
} | {
    f"{function.__name__}": lambda function=function: preprocessing.FunctionTransformer(function)
    for function in (
        np.log1p, np.log, np.log10, np.log2, np.sqrt, np.cbrt, np.square, np.abs, np.expm1, np.floor, np.ceil, np.rint,
        np.trunc, np.sign, np.tanh, np.negative, np.exp, np.exp2, np.arcsinh, np.sinh,
    )
}  # fmt: skip
# Their numbers differ in a graph in the last bit, or may.
ROUNDED = ("log1p", "log", "log10", "log2", "cbrt", "sqrt", "expm1", "tanh", "arcsinh", "exp2", "PowerTransformer")


# What these give depends on the order in which a library sums, or on a table of a processor, and a graph repeats it up
# to the last bit or two. A label, or a tree behind them, may turn between two neighbors of a row.
INEXACT = (
    "PCA", "TruncatedSVD", "Normalizer", "SplineTransformer", "SVC", "KNeighborsClassifier", "KNeighborsRegressor",
)  # fmt: skip
# Of sparse rows these multiply with what they divide others by.
INEXACT_OF_SPARSE = ("StandardScaler, zeros kept", "MaxAbsScaler")


def is_inexact(names: Sequence[str], *, sparse: bool) -> bool:
    """Return whether a pipeline of these steps may answer neighbors of a row otherwise."""
    # Products of rounded numbers have no way back, nor have those among which a number was filled in.
    products = any(name.startswith(("PolynomialFeatures", "SimpleImputer")) for name in names)
    return (
        any(name in INEXACT or (sparse and name in INEXACT_OF_SPARSE) for name in names)
        or (products and any(name in ROUNDED or name == "PowerTransformer box-cox" for name in names))
    )  # fmt: skip


def any_names(generator: np.random.Generator, models: Mapping[str, Any]) -> tuple[list[str], str]:
    """Draw the names of up to two steps, and of a model."""
    chosen = [str(generator.choice([*STEPS])) for _ in range(generator.choice([0, 1, 2], p=[0.45, 0.4, 0.15]))]
    return chosen, str(generator.choice([*models]))


def made(chosen: Sequence[str], model: str, models: Mapping[str, Any]) -> tuple[str, Any]:
    """Make a pipeline of these names: what it is called, and the estimator, not fitted."""
    parts = [*(STEPS[name]() for name in chosen), models[model]()]
    return " → ".join([*chosen, model]), parts[0] if len(parts) == 1 else make_pipeline(*parts)


def _encoder(generator: np.random.Generator) -> Any:
    return [
        preprocessing.OneHotEncoder(handle_unknown="ignore"),
        preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ][generator.integers(3)]


def drawn_of_table(generator: np.random.Generator, numeric: list[str], texts: list[str], *, regression: bool) -> Any:
    """Draw a pipeline over named columns of numbers and of text."""
    models = REGRESSORS if regression else CLASSIFIERS
    model = str(generator.choice([*models]))
    scaler = [
        "passthrough", preprocessing.StandardScaler(), preprocessing.MaxAbsScaler(), preprocessing.KBinsDiscretizer(4),
        make_pipeline(impute.SimpleImputer(), preprocessing.MinMaxScaler()),
    ][generator.integers(5)]  # fmt: skip
    encoder = _encoder(generator)
    prepared = compose.ColumnTransformer([("numbers", scaler, numeric), ("texts", encoder, texts)])
    name = f"{_named(scaler)} + {_named(encoder)} → {model}"
    return name, make_pipeline(prepared, models[model]())


def _named(step: Any) -> str:
    return step if isinstance(step, str) else type(step).__name__
