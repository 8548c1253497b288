"""The parent's side of the self-test: one child process that tries models out, and may die of it.

A crash, a hang or a graph that wants all memory is then a refusal and not a half install. One child serves all
models of an install, because starting ONNX Runtime takes longer than trying most models.

Questions and answers are lines of JSON on the child's stdin and stdout; see `sealift.model.trial.child`.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sealift.child_environment import child_environment
from sealift.errors import (
    DigestError,
    Error,
    IncompatibleError,
    LimitError,
    MalformedError,
    SelfTestError,
    UnsupportedVersionError,
)
from sealift.limits import LIMITS
from sealift.model.documents.description import Requirements
from sealift.model.runtime import memory_file
from sealift.model.runtime.memory import free_memory_bytes
from sealift.model.trial import comparison
from sealift.model.trial.comparison import Compared
from sealift_common.wording import human

# What the child says of a model that is at fault, by its stable word; anything else is a failed self-test.
_REFUSALS: Mapping[str, type[Error]] = {
    cls.code: cls for cls in (DigestError, IncompatibleError, LimitError, MalformedError, UnsupportedVersionError)
}
# How ONNX Runtime, the C++ library, NumPy and Python say it.
_OUT_OF_MEMORY = re.compile("bad_alloc|[Ff]ailed to allocate memory|[Uu]nable to allocate|MemoryError")
_REQUESTED = re.compile(r"requested buffer of size ([0-9]{1,18})", re.ASCII)
# A child that says more than this on stderr says it in its last lines.
_STDERR_TAIL_BYTES = 300


@dataclass(frozen=True)
class SelfTestResult:
    """A self-test that passed: rows replayed, and seconds it took."""

    rows: int
    seconds: float


class SelfTestProcess:
    """A child process, started at once; close it, or use it as a context manager.

    Args:
        timeout_s: seconds for one model; then the child is killed.
        memory_bytes: what one model may allocate, on top of copies of its weights, even if less is free now; None means
            `LIMITS.self_test_memory_bytes`, and never more than most of what is free.
    """

    def __init__(self, *, timeout_s: float = LIMITS.self_test_timeout_s, memory_bytes: int | None = None) -> None:
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes or LIMITS.self_test_memory_bytes
        self._most_bytes = None if memory_bytes else int(free_memory_bytes() * LIMITS.self_test_memory_share)
        self._buffer = b""
        self._stderr = memory_file.create("self-test")
        # -P: the directory that the admin happens to stand in must not be able to shadow a module.
        command = [
            sys.executable,
            "-P",
            "-m",
            "sealift.model.trial.child",
            str(os.getpid()),
            str(self._memory_bytes),
            *([] if self._most_bytes is None else [str(self._most_bytes)]),
        ]
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            # A graph is somebody's program: it is told no secrets, and finds no files next to it.
            env=child_environment(),
            cwd="/",
            # Ctrl-C is the parent's to handle; it ends the child itself.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1

    def lacks(self, requires: Requirements, what: str) -> list[str]:
        """Return what this machine lacks in order to run a model of these requirements.

        Raises:
            IncompatibleError: ONNX Runtime itself cannot be started here.
        """
        try:
            answer = self._ask({"requires": requires._asdict()}, what)
        except SelfTestError as error:
            raise IncompatibleError(f"onnxruntime cannot be started on this machine: {error}") from None
        found = answer.get("problems")
        if not isinstance(found, list) or not all(isinstance(problem, str) for problem in found):
            raise _nonsense(what)
        return found

    def replay(self, directory: Path, what: str) -> SelfTestResult:
        """Load the model in `directory` in the child and replay its golden examples there.

        Args:
            directory: holds the verified files of one model.
            what: the model, for error messages.

        Raises:
            SelfTestError: an answer differs, or the child crashed, hung, or wanted more memory than it may have.
            IncompatibleError: the graph does not load here.
            MalformedError, UnsupportedVersionError, LimitError, DigestError: a file is not as its schema demands.
        """
        started = time.monotonic()
        answer = self._try("replay", directory, what)
        return SelfTestResult(rows=_number(answer, "rows", what), seconds=time.monotonic() - started)

    def compare(self, directory: Path, what: str) -> list[Compared]:
        """Load the model in `directory` in the child, and return its answers beside the recorded ones, for people.

        Args:
            directory, what: as for `replay`.

        Raises:
            SelfTestError, IncompatibleError, MalformedError, UnsupportedVersionError: as `replay`; an answer that
                differs is none of them.
        """
        with tempfile.NamedTemporaryFile(prefix="sealift-", suffix=".json") as file:
            self._try("compare", directory, what, into=file.name)
            return comparison.read(Path(file.name), what)

    def _try(self, verb: str, directory: Path, what: str, **more: str) -> dict[str, Any]:
        place = str(directory.absolute())
        allowed = _number(self._ask({"allow": place}, what), "memory_bytes", what)
        try:
            return self._ask({verb: place, **more}, what)
        except (SelfTestError, IncompatibleError) as error:
            if _OUT_OF_MEMORY.search(str(error)) is None:
                raise
            raise self._out_of_memory(what, allowed, str(error)) from None

    def _ask(self, question: Mapping[str, Any], what: str) -> dict[str, Any]:
        assert self._child.stdin is not None  # noqa: S101 - PIPE was asked for
        with suppress(BrokenPipeError):  # a dead child is noticed when its answer is missing
            self._child.stdin.write(json.dumps(question).encode() + b"\n")
        answer = self._answer(what)
        if "error" in answer:
            refusal = _REFUSALS.get(answer.get("code", ""), SelfTestError)
            raise refusal(f"model {what!r} failed its self-test: {answer['error']}")
        return answer

    def _answer(self, what: str) -> dict[str, Any]:
        """Wait for the next line of JSON; what native libraries print on stdout in between is passed over."""
        assert self._child.stdout is not None  # noqa: S101 - PIPE was asked for
        deadline = time.monotonic() + self._timeout_s
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                with suppress(ValueError):
                    answer = json.loads(line)
                    if isinstance(answer, dict):
                        return answer
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._child.stdout], [], [], left)[0]:
                raise SelfTestError(f"model {what!r} did not finish its self-test in {self._timeout_s:g} s")
            data = os.read(self._child.stdout.fileno(), LIMITS.self_test_answer_bytes)
            if not data or len(self._buffer) + len(data) > 2 * LIMITS.self_test_answer_bytes:
                raise self._death(what)
            self._buffer += data

    def _out_of_memory(self, what: str, allowed: int, reason: str) -> SelfTestError:
        """Say which limit it was, what was asked for where that is known, and who can allow more."""
        asked = _REQUESTED.search(reason)
        requested = int(asked[1]) if asked else 0
        more = -(-max(2 * self._memory_bytes, self._memory_bytes + requested) // 10**9)
        if self._most_bytes is not None and allowed >= self._most_bytes:
            whose, do = f"{LIMITS.self_test_memory_share:.0%} of what is free", "free some memory, or allow more"
        else:
            whose, do = f"{human(self._memory_bytes)}, and copies of its weights", "if it is to have more, allow that"
        return SelfTestError(
            f"model {what!r} failed its self-test: it needs more memory than the {human(allowed)} that it may "
            f"allocate here ({whose})"
            + (f", for it asked for {human(requested)} at once" if requested else "")
            + f"; {do} with `--self-test-memory {more}GB`"
        )

    def _death(self, what: str) -> SelfTestError:
        self._child.kill()
        status = self._child.wait()
        size = os.lseek(self._stderr, 0, os.SEEK_END)
        said = os.pread(self._stderr, _STDERR_TAIL_BYTES, max(0, size - _STDERR_TAIL_BYTES))
        tail = " ".join(said.decode("utf-8", errors="replace").split())
        if status == -signal.SIGKILL:
            return SelfTestError(
                f"model {what!r} did not end its self-test: its process was killed, as Linux does where memory runs "
                "out; free some memory, or allow less with `--self-test-memory SIZE`"
            )
        if status < 0:
            return SelfTestError(
                f"model {what!r} crashed its self-test with {_signal(-status)}; "
                f"this machine or its onnxruntime cannot run it" + (f": {tail}" if tail else "")
            )
        return SelfTestError(f"model {what!r} failed its self-test with status {status}: {tail}")


def run_in_child(
    directory: Path, what: str, *, timeout_s: float = LIMITS.self_test_timeout_s, memory_bytes: int | None = None
) -> SelfTestResult:
    """Try one model out in a child of its own; see `SelfTestProcess.replay`."""
    with SelfTestProcess(timeout_s=timeout_s, memory_bytes=memory_bytes) as process:
        return process.replay(directory, what)


def _number(answer: Mapping[str, Any], key: str, what: str) -> int:
    value = answer.get(key)
    if type(value) is not int or value < 0:
        raise _nonsense(what)
    return value


def _nonsense(what: str) -> SelfTestError:
    """The child runs what others made, which may have taken its voice."""
    return SelfTestError(f"model {what!r} failed its self-test: its process did not answer what it was asked")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
