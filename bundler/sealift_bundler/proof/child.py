"""The child process that opens a trained model's file and converts it.

Arguments: a working folder, and the process id of the parent.
"""

import json
import pickle
import resource
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift.errors import Error
from sealift.model.documents.description import Tolerance
from sealift_bundler.errors import ParityError, SourceError
from sealift_bundler.proof.progress import into_file, say
from sealift_bundler.source.modules import import_modules
from sealift_common.parent import die_with

if TYPE_CHECKING:
    from sealift_bundler.proof.conversion import Conversion


def main(argv: list[str]) -> int:
    """Convert what `request.json` asks for; write `files/` and `result.json`."""
    work = Path(argv[0])
    die_with(int(argv[1]))
    # What libraries leave in temporary folders goes with ours.
    tempfile.tempdir = str(work)
    request = json.loads((work / "request.json").read_text("utf-8"))
    limit = request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        with into_file(work):
            conversion = _convert(request)
    except MemoryError:
        _answer(work, {"code": SourceError.code, "error": f"the model needs more than {limit:,} bytes of memory"})
        return 1
    except ParityError as error:
        _answer(work, {"code": error.code, "error": str(error), "refusal": dict(error.refusal)})
        return 1
    except Error as error:
        _answer(work, {"code": error.code, "error": str(error)})
        return 1
    (work / "files").mkdir()
    for name, data in conversion.files.items():
        (work / "files" / name).write_bytes(data)
    golden = None if conversion.golden is None else asdict(conversion.golden)
    _answer(work, {"golden": golden, "probe": dict(conversion.probe)})
    return 0


def _answer(work: Path, document: dict[str, Any]) -> None:
    partial = work / "result.partial"
    partial.write_text(json.dumps(document), "utf-8")
    partial.rename(work / "result.json")


def _convert(request: dict[str, Any]) -> "Conversion":
    # First of all: a pickle may hold objects of these modules.
    import_modules(request["imports"])
    from joblib import parallel_config

    from sealift_bundler.converters.encoders.settings import TextFrontend
    from sealift_bundler.proof.conversion import Order
    from sealift_bundler.proof.ladder import convert_object
    from sealift_bundler.samples.files import read_samples
    from sealift_bundler.source.openers import open_model

    samples = _rows(request["samples"])
    order = Order(
        request["name"],
        request["version"],
        Tolerance(*request["tolerance"]),
        tuple(request["imports"]),
        golden=_rows(request["golden"]),
        probe=request["probe"],
        holdout=_rows(request["holdout"]),
        trust_globals=tuple(request["trust_globals"]),
        frontend=None if request["frontend"] is None else TextFrontend.of(request["frontend"]),
    )
    say("opening the model")
    # An estimator says itself how many processes it starts (`n_jobs`), and this limit of memory is for each of them.
    with parallel_config(backend="sequential"):
        model = open_model(Path(request["model"]), order.trust_globals)
        return convert_object(model, read_samples(samples, model) if isinstance(samples, Path) else samples, order)


def _rows(handed: Any) -> Any:
    """Take what the parent handed over: a choice, None, a file that somebody gave us, or its own objects."""
    if not isinstance(handed, dict):
        return handed
    if "file" in handed:
        return Path(handed["file"])
    # Written by our own parent into a folder of its own; every pickle of somebody else goes through `open_model`.
    return pickle.loads(Path(handed["own"]).read_bytes())  # noqa: S301 - ours


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
