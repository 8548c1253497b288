"""Open a booster's own model file: XGBoost's .json and .ubj, LightGBM's .txt, CatBoost's .cbm."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from sealift_bundler.errors import SourceError

# The library of each kind of file, which is also the extra that installs it.
LIBRARY_OF = {".json": "xgboost", ".ubj": "xgboost", ".txt": "lightgbm", ".cbm": "catboost"}


def require(library: str, what: str) -> Any:
    """Import an optional library.

    Raises:
        SourceError: it is not installed; the message names the extra.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise SourceError(
            f"{what} needs {library}, which is not installed; run pip install 'sealift[{library}]'"
        ) from None


def open_booster(path: Path, library: str) -> Any:
    """Open a booster's own file. No code of the file's runs.

    Raises:
        SourceError: the library is missing, or cannot read the file.
    """
    module = require(library, repr(str(path)))
    try:
        return {"xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost}[library](path)
    except SourceError:
        raise
    except Exception as error:
        # Three libraries, with error classes of their own and those of their C++ parts.
        reason = re.sub(r"\s+", " ", str(error))[:200]
        raise SourceError(
            f"{str(path)!r} is not a model that {library} {module.__version__} can read: {reason}"
        ) from error


def _xgboost(path: Path) -> Any:
    from sealift_bundler.converters.boosters.xgboost import open_estimator

    return open_estimator(path)


def _lightgbm(path: Path) -> Any:
    from sealift_bundler.converters.boosters.lightgbm import open_estimator

    return open_estimator(path)


def _catboost(path: Path) -> Any:
    from sealift_bundler.converters.boosters.catboost import open_estimator

    return open_estimator(path)
