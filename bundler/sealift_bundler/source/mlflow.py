"""Read an MLflow model directory: which file of it holds the model, and of which library.

MLflow itself is not needed, and its generic `python_function` flavor, which is any code, is not run.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from sealift import plain_file
from sealift.limits import LIMITS
from sealift_bundler.errors import SourceError

MARKER = "MLmodel"
_BOOSTERS = ("xgboost", "lightgbm", "catboost")
_PICKLED = (".pkl", ".pickle", ".joblib")


@dataclass(frozen=True)
class Flavor:
    """The model's own file in the directory; `kind` is "pickle", "skops" or a booster's library."""

    kind: str
    path: Path


def read_flavor(folder: Path) -> Flavor:
    """Read `MLmodel` and find the model's file.

    Raises:
        SourceError: the file is damaged, names a file outside the folder, or has no flavor that we know.
    """
    marker = folder / MARKER
    try:
        document = yaml.safe_load(plain_file.read(marker, LIMITS.document_size_bytes, follow=True).decode("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(marker)!r} cannot be read: {reason}") from error
    flavors = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavors, dict):
        raise SourceError(f"{str(marker)!r} has no 'flavors'; expected an MLflow model directory")
    for library in _BOOSTERS:
        if isinstance(flavors.get(library), dict):
            return _booster(folder, library, flavors[library])
    if isinstance(flavors.get("sklearn"), dict):
        return _sklearn(folder, flavors["sklearn"])
    raise SourceError(
        f"{str(marker)!r} has the flavors {sorted(map(str, flavors))!r:.200}; "
        f"expected one of {['sklearn', *_BOOSTERS]}: log the model with that library's mlflow.….log_model"
    )


def _booster(folder: Path, library: str, options: dict[str, Any]) -> Flavor:
    path = _inside(folder, options.get("data"))
    return Flavor("pickle" if path.suffix in _PICKLED else library, path)


def _sklearn(folder: Path, options: dict[str, Any]) -> Flavor:
    saved, installed = str(options.get("sklearn_version", "")), version("scikit-learn")
    if saved and saved.split(".")[:2] != installed.split(".")[:2]:
        raise SourceError(
            f"{str(folder)!r} was saved by scikit-learn {saved}, and this is {installed}: a pickle of another "
            f"version may load and answer differently; run pip install 'scikit-learn=={saved}', or save it again"
        )
    path = _inside(folder, options.get("pickled_model"))
    return Flavor("skops" if options.get("serialization_format") == "skops" else "pickle", path)


def _inside(folder: Path, name: Any) -> Path:
    """One plain relative path below the folder, symlinks resolved."""
    if not isinstance(name, str) or not name:
        raise SourceError(f"{str(folder / MARKER)!r} does not say which file holds the model")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SourceError(f"{str(folder / MARKER)!r} names {name!r}, which is outside the directory")
    if not path.is_file():
        raise SourceError(f"{str(folder / MARKER)!r} names {name!r}, which is not a file there")
    return path
