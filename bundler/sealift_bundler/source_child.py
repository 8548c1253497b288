"""The child process that opens a trained model's file and converts it: one argument, a working folder."""

import json
import pickle
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

from sealift.errors import Error
from sealift.model.description import Tolerance
from sealift_bundler.errors import SourceError

# Where a pickle's module comes from, when the package has another name.
_PACKAGE_OF = {"sklearn": "scikit-learn", "cv2": "opencv-python", "yaml": "PyYAML", "PIL": "Pillow"}


def main(argv: list[str]) -> int:
    """Convert what `request.json` asks for; write `files/` and `result.json`."""
    work = Path(argv[0])
    request = json.loads((work / "request.json").read_text("utf-8"))
    limit = request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        files = _convert(request)
    except MemoryError:
        _answer(work, {"code": SourceError.code, "error": f"the model needs more than {limit:,} bytes of memory"})
        return 1
    except Error as error:
        _answer(work, {"code": error.code, "error": str(error)})
        return 1
    (work / "files").mkdir()
    for name, data in files.items():
        (work / "files" / name).write_bytes(data)
    _answer(work, {})
    return 0


def _answer(work: Path, document: dict[str, str]) -> None:
    partial = work / "result.partial"
    partial.write_text(json.dumps(document), "utf-8")
    partial.rename(work / "result.json")


def _convert(request: dict[str, Any]) -> dict[str, bytes]:
    from sealift_bundler.ladder import convert_object
    from sealift_bundler.sample_files import read_samples

    samples = Path(request["samples"])
    model = open_model(Path(request["model"]))
    own = request["own_samples"]
    rows = pickle.loads(samples.read_bytes()) if own else read_samples(samples, model)  # noqa: S301 - ours
    tolerance = Tolerance(*request["tolerance"])
    return dict(convert_object(model, rows, request["name"], request["version"], tolerance).files)


def open_model(path: Path) -> Any:
    """Open a model file in this process. A pickle runs its code here.

    Raises:
        SourceError: it needs a module or a name that is not here, or is damaged.
    """
    if path.suffix.lower() == ".onnx":
        from sealift_bundler.converters.onnx import ReadyMade

        return ReadyMade(path)
    import joblib

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions were compared before
            return joblib.load(path)
    except ModuleNotFoundError as error:
        module = str(error.name)
        package = _PACKAGE_OF.get(module.split(".", maxsplit=1)[0], module.split(".", maxsplit=1)[0])
        raise SourceError(
            f"{str(path)!r} needs the module {module!r}, which is not installed; install {package!r} as it was "
            "when the model was saved, or put the module on PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise SourceError(
            f"{str(path)!r} refers to something that its module does not have: {error}; "
            "functions defined in a notebook or script cannot be opened elsewhere"
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        # Opening a pickle runs any code, so it can raise anything.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
