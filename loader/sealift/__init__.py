"""Load verified models on machines that have no internet.

    import sealift
    model = sealift.load("issue-triage", version=">=1.2,<2")
    model.predict(rows)

Importing this package is cheap on purpose: NumPy, ONNX Runtime and the trust code are imported when
the first model is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sealift.errors import *  # noqa: F403 - the error classes are the public interface
from sealift.errors import __all__ as _errors

if TYPE_CHECKING:
    from sealift.following import Switch
    from sealift.loading import ActiveModel, load, models
    from sealift.model import Model
    from sealift.model.observing import Prediction
    from sealift.store import Store

__version__ = "0.2.0"

_LAZY = {
    "ActiveModel": "sealift.loading",
    "load": "sealift.loading",
    "models": "sealift.loading",
    "Store": "sealift.store",
    "Model": "sealift.model",
    "Prediction": "sealift.model.observing",
    "Switch": "sealift.following",
}

__all__ = [*_errors, "ActiveModel", "Model", "Prediction", "Store", "Switch", "__version__", "load", "models"]  # noqa: PLE0604 - `_errors` is a list of strings


if not TYPE_CHECKING:
    # A type checker would take every misspelled name for one that this finds.
    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module 'sealift' has no attribute {name!r}")
        return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
