"""`SPACE`: what each parameter can be, and how Optuna is asked for it.

SPACE = {
    "C": {"low": 0.01, "high": 10.0, "log": True},   numbers; whole ones if both ends are
    "min_df": [1, 2, 5],                             a choice
}
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sealift_pipeline.errors import ProjectError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_MOST_PARAMETERS, _MOST_CHOICES = 100, 1_000


def distributions(space: Mapping[str, Any], trials: int, name: str = "SPACE") -> "dict[str, BaseDistribution]":
    """Return the distributions of a space, in the order of its names.

    Args:
        trials: how many sets of parameters are to be tried.
        name: how errors name it.

    Raises:
        ProjectError: a parameter has no room or another form, or the space is one point and more trials are asked for.
    """
    if len(space) > _MOST_PARAMETERS:
        raise ProjectError(f"{name} has {len(space)} parameters; expected at most {_MOST_PARAMETERS}")
    found = {key: _distribution(key, space[key], name) for key in sorted(space, key=str)}
    if trials > 1 and all(one.single() for one in found.values()):
        raise ProjectError(f"{name} has no room: every parameter has one value; add values, or set trials = 1")
    return found


def _distribution(key: Any, spec: Any, name: str) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution

    where = f"{name}[{key!r}]"
    if not isinstance(key, str) or not key:
        raise ProjectError(f"{where}: expected a name of a parameter")
    if isinstance(spec, list | tuple):
        if not 0 < len(spec) <= _MOST_CHOICES:
            raise ProjectError(f"{where} has no room: {len(spec)} choices; expected 1 to {_MOST_CHOICES}")
        for one in spec:
            if not (one is None or isinstance(one, bool | int | float | str)) or (
                isinstance(one, float) and not math.isfinite(one)
            ):
                raise ProjectError(f"{where} offers {one!r:.80}; expected numbers, texts, booleans or None")
        return CategoricalDistribution(list(spec))
    if isinstance(spec, dict) and set(spec) <= {"low", "high", "log"} and {"low", "high"} <= set(spec):
        return _range(where, spec["low"], spec["high"], spec.get("log", False))
    raise ProjectError(f"{where} is {spec!r:.80}; expected a list, or low, high and perhaps log")


def _range(where: str, low: Any, high: Any, log: Any) -> "BaseDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (low, high))
    if not numbers or not all(math.isfinite(one) for one in (low, high)) or not isinstance(log, bool):
        raise ProjectError(f"{where} goes from {low!r:.40} to {high!r:.40}; expected two numbers")
    if low > high:
        raise ProjectError(f"{where} has no room: low {low} is above high {high}")
    if log and low <= 0:
        raise ProjectError(f"{where} has low {low}; expected a number above 0 with log")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)
