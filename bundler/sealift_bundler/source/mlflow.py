"""Read an MLflow model directory: which file of it holds the model, and of which library.

MLflow itself is not needed, and its generic `python_function` flavor, which is any code, is not run.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sealift import plain_file
from sealift.limits import LIMITS
from sealift_bundler.errors import SourceError
from sealift_bundler.source.saved_by import check_saved_by

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
    saved = str(options.get("sklearn_version", ""))
    if saved:
        check_saved_by(saved, repr(str(folder)))
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
