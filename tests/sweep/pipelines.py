"""Pipelines as teams write them, over a table of prices, counts, epoch seconds and cities."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the class importable
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union

ROWS, HELD_BACK = 500, 600
NUMBERS = ["price", "count", "at", "ratio"]
TEXTS = ["city", "plan"]
_CITIES = ["Zürich", "Lyon", "İzmir", "東京", "São Paulo", "Łódź", "Wien", "Αθήνα"]


@dataclass(frozen=True)
class Case:
    """A pipeline to be fitted, and which target it learns: "binary", "bool", "three", "value" or None."""

    name: str
    make: Callable[[], Any]
    target: str | None
    columns: tuple[str, ...] = (*NUMBERS, *TEXTS, "flag")


def table(seed: int = 0) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows, to be fitted and held back, and their targets."""
    generator = np.random.default_rng(seed)
    count = ROWS + HELD_BACK
    frame = pd.DataFrame(
        {
            "price": np.round(generator.lognormal(3, 1, count), 2),
            "count": generator.poisson(3, count),
            "at": 1_600_000_000 + generator.integers(0, 10**8, count),
            "ratio": generator.beta(2, 3, count),
            "city": generator.choice(_CITIES, count, p=[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.04, 0.01]),
            "plan": generator.choice(["free", "pro", "team"], count),
            "flag": generator.random(count) < 0.4,
        }
    )
    size = (
        np.log(frame["price"]) / 2
        + frame["count"] / 4
        + (frame["city"] == "Lyon") * 0.8
        + (frame["plan"] == "pro") * 0.6
        + (frame["at"] - 1.65e9) / 5e7
        + generator.normal(scale=0.4, size=count)
    ).to_numpy()
    frame.loc[generator.random(count) < 0.08, "price"] = np.nan
    frame.loc[generator.random(count) < 0.05, "ratio"] = np.nan
    frame.loc[generator.random(count) < 0.06, "city"] = np.nan
    middle = np.median(size)
    targets = {
        "binary": np.where(size > middle, "bleibt", "kündigt"),
        "bool": size > middle,
        "three": np.digitize(size, np.quantile(size, [0.4, 0.75])) * 10,
        "value": np.round(np.exp(size), 2),
        "several": np.stack([size, frame["count"].to_numpy() + size / 3], axis=1),
        "labels": np.stack([size > middle, frame["count"].to_numpy() > 2], axis=1).astype(int),
    }
    return frame, targets


def numbers(*steps: Any) -> Any:
    return make_pipeline(SimpleImputer(strategy="median"), *steps)


def prepared(scaler: Any = None, encoder: Any = None, **options: Any) -> ColumnTransformer:
    """The usual preparation: impute and scale the numbers, impute and encode the texts."""
    scaler = numbers(preprocessing.StandardScaler()) if scaler is None else scaler
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore") if encoder is None else encoder
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    return ColumnTransformer([("numbers", scaler, NUMBERS), ("texts", filled, TEXTS)], **options)


LOGISTIC = lambda: linear_model.LogisticRegression(max_iter=500)  # noqa: E731 - a factory
FOREST = lambda: ensemble.RandomForestClassifier(25, max_depth=6, random_state=0)  # noqa: E731

CLASSIFIERS: list[Callable[[], Any]] = [
    LOGISTIC,
    lambda: linear_model.LogisticRegressionCV(Cs=3, max_iter=500),
    lambda: linear_model.SGDClassifier(loss="log_loss", random_state=0),
    lambda: linear_model.SGDClassifier(loss="modified_huber", random_state=0),
    linear_model.RidgeClassifier,
    lambda: linear_model.Perceptron(random_state=0),
    svm.LinearSVC,
    svm.SVC,
    lambda: svm.SVC(kernel="poly", degree=2, class_weight="balanced"),
    lambda: svm.NuSVC(nu=0.3),
    lambda: tree.DecisionTreeClassifier(max_depth=8, random_state=0),
    lambda: ensemble.RandomForestClassifier(40, random_state=0),
    lambda: ensemble.RandomForestClassifier(30, min_samples_leaf=5, class_weight="balanced", random_state=0),
    lambda: ensemble.ExtraTreesClassifier(30, max_depth=7, random_state=0),
    lambda: ensemble.GradientBoostingClassifier(n_estimators=25, random_state=0),
    lambda: ensemble.AdaBoostClassifier(n_estimators=20, random_state=0),
    lambda: ensemble.BaggingClassifier(n_estimators=10, max_features=0.7, random_state=0),
    lambda: neural_network.MLPClassifier((16, 8), max_iter=150, random_state=0),
    discriminant_analysis.LinearDiscriminantAnalysis,
    lambda: multiclass.OneVsRestClassifier(LOGISTIC()),
    lambda: multiclass.OneVsOneClassifier(svm.LinearSVC()),
    lambda: multiclass.OutputCodeClassifier(LOGISTIC(), code_size=2, random_state=0),
    lambda: calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=3),
    lambda: calibration.CalibratedClassifierCV(FOREST(), method="isotonic", cv=3),
    lambda: calibration.CalibratedClassifierCV(LOGISTIC(), method="temperature", cv=3),
    lambda: ensemble.VotingClassifier([("l", LOGISTIC()), ("f", FOREST())], voting="soft", weights=[1, 2]),
    lambda: ensemble.VotingClassifier(
        [("l", LOGISTIC()), ("f", FOREST()), ("t", tree.DecisionTreeClassifier(max_depth=4))]
    ),
    lambda: ensemble.StackingClassifier([("l", LOGISTIC()), ("f", FOREST())], cv=3),
    lambda: ensemble.StackingClassifier([("s", svm.SVC()), ("f", FOREST())], LOGISTIC(), passthrough=True, cv=3),
    gaussian_process.GaussianProcessClassifier,
    neighbors.NearestCentroid,
]

