"""What pipelines are made of: preparations for the table of prices, and models over it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import (
    calibration,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    multiclass,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the class importable
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline, make_union

from sweep.prices import NUMBERS, TEXTS


def numbers(*steps: Any) -> Any:
    return make_pipeline(SimpleImputer(strategy="median"), *steps)


def prepared(scaler: Any = None, encoder: Any = None, **options: Any) -> ColumnTransformer:
    """The usual preparation: impute and scale the numbers, impute and encode the texts."""
    scaler = numbers(preprocessing.StandardScaler()) if scaler is None else scaler
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore") if encoder is None else encoder
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    return ColumnTransformer([("numbers", scaler, NUMBERS), ("texts", filled, TEXTS)], **options)


def dense() -> ColumnTransformer:
    return prepared(sparse_threshold=0)


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
