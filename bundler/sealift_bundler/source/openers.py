"""Open a trained model, whatever kind of file holds it. Every kind runs in the child process alone."""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from sealift_bundler.converters.boosters.files import LIBRARY_OF, open_booster, require
from sealift_bundler.errors import SourceError, UntrustedPickleError
from sealift_bundler.given_file import broken_link, require_written
from sealift_bundler.source.mlflow import MARKER, Flavor, read_flavor
from sealift_bundler.source.pickles import PICKLES, open_pickle

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
        read_flavor(path)
        return
    if not path.is_file():
        raise SourceError(f"the model {str(path)!r}: {broken_link(path) or 'it does not exist; check the path'}")
    require_written(path)
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, *_TORCH, *_KERAS):
        raise SourceError(
            f"the model {str(path)!r} has the suffix {path.suffix!r}; expected one of {', '.join(SUFFIXES)}"
        )


def open_model(path: Path, trusted: Collection[str] = ()) -> Any:
    """Open a model in this process.

    Args:
        trusted: full names of classes and functions that a pickle or a skops file may use besides those of known
            libraries.

    Raises:
        UntrustedPickleError: it asks for something else.
        SourceError: it needs a module or a name that is not here, or is damaged.
    """
    if path.is_dir():
        return _open(read_flavor(path), trusted)
    suffix = path.suffix.lower()
    if suffix in LIBRARY_OF:
        return open_booster(path, LIBRARY_OF[suffix])
    if suffix in _OPENERS:
        return _OPENERS[suffix](path)
    return _open(Flavor("skops" if suffix == ".skops" else "pickle", path), trusted)


def _open(flavor: Flavor, trusted: Collection[str]) -> Any:
    if flavor.kind == "pickle":
        return open_pickle(flavor.path, trusted)
    if flavor.kind == "skops":
        return _open_skops(flavor.path, trusted)
    return open_booster(flavor.path, flavor.kind)


def _open_onnx(path: Path) -> Any:
    from sealift_bundler.converters.onnx import ReadyMade

    return ReadyMade(path)


def _open_skops(path: Path, trusted: Collection[str]) -> Any:
    skops_io = require("skops", repr(str(path))) and require("skops.io", repr(str(path)))
    from sealift_bundler.source.unpickling.allowed import attribute
    from sealift_bundler.source.unpickling.allowed_globals import find
    from sealift_bundler.source.unpickling.reachable import problem_in

    try:
        # What skops does not know by itself must be on the same list as for pickles.
        untrusted = skops_io.get_untrusted_types(file=path)
        for name in untrusted:
            module, _, short = name.rpartition(".")
            allowed = find(module, short, trusted)
            # It gets the thing itself: no name that a pickle may only call, or for which another class stands.
            itself = allowed is not None and (name == "numpy.dtype" or allowed.value is attribute(module, short))
            if not itself:
                raise UntrustedPickleError(
                    f"{str(path)!r} holds {name!r}, which is not of a known library; replace that step, or, if it is "
                    f"your own, name it: trust_globals = [{name!r}] (--trust-global {name})"
                )
        model = skops_io.load(path, trusted=untrusted)
        if problem := problem_in(model, trusted):
            raise UntrustedPickleError(f"{str(path)!r} {problem}, which no library writes: ask who made the file")
        return model
    except (SourceError, UntrustedPickleError, MemoryError):
        raise
    except Exception as error:
        # skops raises what zipfile, json and the estimators' own constructors raise.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error


def _open_torch(path: Path) -> Any:
    if path.suffix.lower() != ".pt2":
        raise SourceError(
            f"{str(path)!r} is a pickle of PyTorch, which may be anything; save the model with "
            "torch.export.save(torch.export.export(module, inputs), 'model.pt2')"
        )
    torch = require("torch", repr(str(path)))
    # PyTorch falls back to a pickle of anything where its own restricted one refuses; this is its switch against that.
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        return torch.export.load(str(path))
    except Exception as error:
        # The archive may hold anything; PyTorch has no common class for what it raises.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error


def _open_keras(path: Path) -> Any:
    if path.suffix.lower() != ".keras":
        raise SourceError(
            f"{str(path)!r} may hold layers as compiled code; save the model with model.save('model.keras')"
        )
    keras = require("keras", repr(str(path)))
    try:
        return keras.saving.load_model(str(path), compile=False, safe_mode=True)
    except Exception as error:
        # The archive may hold anything; Keras has no common class for what it raises.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error


_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".onnx": _open_onnx,
    **dict.fromkeys(_TORCH, _open_torch),
    **dict.fromkeys(_KERAS, _open_keras),
}
