"""Open a trained model's file in a child process, with limits of time and memory.

A pickle is a program. Here it may use what `source.unpickling.allowed_globals` lists and no more; the estimators that
it makes still run their libraries' code on what the file says. The child contains crashes, hangs and memory; it is not
a sandbox, but its environment holds no secret, and it starts in a folder of its own. What comes back to the parent is
the finished files, never the pickle's objects.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sealift.child_environment import child_environment
from sealift.errors import Error
from sealift_bundler.disclosure import redacted
from sealift_bundler.errors import ConversionError, ParityError, SourceError
from sealift_bundler.proof.conversion import Conversion, Golden, Order, is_choice
from sealift_bundler.proof.progress import Follower
from sealift_bundler.source.openers import check_source
from sealift_common.files import scratch

# What is kept of what the child says last; a file can make its libraries print without end.
_TAIL_BYTES = 4096
_LAST_WORDS_S = 5.0
# Between two looks at how far the child is.
_LOOK_S = 0.2


@dataclass(frozen=True)
class ChildLimits:
    """Bounds of the child process that opens and converts a file."""

    timeout_s: float = 1800.0
    # Address space: numeric libraries reserve several times what they use.
    memory_bytes: int = 32 * 1024**3


def convert_in_child(path: Path, samples: Any, order: Order, limits: ChildLimits | None) -> Conversion:
    """Open and convert the file at `path` in a child process; see `convert`.

    Raises:
        UntrustedPickleError: the file asks for a class or function that is neither listed nor trusted.
        SourceError: the file cannot be opened, or the child ran out of time or memory.
        Error: whatever the conversion itself refuses.
    """
    limits = limits or ChildLimits()
    check_source(path)
    with scratch.folder("sealift-convert") as work:
        request = {
            "model": str(path.absolute()),
            "samples": _handed(work, "samples", samples),
            "golden": order.golden if is_choice(order.golden) else _handed(work, "golden", order.golden),
            "holdout": _handed(work, "holdout", order.holdout),
            "probe": order.probe,
            "name": order.name,
            "version": order.version,
            "tolerance": [order.tolerance.atol, order.tolerance.rtol],
            "imports": order.imports,
            "trust_globals": order.trust_globals,
            "frontend": None if order.frontend is None else order.frontend.document(),
            "memory_bytes": limits.memory_bytes,
        }
        (work / "request.json").write_text(json.dumps(request), "utf-8")
        child = _run(work, path, limits)
        return _result(work, path, child)


def _handed(work: Path, what: str, rows: Any) -> dict[str, str] | None:
    """Say where the child finds rows: a file that somebody gave us, or our own objects on the way to our own child."""
    if rows is None:
        return None
    if isinstance(rows, str | Path):
        return {"file": str(Path(rows).absolute())}
    (work / f"{what}.pickle").write_bytes(pickle.dumps(rows))
    return {"own": str(work / f"{what}.pickle")}


def _run(work: Path, path: Path, limits: ChildLimits) -> "subprocess.CompletedProcess[bytes]":
    # -P: a module in the working directory must not shadow one that the pickle asks for.
    command = [sys.executable, "-P", "-m", "sealift_bundler.proof.child", str(work), str(os.getpid())]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=child_environment(),
        cwd=work,
        # A group of its own: processes that its libraries start end with it.
        start_new_session=True,
    )
    said = bytearray()
    listener = threading.Thread(target=_keep_tail, args=(child.stderr, said), daemon=True)
    listener.start()
    follower, deadline = Follower(work), time.monotonic() + limits.timeout_s
    try:
        while True:
            try:
                child.wait(min(_LOOK_S, max(deadline - time.monotonic(), 0.0)))
                break
            except subprocess.TimeoutExpired:
                follower.look()
                if time.monotonic() >= deadline:
                    raise SourceError(
                        f"opening and converting {str(path)!r} took longer than {limits.timeout_s:g} s; raise the limit"
                    ) from None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        listener.join(_LAST_WORDS_S)
    return subprocess.CompletedProcess(command, child.returncode, b"", bytes(said))


def _keep_tail(stream: "IO[bytes] | None", said: bytearray) -> None:
    if stream is None:
        return
    with stream:
        while piece := os.read(stream.fileno(), 1 << 16):
            said += piece
            del said[:-_TAIL_BYTES]


def _result(work: Path, path: Path, child: "subprocess.CompletedProcess[bytes]") -> Conversion:
    result = work / "result.json"
    if not result.is_file():
        tail = " ".join(child.stderr.decode("utf-8", errors="replace").split())[-300:]
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"status {child.returncode}"
        last_words = redacted(tail, but=str(path)) or "no message"
        raise SourceError(f"opening {str(path)!r} ended its process with {how}: {last_words}")
    document = json.loads(result.read_text("utf-8"))
    if "error" in document:
        # What libraries raise may quote a cell of the samples.
        error = _error_class(document["code"])(redacted(document["error"], but=str(path)))
        if isinstance(error, ParityError):
            error.refusal = document.get("refusal", {})
        raise error
    files = {file.name: file.read_bytes() for file in sorted((work / "files").iterdir())}
    return Conversion(files, Golden(**document["golden"]), document["probe"])


def _error_class(code: str) -> type[Error]:
    waiting: list[type[Error]] = [Error]
    while waiting:
        cls = waiting.pop()
        if cls.code == code:
            return cls
        waiting.extend(cls.__subclasses__())
    return ConversionError
