"""Open a trained model, whatever kind of file holds it. Every kind runs in the child process alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealift_bundler.converters.boosters.files import LIBRARY_OF, open_booster, require
from sealift_bundler.errors import SourceError
from sealift_bundler.given_file import require_written
from sealift_bundler.source.mlflow import MARKER, Flavor, read_flavor
from sealift_bundler.source.pickles import PICKLES, check_versions, open_pickle

_TORCH = (".pt2", ".pt", ".pth")
_KERAS = (".keras", ".h5")
SUFFIXES = (*PICKLES, ".skops", ".onnx", *LIBRARY_OF, ".pt2", ".keras")


def check_source(path: Path) -> None:
    """Check what can be seen of a model's file or directory without opening it.

    Raises:
        SourceError: it is missing, of an unknown kind, or saved by another scikit-learn.
    """
    if path.is_dir():
        if not (path / MARKER).is_file():
            raise SourceError(
                f"the model {str(path)!r} is a directory without {MARKER!r}; expected an MLflow model directory "
                f"or a file ({', '.join(SUFFIXES)})"
            )
        flavor = read_flavor(path)
        if flavor.kind == "pickle":
            check_versions(flavor.path)
        return
    if not path.is_file():
        raise SourceError(f"the model {str(path)!r} does not exist; check the path")
    require_written(path)
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, *_TORCH, *_KERAS):
        raise SourceError(f"the model {str(path)!r} has the suffix {path.suffix!r}; expected one of {SUFFIXES}")
    if suffix in PICKLES:
        check_versions(path)


def open_model(path: Path) -> Any:
    """Open a model in this process. A pickle runs its code here.

    Raises:
        SourceError: it needs a module or a name that is not here, or is damaged.
    """
    if path.is_dir():
        flavor = read_flavor(path)
        return _open(flavor)
    suffix = path.suffix.lower()
    if suffix in LIBRARY_OF:
        return open_booster(path, LIBRARY_OF[suffix])
    opener: Callable[[Path], Any] = _OPENERS.get(suffix, open_pickle)
    return opener(path)


def _open(flavor: Flavor) -> Any:
    if flavor.kind == "pickle":
        return open_pickle(flavor.path)
    if flavor.kind == "skops":
        return _open_skops(flavor.path)
    return open_booster(flavor.path, flavor.kind)


def _open_onnx(path: Path) -> Any:
    from sealift_bundler.converters.onnx import ReadyMade

    return ReadyMade(path)


# What may be built from a skops file beyond skops' own list: classes of these packages, nothing of a caller's.
_TRUSTED = ("sklearn.", "numpy.", "scipy.", "xgboost.", "lightgbm.", "catboost.", "pandas.", "collections.")


def _open_skops(path: Path) -> Any:
    skops_io = require("skops", repr(str(path))) and require("skops.io", repr(str(path)))
    try:
        untrusted = skops_io.get_untrusted_types(file=path)
        foreign = [name for name in untrusted if not name.startswith(_TRUSTED)]
        if foreign:
            raise SourceError(
                f"{str(path)!r} holds {foreign[0]!r}, which is not of a known library; "
                "replace that step, or save the model with joblib if you trust its author"
            )
        return skops_io.load(path, trusted=untrusted)
    except (SourceError, MemoryError):
        raise
    except Exception as error:
        # skops raises what zipfile, json and the estimators' own constructors raise.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error


def _open_torch(path: Path) -> Any:
    torch = require("torch", repr(str(path)))
    if path.suffix.lower() != ".pt2":
        raise SourceError(
            f"{str(path)!r} is a pickle of PyTorch, which may be anything; save the model with "
            "torch.export.save(torch.export.export(module, inputs), 'model.pt2')"
        )
    try:
        return torch.export.load(str(path))
    except Exception as error:
        # The archive may hold anything; PyTorch has no common class for what it raises.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error


def _open_keras(path: Path) -> Any:
    keras = require("keras", repr(str(path)))
    try:
        return keras.saving.load_model(str(path), compile=False, safe_mode=True)
    except Exception as error:
        # The archive may hold anything; Keras has no common class for what it raises.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error


_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".onnx": _open_onnx,
    ".skops": _open_skops,
    **dict.fromkeys(_TORCH, _open_torch),
    **dict.fromkeys(_KERAS, _open_keras),
}
