"""The project's Python file: `rows(events) -> (frame, labels, ids)`, `SPACE`, `build(params, seed) -> estimator`.

It is the author's own program, and runs with the author's rights: what it may do, its author may do. What it raises
becomes one line that names the file, and no value that the disclosure scan would withhold.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift_bundler.disclosure import redacted
from sealift_common.files.secret_file import read_regular
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.runs.document import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Estimators of classes in the file are pickled from one process to another under this name.
MODULE = "sealift_project"
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Code:
    """A project's Python file, run once.

    Attributes:
        path: of the file.
        digest: of the bytes that ran.
        rows: from a `pyarrow.Table` of events to rows of a model, their labels, and the object that each is about.
        space: name of a parameter to what it can be; see `training.search.space`.
        build: from parameters and a seed to an estimator that is not fitted.
    """

    path: Path
    digest: str
    rows: Callable[[Any], Any]
    space: Mapping[str, Any]
    build: Callable[[Mapping[str, Any], int], Any]


def code_digest(path: Path) -> str:
    """Return the digest of a project's Python file; see `load_code` for what it raises."""
    return digest(_read(path))


def load_code(path: Path) -> Code:
    """Run a project's Python file.

    Raises:
        ProjectError: it cannot be read, raises, or lacks one of its three names.
    """
    data = _read(path)
    spec = importlib.util.spec_from_loader(MODULE, loader=None, origin=str(path))
    if spec is None:
        raise ProjectError(f"{path.name} cannot be a module")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[MODULE] = module
    with own_code(path, "raises when it is run"):
        # The bytes that were hashed are the bytes that run.
        exec(compile(data, str(path), "exec"), module.__dict__)  # noqa: S102 - the author's own program
    for name in ("rows", "build"):
        if not callable(getattr(module, name, None)):
            raise ProjectError(f"{path.name} has no function {name!r}; see `sealift-pipeline retrain --help`")
    space = getattr(module, "SPACE", None)
    if not isinstance(space, dict):
        raise ProjectError(f"{path.name} has no dictionary SPACE; write SPACE = {{}} if there is nothing to search")
    return Code(path, digest(data), module.rows, space, module.build)


@contextmanager
def own_code(path: Path, what: str) -> "Iterator[None]":
    """Run a block of the author's code; what it raises becomes a ProjectError that says `what` raises, and where."""
    try:
        yield
    except (ProjectError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        line = _line(path, error)
        reason = redacted(" ".join(str(error).split())[:300])
        where = f"{path.name}:{line}" if line else path.name
        raise ProjectError(f"{where} {what}: {type(error).__name__}: {reason}") from error


def _line(path: Path, error: BaseException) -> int:
    """Return the last line of the file that took part; of a file that is no Python, the line that is not."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    found, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _read(path: Path) -> bytes:
    try:
        data, _ = read_regular(path, _MOST_BYTES + 1)
    except OSError as error:
        raise ProjectError(f"the project's code {str(path)!r} cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise ProjectError(f"the project's code {str(path)!r} has more than {_MOST_BYTES:,} bytes; expected one module")
    return data
