"""Gradient boosters other than scikit-learn's own: XGBoost, LightGBM, CatBoost.

Each has one module, which is imported only where its library already is: an estimator of it is at hand,
or one of its files is being opened.
"""

import sys
from importlib import import_module

_MODULE_OF = {"xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost"}


def register_imported() -> None:
    """Register the emitters of every booster whose library is imported in this process."""
    for library, module in _MODULE_OF.items():
        if library in sys.modules:
            import_module(f"{__name__}.{module}")
