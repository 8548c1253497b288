"""The list of what a pickle may ask for; everything else is refused before it is imported.

A pickle names globals and calls them. The list says of each one what may be done with it:

- *classes to fill*: the pickle makes an object without calling `__init__` (opcode `NEWOBJ`), then gives it its state.
  Estimators are only ever filled: no pickle calls an estimator's class, with whatever arguments.
- *classes to name*: parameters of estimators, such as `dtype=numpy.float64`.
- *functions to name*: parameters of estimators, such as `numpy.log1p` in a FunctionTransformer. They compute numbers
  from numbers. A ufunc of NumPy or SciPy is allowed by rule; other functions are listed, one by one or, for scores and
  kernels, by the module that defines them.
- *to call*: reconstructors, each with a check of its arguments; see `reconstructors`.

For scikit-learn the rule holds for releases to come: a subclass of `BaseEstimator` that is defined where it was asked
for, in a package of estimators. What else its estimators hold is listed. Read for this list, in 1.6 and 1.9: no such
class runs code of its state in `__setstate__` (they compare versions, copy attributes, fill arrays of Cython), and no
pickle may call one. Left out on purpose:

- `scipy.stats`: `rv_continuous.__setstate__` runs a text of its state with `exec`. A class of ours stands for its
  distributions, which a search for parameters keeps and a prediction never asks.
- `numpy.memmap` stands for `numpy.ndarray`: its `__new__` opens files.
- `sklearn.datasets`, `sklearn.utils` but for `Bunch`, `sklearn.callback`: they open files, or run what they are given.
- `operator`, `types`, `importlib`, and what else of the standard library is not in `allowed_standard`.

Not covered: Cython and C++ read the numbers of a state and trust them. A tree whose children point out of its arrays
can end the process.
"""

from collections.abc import Callable, Collection
from types import FunctionType

from sealift_bundler.source.unpickling.allowed import Allowed, attribute
from sealift_bundler.source.unpickling.allowed_arrays import of_joblib, of_numpy, of_scipy
from sealift_bundler.source.unpickling.allowed_estimators import (
    of_booster,
    of_imbalanced_learn,
    of_old_loss,
    of_scikit_learn,
)
from sealift_bundler.source.unpickling.allowed_standard import STANDARD
from sealift_bundler.source.unpickling.allowed_tables import of_pandas, of_pyarrow

_RULES: dict[str, Callable[[str, str], Allowed | None]] = {
    "sklearn": of_scikit_learn,
    "_loss": of_old_loss,
    "numpy": of_numpy,
    "scipy": of_scipy,
    "pandas": of_pandas,
    "pyarrow": of_pyarrow,
    "joblib": of_joblib,
    "xgboost": of_booster,
    "lightgbm": of_booster,
    "catboost": of_booster,
    "imblearn": of_imbalanced_learn,
}


def find(module: str, name: str, trusted: Collection[str] = ()) -> Allowed | None:
    """Look a global up in the list; nothing that is not on it is imported.

    Args:
        trusted: names of the caller's own.

    Returns:
        None where the list does not have it.

    Raises:
        ModuleNotFoundError, AttributeError: it is allowed, and not installed in this version.
    """
    full = f"{module}.{name}"
    if full in trusted:
        return _own(module, name)
    if not name.isidentifier():
        # A dotted name walks attributes, and from any module one gets to `os`.
        return None
    if full in STANDARD:
        return STANDARD[full]
    rule = _RULES.get(module.partition(".")[0])
    return rule(module, name) if rule else None


def _own(module: str, name: str) -> Allowed | None:
    """The caller's own: a class or function that this very module defines, not something that it imported."""
    first, *rest = name.split(".")
    value = attribute(module, first)
    for part in rest:
        value = getattr(value, part)
    if not isinstance(value, type | FunctionType) or (value.__module__, value.__qualname__) != (module, name):
        return None
    return Allowed(value, filled=isinstance(value, type), accepts=lambda _given: True, own=True)