REGRESSORS: list[Callable[[], Any]] = [
    linear_model.LinearRegression,
    linear_model.Ridge,
    lambda: linear_model.Lasso(alpha=0.1),
    lambda: linear_model.ElasticNetCV(cv=3),
    linear_model.BayesianRidge,
    lambda: linear_model.HuberRegressor(max_iter=500),
    lambda: linear_model.QuantileRegressor(alpha=0.01),
    lambda: linear_model.PoissonRegressor(max_iter=500),
    lambda: linear_model.GammaRegressor(max_iter=500),
    lambda: linear_model.RANSACRegressor(random_state=0),
    lambda: svm.SVR(C=10),
    lambda: svm.LinearSVR(max_iter=5000),
    lambda: kernel_ridge.KernelRidge(kernel="rbf", gamma=0.1),
    lambda: gaussian_process.GaussianProcessRegressor(
        gaussian_process.kernels.RBF(2.0) + gaussian_process.kernels.WhiteKernel(), normalize_y=True
    ),
    lambda: tree.DecisionTreeRegressor(max_depth=7),
    lambda: ensemble.RandomForestRegressor(30, random_state=0),
    lambda: ensemble.ExtraTreesRegressor(30, min_samples_leaf=3, random_state=0),
    lambda: ensemble.GradientBoostingRegressor(n_estimators=30, loss="huber", random_state=0),
    lambda: ensemble.HistGradientBoostingRegressor(max_iter=25, loss="poisson"),
    lambda: ensemble.AdaBoostRegressor(n_estimators=15, random_state=0),
    lambda: ensemble.BaggingRegressor(linear_model.Ridge(), n_estimators=8, random_state=0),
    lambda: neural_network.MLPRegressor(hidden_layer_sizes=(20,), max_iter=200, random_state=0),
    lambda: ensemble.VotingRegressor([("r", linear_model.Ridge()), ("t", tree.DecisionTreeRegressor(max_depth=5))]),
    lambda: ensemble.StackingRegressor(
        [("r", linear_model.Ridge()), ("f", ensemble.RandomForestRegressor(10, random_state=0))], cv=3
    ),
    lambda: compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1),
    lambda: compose.TransformedTargetRegressor(
        ensemble.RandomForestRegressor(15, random_state=0), transformer=preprocessing.PowerTransformer()
    ),
    lambda: compose.TransformedTargetRegressor(
        linear_model.Ridge(),
        transformer=preprocessing.QuantileTransformer(n_quantiles=100, output_distribution="normal"),
    ),
]

SCALERS: list[Callable[[], Any]] = [
    lambda: numbers(preprocessing.MinMaxScaler()),
    lambda: numbers(preprocessing.RobustScaler()),
    lambda: numbers(preprocessing.MaxAbsScaler()),
    lambda: numbers(preprocessing.QuantileTransformer(n_quantiles=100, random_state=0)),
    lambda: numbers(preprocessing.QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=0)),
    lambda: numbers(preprocessing.PowerTransformer()),
    lambda: numbers(preprocessing.KBinsDiscretizer(5)),
    lambda: numbers(preprocessing.KBinsDiscretizer(6, encode="ordinal", strategy="uniform")),
    lambda: numbers(preprocessing.MinMaxScaler(), preprocessing.SplineTransformer(n_knots=4)),
    lambda: numbers(preprocessing.StandardScaler(), preprocessing.PolynomialFeatures(2, include_bias=False)),
    lambda: numbers(preprocessing.FunctionTransformer(np.log1p), preprocessing.StandardScaler()),
    lambda: numbers(preprocessing.StandardScaler(), decomposition.PCA(3, whiten=True)),
    lambda: numbers(preprocessing.StandardScaler(), preprocessing.Normalizer()),
    lambda: numbers(preprocessing.StandardScaler(), preprocessing.Binarizer()),
    lambda: make_pipeline(SimpleImputer(strategy="mean", add_indicator=True), preprocessing.StandardScaler()),
    lambda: make_pipeline(preprocessing.StandardScaler(), IterativeImputer(max_iter=3, random_state=0)),
    lambda: make_union(SimpleImputer(), MissingIndicator()),
    lambda: numbers(preprocessing.StandardScaler(), kernel_approximation.Nystroem(n_components=10, random_state=0)),
    lambda: numbers(preprocessing.StandardScaler(), kernel_approximation.RBFSampler(random_state=0)),
    lambda: numbers(feature_selection.VarianceThreshold(), feature_selection.SelectKBest(k=2)),
]

