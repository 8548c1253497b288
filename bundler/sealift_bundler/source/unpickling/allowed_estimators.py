"""What a pickle may ask for of scikit-learn, imbalanced-learn and the boosters; see `allowed_globals`."""

from importlib import import_module
from types import FunctionType

from sealift_bundler.source.unpickling import reconstructors as called
from sealift_bundler.source.unpickling.allowed import Allowed, attribute, class_of, reconstructor

# Packages of estimators.
_ESTIMATORS = frozenset(
    {
        *("base", "calibration", "cluster", "compose", "covariance", "cross_decomposition", "decomposition"),
        *("discriminant_analysis", "dummy", "ensemble", "feature_extraction", "feature_selection", "frozen"),
        *("gaussian_process", "impute", "isotonic", "kernel_approximation", "kernel_ridge", "linear_model", "manifold"),
        *("mixture", "model_selection", "multiclass", "multioutput", "naive_bayes", "neighbors", "neural_network"),
        *("pipeline", "preprocessing", "random_projection", "semi_supervised", "svm", "tree"),
    }
)
# What estimators hold besides estimators: every class that such a module defines, or those named.
_HELD: dict[str, tuple[str, ...]] = {
    "sklearn._loss.link": (),
    "sklearn._loss.loss": (),
    "sklearn.calibration": ("_CalibratedClassifier",),
    "sklearn.cluster._birch": ("_CFNode", "_CFSubcluster"),
    "sklearn.cluster._bisect_k_means": ("_BisectingTree",),
    "sklearn.compose._column_transformer": ("_RemainderColsList", "make_column_selector"),
    "sklearn.ensemble._hist_gradient_boosting.predictor": ("TreePredictor",),
    "sklearn.gaussian_process.kernels": (),
    "sklearn.impute._iterative": ("_ImputerTriplet",),
    "sklearn.metrics._scorer": (),
    "sklearn.model_selection._split": (),
    "sklearn.neural_network._stochastic_optimizers": (),
    "sklearn.utils._bunch": ("Bunch",),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
}
# Objects of Cython, which their pickles call with numbers, or by a function of the module.
_CYTHON: dict[str, tuple[str, ...]] = {
    "sklearn._loss._loss": (),
    "sklearn.linear_model._sgd_fast": (),
    "sklearn.tree._tree": ("Tree",),
}
_UNPICKLE = "__pyx_unpickle_"
_DISTANCES = frozenset({"sklearn.metrics._dist_metrics", "sklearn.neighbors._ball_tree", "sklearn.neighbors._kd_tree"})
# Every public function of these computes numbers from numbers.
_SCORES = frozenset(
    {
        *("sklearn.metrics._classification", "sklearn.metrics._ranking", "sklearn.metrics._regression"),
        *("sklearn.metrics.cluster._supervised", "sklearn.metrics.cluster._unsupervised", "sklearn.metrics.pairwise"),
        *("sklearn.feature_selection._univariate_selection", "sklearn.feature_selection._mutual_info"),
    }
)
_FUNCTIONS = frozenset(
    {
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.cluster._kmeans._kmeans_single_elkan",
        "sklearn.preprocessing._function_transformer._identity",
        "sklearn.utils.validation.check_array",
    }
)
_BOOSTERS = {
    "xgboost.core": ("Booster",),
    # Estimators keep them, and only training calls them.
    "xgboost.callback": ("EarlyStopping", "EvaluationMonitor", "LearningRateScheduler"),
    "lightgbm.basic": ("Booster",),
    "catboost.core": ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"),
}
_BALANCING = frozenset({"combine", "ensemble", "over_sampling", "pipeline", "under_sampling"})
_WRAPPERS = ("xgboost.sklearn", "lightgbm.sklearn")


def of_scikit_learn(module: str, name: str) -> Allowed | None:
    """Allow an estimator, or what estimators hold; `allowed_globals` says why."""
    from sklearn.base import BaseEstimator

    full, parts = f"{module}.{name}", module.split(".")
    if full in _FUNCTIONS or (module in _SCORES and not name.startswith("_")):
        value = attribute(module, name)
        if isinstance(value, FunctionType):
            return Allowed(value) if value.__module__ == module else None
    if module in _DISTANCES:
        if name == "newObj":
            return reconstructor(full, attribute(module, name), called.one_class_of(module))
        return _allow(class_of(module, name), filled=False)
    if module in _CYTHON and name.startswith(_UNPICKLE):
        cls = class_of(module, name.removeprefix(_UNPICKLE))
        return None if cls is None else reconstructor(full, attribute(module, name), called.of_class(cls))
    if module in _CYTHON and name in (_CYTHON[module] or (name,)):
        cls = class_of(module, name)
        return None if cls is None else Allowed(cls, accepts=called.numbers)
    if module in _HELD and name in (_HELD[module] or (name,)):
        return _allow(class_of(module, name))
    if len(parts) > 1 and parts[1] in _ESTIMATORS and not {"tests", "conftest", "__main__"} & set(parts):
        return _allow(class_of(module, name), BaseEstimator)
    return None


def of_old_loss(module: str, name: str) -> Allowed | None:
    """Allow a loss as scikit-learn up to 1.7 calls it, by the bare name of its module; nothing else has that name."""
    if module != "_loss":
        return None
    cls = getattr(import_module("sklearn._loss._loss"), name.removeprefix(_UNPICKLE))
    if not isinstance(cls, type) or cls.__module__ not in ("_loss", "sklearn._loss._loss"):
        return None
    if name.startswith(_UNPICKLE):
        return reconstructor(f"{module}.{name}", attribute("sklearn._loss._loss", name), called.of_class(cls))
    return Allowed(cls, accepts=called.numbers)


def of_booster(module: str, name: str) -> Allowed | None:
    """Allow a booster, or its estimator for scikit-learn."""
    from sklearn.base import BaseEstimator

    if name in _BOOSTERS.get(module, ()):
        return _allow(class_of(module, name))
    return _allow(class_of(module, name), BaseEstimator) if module in _WRAPPERS else None


def of_imbalanced_learn(module: str, name: str) -> Allowed | None:
    """Allow a sampler or an estimator of imbalanced-learn."""
    from sklearn.base import BaseEstimator

    parts = module.split(".")
    known = len(parts) > 1 and parts[1] in _BALANCING and "tests" not in parts
    return _allow(class_of(module, name), BaseEstimator) if known else None


def _allow(cls: type | None, base: type = object, *, filled: bool = True) -> Allowed | None:
    return Allowed(cls, filled=filled) if cls is not None and issubclass(cls, base) else None
