"""Each estimator of `sklearn.utils.all_estimators`, made and fitted on data that suits it."""

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401 - lists three more
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators

from sweep import data

SMALL = {"n_estimators": 12, "max_iter": 300, "random_state": 0}
TWO_CLASSES = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
POSITIVE = {"MultinomialNB", "ComplementNB", "AdditiveChi2Sampler", "NMF", "MiniBatchNMF", "LatentDirichletAllocation"}
# Those that answer only for the rows that they were fitted on.
_LOGISTIC = LogisticRegression(max_iter=300)
_TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


def _named(*members: Any) -> list[tuple[str, Any]]:
    return [(f"m{index}", member) for index, member in enumerate(members)]


SPECIAL = {
    "ColumnTransformer": lambda cls: cls(
        [("scaled", StandardScaler(), ["price", "at"]), ("city", OneHotEncoder(handle_unknown="ignore"), ["city"])]
    ),
    "Pipeline": lambda cls: cls(_named(StandardScaler(), _LOGISTIC)),
    "FeatureUnion": lambda cls: cls(_named(StandardScaler(), FunctionTransformer(np.tanh))),
    "FrozenEstimator": lambda cls: cls(LinearRegression()),
    "VotingClassifier": lambda cls: cls(_named(_LOGISTIC, _TREE, GaussianNB()), voting="soft"),
    "VotingRegressor": lambda cls: cls(_named(Ridge(), DecisionTreeRegressor(max_depth=3))),
    "StackingClassifier": lambda cls: cls(_named(_LOGISTIC, _TREE)),
    "StackingRegressor": lambda cls: cls(_named(Ridge(), DecisionTreeRegressor(max_depth=3))),
    "GridSearchCV": lambda cls: cls(LogisticRegression(max_iter=300), {"C": [0.1, 1.0]}),
    "RandomizedSearchCV": lambda cls: cls(
        LogisticRegression(max_iter=300), {"C": [0.1, 1.0]}, n_iter=2, random_state=0
    ),
    "HalvingGridSearchCV": lambda cls: cls(LogisticRegression(max_iter=300), {"C": [0.1, 1.0]}, random_state=0),
    "HalvingRandomSearchCV": lambda cls: cls(LogisticRegression(max_iter=300), {"C": [0.1, 1.0]}, random_state=0),
    "TransformedTargetRegressor": lambda cls: cls(Ridge(), func=np.log1p, inverse_func=np.expm1),
    "SparseCoder": lambda cls: cls(np.eye(4)[:3] + 0.1, transform_algorithm="threshold", transform_alpha=0.2),
    "HashingVectorizer": lambda cls: cls(n_features=64),
    "FeatureHasher": lambda cls: cls(n_features=8),
    "GaussianRandomProjection": lambda cls: cls(3, random_state=0),
    "SparseRandomProjection": lambda cls: cls(3, random_state=0),
    "GenericUnivariateSelect": lambda cls: cls(mode="k_best", param=2),
    "DictionaryLearning": lambda cls: cls(
        3, max_iter=20, transform_algorithm="threshold", transform_alpha=0.2, random_state=0
    ),
    "MiniBatchDictionaryLearning": lambda cls: cls(
        3, max_iter=20, transform_algorithm="threshold", transform_alpha=0.2, random_state=0
    ),
    "OrthogonalMatchingPursuitCV": lambda cls: cls(max_iter=3),
    "FunctionTransformer": lambda cls: cls(np.log1p),
    "SelectFromModel": lambda cls: cls(Ridge()),
    "SequentialFeatureSelector": lambda cls: cls(Ridge(), n_features_to_select=2),
    "LocalOutlierFactor": lambda cls: cls(novelty=True),
    "RadiusNeighborsClassifier": lambda cls: cls(radius=3.0, outlier_label="most_frequent"),
    "RadiusNeighborsRegressor": lambda cls: cls(radius=3.0),
    "KernelCenterer": lambda cls: cls(),
    "SkewedChi2Sampler": lambda cls: cls(skewedness=8.0, random_state=0),
    "IsotonicRegression": lambda cls: cls(out_of_bounds="clip"),
    "RandomTreesEmbedding": lambda cls: cls(n_estimators=5, random_state=0),
    "MultiOutputRegressor": lambda cls: cls(Ridge()),
    "RegressorChain": lambda cls: cls(Ridge()),
    "MultiOutputClassifier": lambda cls: cls(_LOGISTIC),
    "ClassifierChain": lambda cls: cls(_LOGISTIC),
    "OneVsRestClassifier": lambda cls: cls(_LOGISTIC),
    "OneVsOneClassifier": lambda cls: cls(_LOGISTIC),
    "OutputCodeClassifier": lambda cls: cls(_LOGISTIC, code_size=3, random_state=0),
    "FixedThresholdClassifier": lambda cls: cls(_LOGISTIC, threshold=0.3),
    "TunedThresholdClassifierCV": lambda cls: cls(_LOGISTIC),
    "CalibratedClassifierCV": lambda cls: cls(_LOGISTIC, cv=3),
    "SelfTrainingClassifier": lambda cls: cls(_LOGISTIC),
    "RFE": lambda cls: cls(Ridge(), n_features_to_select=2),
    "RFECV": lambda cls: cls(Ridge()),
}