ENCODERS: list[Callable[[], Any]] = [
    lambda: preprocessing.OneHotEncoder(handle_unknown="error"),
    lambda: preprocessing.OneHotEncoder(drop="first", handle_unknown="ignore"),
    lambda: preprocessing.OneHotEncoder(min_frequency=30, handle_unknown="infrequent_if_exist", sparse_output=False),
    lambda: preprocessing.OneHotEncoder(max_categories=4, handle_unknown="infrequent_if_exist"),
    lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, min_frequency=30),
    lambda: preprocessing.TargetEncoder(random_state=0),
]


def cases() -> Iterator[Case]:
    """Every pipeline of the suite."""
    targets = ("binary", "three", "bool")
    for place, make in enumerate(CLASSIFIERS):
        target = targets[place % 3]
        yield Case(_name(make(), target), lambda m=make: make_pipeline(_dense(), m()), target)
    for make in REGRESSORS:
        yield Case(_name(make(), "value"), lambda m=make: make_pipeline(_dense(), m()), "value")
    for scaler in SCALERS:
        for model in (LOGISTIC, FOREST):
            name = f"{_name(scaler())} → {_name(model())}"
            yield Case(name, lambda s=scaler, m=model: make_pipeline(prepared(s()), m()), "binary")
    for place, encoder in enumerate(ENCODERS):
        for model in (LOGISTIC, FOREST):
            name = f"{_name(encoder())} {place} → {_name(model())}"
            yield Case(name, lambda e=encoder, m=model: make_pipeline(prepared(None, e()), m()), "three")
    yield from SPECIAL


def _dense() -> ColumnTransformer:
    return prepared(sparse_threshold=0)


def _name(estimator: Any, target: str = "") -> str:
    steps = [step for _, step in getattr(estimator, "steps", ())]
    shown = "+".join(_name(step) for step in steps) if steps else type(estimator).__name__
    inner = getattr(estimator, "estimator", None)
    shown = f"{shown}({type(inner).__name__})" if inner is not None and not isinstance(inner, str) else shown
    return f"{shown} {target}".strip()


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
            _dense(), model_selection.FixedThresholdClassifier(LOGISTIC(), threshold=0.3, pos_label="bleibt")
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
            _dense(),
            FeatureUnion([("pca", decomposition.PCA(3)), ("best", feature_selection.SelectKBest(k=4))]),
            LOGISTIC(),
        ),
        "three",
    ),
    Case(
        "selection by a forest",
        lambda: make_pipeline(_dense(), feature_selection.SelectFromModel(FOREST()), LOGISTIC()),
        "binary",
    ),
    Case(
        "counts into naive Bayes",
        lambda: make_pipeline(make_column_transformer((_ordinal(), ["plan"]), ("passthrough", ["count"])),
                              naive_bayes.MultinomialNB()),
        "three",
    ),
    Case("Gaussian naive Bayes", lambda: make_pipeline(_dense(), naive_bayes.GaussianNB()), "binary"),
    Case(
        "quadratic discriminant",
        lambda: make_pipeline(
            make_column_transformer((numbers(preprocessing.StandardScaler()), NUMBERS)),
            discriminant_analysis.QuadraticDiscriminantAnalysis(),
        ),
        "three",
    ),
    Case("isolation forest", lambda: make_pipeline(_dense(), ensemble.IsolationForest(n_estimators=30, random_state=0)), None),
    Case("one-class machine", lambda: make_pipeline(_dense(), svm.OneClassSVM(nu=0.1)), None),
    Case("clusters", lambda: make_pipeline(_dense(), cluster.KMeans(4, n_init=2, random_state=0)), None),
    Case("many small clusters", lambda: make_pipeline(_dense(), cluster.MiniBatchKMeans(6, random_state=0)), None),
    Case(
        "a mixture of scaled numbers",
        lambda: make_pipeline(numbers(preprocessing.StandardScaler()), mixture.GaussianMixture(3, random_state=0)),
        None,
        NUMERIC,
    ),
    Case(
        "several values at once",
        lambda: make_pipeline(_dense(), multioutput.MultiOutputRegressor(linear_model.Ridge())),
        "several",
    ),
    Case("a chain of values", lambda: make_pipeline(_dense(), multioutput.RegressorChain(linear_model.Ridge())),
         "several"),
    Case("a forest of several values",
         lambda: make_pipeline(_dense(), ensemble.RandomForestRegressor(15, random_state=0)), "several"),
    Case("several labels at once", lambda: make_pipeline(_dense(), multioutput.MultiOutputClassifier(LOGISTIC())),
         "labels"),
    Case("a forest of several labels", lambda: make_pipeline(_dense(), FOREST()), "labels"),
    Case("a chain of labels", lambda: make_pipeline(_dense(), multioutput.ClassifierChain(LOGISTIC())), "labels"),
    Case("features only", _dense, None),
    Case(
        "neighbors",
        lambda: make_pipeline(_dense(), neighbors.KNeighborsClassifier(5)),
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
