"""Libraries beside scikit-learn: each is looked at only where it is imported already, because its model is at hand."""

import sys
from importlib import import_module
from typing import Any

_EMITTERS_OF = {
    "xgboost": "boosters.xgboost",
    "lightgbm": "boosters.lightgbm",
    "catboost": "boosters.catboost",
    "imblearn": "imbalanced",
}
_NATIVE = {"xgboost.core": "xgboost", "lightgbm.basic": "lightgbm"}


def register_imported() -> None:
    """Register the emitters of every library that is imported in this process; scikit-learn's are there already."""
    for library, module in _EMITTERS_OF.items():
        if library in sys.modules:
            import_module(f"{__package__}.{module}")


def as_estimator(model: Any) -> Any:
    """See a booster without its scikit-learn estimator as one, as its own file opens; leave any other model."""
    library = _NATIVE.get(type(model).__module__)
    if library is None or type(model).__name__ != "Booster":
        return model
    return import_module(f"{__package__}.boosters.{library}").of_booster(model)