DATA = {
    "ColumnTransformer": lambda: [data.table()],
    "OneHotEncoder": lambda: [data.categories()],
    "OrdinalEncoder": lambda: [data.categories()],
    "TargetEncoder": lambda: [data.categories()],
    "SimpleImputer": lambda: [data.with_missing()],
    "MissingIndicator": lambda: [data.with_missing()],
    "KNNImputer": lambda: [data.with_missing()],
    "IterativeImputer": lambda: [data.with_missing()],
    "HalvingGridSearchCV": data.classification,
    "HalvingRandomSearchCV": data.classification,
    "CountVectorizer": lambda: [data.texts()],
    "TfidfVectorizer": lambda: [data.texts()],
    "HashingVectorizer": lambda: [data.texts()],
    "TfidfTransformer": lambda: [data.counts()],
    "LatentDirichletAllocation": lambda: [data.counts()],
    "IsotonicRegression": lambda: [data.floats("one column", columns=1, target=lambda r, n: r[:, 0] + n)],
    "CategoricalNB": lambda: data.classification(whole=3),
    "BernoulliNB": data.classification,
    "SelfTrainingClassifier": lambda: [data.floats("some labels", target=data.semi_supervised)],
    "LabelPropagation": lambda: [data.floats("some labels", target=data.semi_supervised)],
    "LabelSpreading": lambda: [data.floats("some labels", target=data.semi_supervised)],
    "SelectKBest": lambda: data.classification(columns=12),
    "GenericUnivariateSelect": lambda: data.classification(columns=6),
    "SelectFpr": lambda: data.classification(columns=6),
    "SelectFdr": lambda: data.classification(columns=6),
    "SelectFwe": lambda: data.classification(columns=6),
    "SelectPercentile": lambda: data.classification(columns=12),
    "NeighborhoodComponentsAnalysis": lambda: data.classification()[2:3],
    "GammaRegressor": lambda: [data.floats("positive value", target=data.positive_value)],
    "PoissonRegressor": lambda: [data.floats("positive value", target=data.positive_value)],
    "TweedieRegressor": lambda: [data.floats("positive value", target=data.positive_value)],
    "TransformedTargetRegressor": lambda: [data.floats("positive value", target=data.positive_value)],
    "FunctionTransformer": lambda: [data.floats("positive", positive=True)],
    "MultiOutputClassifier": lambda: [data.floats("two labels", target=data.labels)],
    "ClassifierChain": lambda: [data.floats("two labels", target=data.labels)],
    "PLSSVD": data.several_values,
    "CCA": data.several_values,
    "PLSCanonical": data.several_values,
    "MultiOutputRegressor": data.several_values,
    "RegressorChain": data.several_values,
    "LabelEncoder": lambda: [data.Data("labels", list("abcab" * 32), None, list("bca" * 9))],
    "LabelBinarizer": lambda: [data.Data("labels", list("abcab" * 32), None, list("bca" * 9))],
    "MultiLabelBinarizer": lambda: [data.Data("sets of labels", [("a", "b"), ("c",)] * 80, None, [("a",)] * 9)],
    "DictVectorizer": lambda: [data.Data("dicts", [{"a": 1.0, "b": "x"}, {"a": 2.0}] * 80, None, [{"a": 3.0}] * 9)],
    "FeatureHasher": lambda: [data.Data("dicts", [{"a": 1.0}, {"b": 2.0}] * 80, None, [{"a": 3.0}] * 9)],
    "PatchExtractor": lambda: [data.Data("images", np.zeros((20, 12, 12)), None, np.zeros((5, 12, 12)))],
}


def names() -> list[str]:
    """Every estimator's name, in order."""
    return [name for name, _ in _all()]


def _all() -> list[tuple[str, type]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return all_estimators()


def fitted(name: str) -> Iterator[tuple[Any, data.Data]]:
    """Fit the estimator on each table of data that suits it."""
    cls = dict(_all())[name]
    for rows in _data(name, cls):
        estimator = _make(name, cls)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name == "FrozenEstimator":
                estimator.estimator.fit(rows.rows, rows.target)
            elif name == "KernelCenterer":
                estimator.fit(np.asarray(rows.rows)[:4] @ np.asarray(rows.rows)[:4].T)
            elif name == "MultiLabelBinarizer":
                estimator.fit(list(rows.rows))
            elif rows.target is None:
                estimator.fit(rows.rows)
            else:
                estimator.fit(rows.rows, rows.target)
        yield estimator, rows


def _make(name: str, cls: type) -> Any:
    if name in SPECIAL:
        return SPECIAL[name](cls)
    parameters = inspect.signature(cls).parameters
    if name.startswith("HistGradient"):
        return cls(max_iter=12)
    return cls(**{key: value for key, value in SMALL.items() if key in parameters})


def _data(name: str, cls: type) -> list[data.Data]:
    from sklearn.base import ClassifierMixin

    if name in DATA:
        return DATA[name]()
    if name in POSITIVE:
        return data.classification(positive=True)[1:3] if name.endswith("NB") else [data.floats(positive=True)]
    if name.startswith("MultiTask"):
        return data.several_values()
    if name in TWO_CLASSES:
        return data.classification()[:2]
    if issubclass(cls, ClassifierMixin) or name in ("Pipeline", "GridSearchCV", "RandomizedSearchCV"):
        return data.classification()
    return data.regression()
