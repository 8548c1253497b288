"""Pipelines as teams write them, over a table of prices, counts, epoch seconds and cities."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn import (
    calibration,
    cluster,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    linear_model,
    mixture,
    model_selection,
    multioutput,
    naive_bayes,
    neighbors,
    preprocessing,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.impute import KNNImputer
from sklearn.pipeline import FeatureUnion, make_pipeline

from sweep.prices import NUMBERS, ROWS, TEXTS, table
from sweep.steps import CLASSIFIERS, ENCODERS, FOREST, LOGISTIC, REGRESSORS, SCALERS, dense, numbers, prepared


@dataclass(frozen=True)
class Case:
    """A pipeline to be fitted, and which target it learns: "binary", "bool", "three", "value" or None."""

    name: str
    make: Callable[[], Any]
    target: str | None
    columns: tuple[str, ...] = (*NUMBERS, *TEXTS, "flag")


def _histogram(**options: Any) -> Any:
    return ensemble.HistGradientBoostingClassifier(max_iter=25, random_state=0, **options)


def _ordinal() -> Any:
    return preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


NUMERIC = tuple(NUMBERS)
SPECIAL = [
    Case(
        "histogram booster on numbers, missing kept",
        lambda: make_pipeline(make_column_transformer((_ordinal(), TEXTS), remainder="passthrough"), _histogram()),
        "three",
    ),
    Case(
        "histogram booster, ordinal codes as categories",
        lambda: make_pipeline(
            make_column_transformer((_ordinal(), TEXTS), remainder="passthrough"),
            _histogram(categorical_features=[0, 1]),
        ),
        "binary",
    ),
    Case("histogram booster on raw numbers", _histogram, "bool", NUMERIC),
    Case("forest on raw numbers with missing values", FOREST, "three", NUMERIC),
    Case(
        "tree on raw numbers with missing values", lambda: tree.DecisionTreeClassifier(max_depth=9), "bool", NUMERIC
    ),
    Case(
        "scaled forest regression",
        lambda: make_pipeline(preprocessing.StandardScaler(), ensemble.RandomForestRegressor(20, random_state=0)),
        "value",
        ("count", "at"),
    ),
    Case(
        "grid search around a pipeline",
        lambda: model_selection.GridSearchCV(
            make_pipeline(prepared(), LOGISTIC()), {"logisticregression__C": [0.1, 1.0]}, cv=3
        ),
        "binary",
    ),
    Case(
        "tuned threshold around a pipeline",
        lambda: model_selection.TunedThresholdClassifierCV(make_pipeline(prepared(), FOREST()), cv=3),
        "bool",
    ),
    Case(
        "fixed threshold at a probability",
        lambda: make_pipeline(
            dense(), model_selection.FixedThresholdClassifier(LOGISTIC(), threshold=0.3, pos_label="bleibt")
        ),
        "binary",
    ),
    Case(
        "calibrated pipeline",
        lambda: calibration.CalibratedClassifierCV(make_pipeline(prepared(), FOREST()), method="isotonic", cv=3),
        "three",
    ),
    Case(
        "vote of pipelines",
        lambda: ensemble.VotingClassifier(
            [("a", make_pipeline(prepared(), LOGISTIC())), ("b", make_pipeline(prepared(), FOREST()))], voting="soft"
        ),
        "three",
    ),
    Case(
        "stack of pipelines",
        lambda: ensemble.StackingClassifier(
            [("a", make_pipeline(prepared(), LOGISTIC())), ("b", make_pipeline(prepared(), FOREST()))], cv=3
        ),
        "binary",
    ),
    Case(
        "columns selected by dtype",
        lambda: make_pipeline(
            make_column_transformer(
                (numbers(preprocessing.RobustScaler()), make_column_selector(dtype_include="number")),
                (preprocessing.OneHotEncoder(handle_unknown="ignore"), TEXTS),
            ),
            LOGISTIC(),
        ),
        "bool",
    ),
    Case(
        "a branch dropped, the rest passed through",
        lambda: make_pipeline(
            ColumnTransformer(
                [("texts", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["plan"]), ("no", "drop", ["city"])],
                remainder="passthrough",
            ),
            ensemble.HistGradientBoostingRegressor(max_iter=20),
        ),
        "value",
    ),
    Case(
        "nested column transformers",
        lambda: make_pipeline(
            make_column_transformer(
                (
                    make_column_transformer(
                        (numbers(preprocessing.StandardScaler()), ["price", "ratio"]), remainder="passthrough"
                    ),
                    ["price", "ratio", "count"],
                ),
                (preprocessing.OneHotEncoder(handle_unknown="ignore"), TEXTS),
            ),
            FOREST(),
        ),
        "binary",
    ),
    Case(
        "pandas output between the steps",
        lambda: make_pipeline(
            prepared(encoder=preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)), FOREST()
        ).set_output(transform="pandas"),
        "three",
    ),
    Case(
        "union of a projection and a selection",
        lambda: make_pipeline(
            dense(),
            FeatureUnion([("pca", decomposition.PCA(3)), ("best", feature_selection.SelectKBest(k=4))]),
            LOGISTIC(),
        ),
        "three",
    ),
    Case(
        "selection by a forest",
        lambda: make_pipeline(dense(), feature_selection.SelectFromModel(FOREST()), LOGISTIC()),
        "binary",
    ),
    Case(
        "counts into naive Bayes",
        lambda: make_pipeline(make_column_transformer((_ordinal(), ["plan"]), ("passthrough", ["count"])),
                              naive_bayes.MultinomialNB()),
        "three",
    ),
    Case("Gaussian naive Bayes", lambda: make_pipeline(dense(), naive_bayes.GaussianNB()), "binary"),
    Case(
        "quadratic discriminant",
        lambda: make_pipeline(
            make_column_transformer((numbers(preprocessing.StandardScaler()), NUMBERS)),
            discriminant_analysis.QuadraticDiscriminantAnalysis(),
        ),
        "three",
    ),
    Case("isolation forest", lambda: make_pipeline(dense(), ensemble.IsolationForest(n_estimators=30, random_state=0)), None),
    Case("one-class machine", lambda: make_pipeline(dense(), svm.OneClassSVM(nu=0.1)), None),
    Case("clusters", lambda: make_pipeline(dense(), cluster.KMeans(4, n_init=2, random_state=0)), None),
    Case("many small clusters", lambda: make_pipeline(dense(), cluster.MiniBatchKMeans(6, random_state=0)), None),
    Case(
        "a mixture of scaled numbers",
        lambda: make_pipeline(numbers(preprocessing.StandardScaler()), mixture.GaussianMixture(3, random_state=0)),
        None,
        NUMERIC,
    ),
    Case(
        "several values at once",
        lambda: make_pipeline(dense(), multioutput.MultiOutputRegressor(linear_model.Ridge())),
        "several",
    ),
    Case("a chain of values", lambda: make_pipeline(dense(), multioutput.RegressorChain(linear_model.Ridge())),
         "several"),
    Case("a forest of several values",
         lambda: make_pipeline(dense(), ensemble.RandomForestRegressor(15, random_state=0)), "several"),
    Case("several labels at once", lambda: make_pipeline(dense(), multioutput.MultiOutputClassifier(LOGISTIC())),
         "labels"),
    Case("a forest of several labels", lambda: make_pipeline(dense(), FOREST()), "labels"),
    Case("a chain of labels", lambda: make_pipeline(dense(), multioutput.ClassifierChain(LOGISTIC())), "labels"),
    Case("features only", dense, None),
    Case(
        "neighbors",
        lambda: make_pipeline(dense(), neighbors.KNeighborsClassifier(5)),
        "binary",
    ),
    Case(
        "neighbors among counts",
        lambda: make_pipeline(make_column_transformer((_ordinal(), ["plan"]), ("passthrough", ["count"])),
                              neighbors.KNeighborsClassifier(5)),
        "binary",
    ),
    Case("imputed by neighbors", lambda: make_pipeline(KNNImputer(), LOGISTIC()), "binary", NUMERIC),
]  # fmt: skip


def cases() -> Iterator[Case]:
    """Every pipeline of the suite."""
    targets = ("binary", "three", "bool")
    for place, make in enumerate(CLASSIFIERS):
        target = targets[place % 3]
        yield Case(_name(make(), target), lambda m=make: make_pipeline(dense(), m()), target)
    for make in REGRESSORS:
        yield Case(_name(make(), "value"), lambda m=make: make_pipeline(dense(), m()), "value")
    for scaler in SCALERS:
        for model in (LOGISTIC, FOREST):
            name = f"{_name(scaler())} → {_name(model())}"
            yield Case(name, lambda s=scaler, m=model: make_pipeline(prepared(s()), m()), "binary")
    for place, encoder in enumerate(ENCODERS):
        for model in (LOGISTIC, FOREST):
            name = f"{_name(encoder())} {place} → {_name(model())}"
            yield Case(name, lambda e=encoder, m=model: make_pipeline(prepared(None, e()), m()), "three")
    yield from SPECIAL


def _name(estimator: Any, target: str = "") -> str:
    steps = [step for _, step in getattr(estimator, "steps", ())]
    shown = "+".join(_name(step) for step in steps) if steps else type(estimator).__name__
    inner = getattr(estimator, "estimator", None)
    shown = f"{shown}({type(inner).__name__})" if inner is not None and not isinstance(inner, str) else shown
    return f"{shown} {target}".strip()


def fitted(case: Case) -> tuple[Any, pd.DataFrame, pd.DataFrame]:
    """The fitted pipeline, its rows, and the rows held back."""
    frame, targets = table()
    frame = frame[list(case.columns)]
    model = case.make()
    rows = frame.iloc[:ROWS]
    if case.target is None:
        model.fit(rows)
    else:
        model.fit(rows, targets[case.target][:ROWS])
    return model, rows, frame.iloc[ROWS:].reset_index(drop=True)
