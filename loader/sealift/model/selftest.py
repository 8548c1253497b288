"""Replay the golden examples: a model must answer here what the original answered there.

`replay` runs in the calling process. `run_in_child` runs it in another one, so that a crash or a hang
in a native library is a refusal and not a half install.
"""

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift.errors import SelfTestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sealift.model.golden import Example
    from sealift.model.model import Model

# A child that says more than this on stderr says it in its last lines.
_STDERR_TAIL_CHARS = 300


@dataclass(frozen=True)
class SelfTestResult:
    """A self-test that passed: rows replayed, and seconds including the start of the child."""

    rows: int
    seconds: float


def replay(model: "Model", golden: bytes) -> int:
    """Answer every golden example and compare; return the rows replayed.

    Raises:
        SelfTestError: an answer differs from the recorded one beyond the model's tolerance, or the
            model cannot answer.
        MalformedError: `golden.json` is not as its schema demands.
    """
    from sealift.model.golden import parse

    return sum(_replay_one(model, index, example) for index, example in enumerate(parse(golden)))


def _replay_one(model: "Model", index: int, example: "Example") -> int:
    from sealift.errors import Error

    what = f"model {model.name!r} version {model.version!r}, golden example {index}"
    answers: dict[str, NDArray[Any]] = {}
    try:
        if model.description.interface == "tensors":
            answers = model.run(example.inputs)
        else:
            rows: Any = example.inputs
            if model.description.interface != "columns":
                rows = next(iter(example.inputs.values()))
            for method in model.description.methods:
                answer = getattr(model, method)(rows)
                # A list of arrays is recorded under its method's name and a number.
                several = isinstance(answer, list)
                answers.update(
                    {f"{method}.{place}": one for place, one in enumerate(answer)} if several else {method: answer}
                )
    except Error as error:
        raise SelfTestError(f"{what}: {error}") from error
    for name, expected in example.outputs.items():
        if name not in answers:
            raise SelfTestError(f"{what} expects {name!r}, which this model does not answer")
        _compare(f"{what}, {name}", answers[name], expected, model)
    return max((len(values) for values in example.inputs.values() if values.ndim), default=1)


def _compare(what: str, got: "NDArray[Any]", expected: "NDArray[Any]", model: "Model") -> None:
    import numpy as np

    if got.shape != expected.shape:
        raise SelfTestError(f"{what} has shape {list(got.shape)}; expected {list(expected.shape)}")
    if expected.dtype.kind == "f" and got.dtype.kind in "fiu":
        tolerance = model.description.tolerance
        wrong = ~np.isclose(got, expected, atol=tolerance.atol, rtol=tolerance.rtol, equal_nan=True)
    else:
        wrong = got != expected
    if np.any(wrong):
        place = tuple(int(part) for part in np.argwhere(wrong)[0])
        raise SelfTestError(
            f"{what} differs in {int(np.sum(wrong))} of {wrong.size} values; "
            f"at {list(place)} expected {expected[place]!r:.80}, got {got[place]!r:.80}"
        )


def run_in_child(directory: Path, what: str, *, timeout_s: float) -> SelfTestResult:
    """Load the model directory in a child process and replay its golden examples there.

    Args:
        directory: Holds the verified files of one model.
        what: The model, for error messages.
        timeout_s: The child is killed after this many seconds.

    Raises:
        SelfTestError: an answer differs, the model cannot be loaded here, or the child crashed or hung.
    """
    started = time.monotonic()
    # -P: the directory that the admin happens to stand in must not be able to shadow a module.
    command = [sys.executable, "-P", "-m", "sealift.model.selftest_child", str(directory)]
    try:
        child = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False, close_fds=True
        )
    except subprocess.TimeoutExpired:
        raise SelfTestError(f"model {what!r} did not finish its self-test in {timeout_s:g} s") from None
    result = _result(child.stdout)
    if child.returncode < 0:
        raise SelfTestError(
            f"model {what!r} crashed its self-test with {_signal(-child.returncode)}; "
            "this machine or its onnxruntime cannot run it"
        )
    if "error" in result:
        raise SelfTestError(f"model {what!r} failed its self-test: {result['error']}")
    if child.returncode != 0 or type(result.get("rows")) is not int:
        tail = " ".join(child.stderr.decode("utf-8", errors="replace").split())[-_STDERR_TAIL_CHARS:]
        raise SelfTestError(f"model {what!r} failed its self-test with status {child.returncode}: {tail}")
    return SelfTestResult(rows=result["rows"], seconds=time.monotonic() - started)


def _result(stdout: bytes) -> dict[str, Any]:
    lines = stdout.decode("utf-8", errors="replace").splitlines()
    try:
        document = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
