"""Speed of a model on this machine: latency of one row, throughput of batches, on its golden examples."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sealift.model.documents.golden import parse

if TYPE_CHECKING:
    from sealift.model.documents.golden import Example
    from sealift.model.model import Model

PERCENTILES = ("p50", "p90", "p99", "max")
DEFAULT_BATCH_ROWS = 1024
DEFAULT_SECONDS = 2.0

# Clocks and caches settle, and ONNX Runtime allocates its arena, in the first calls.
_WARM_UP_CALLS = 10
# Of rows that differ, so that no branch of a tree is always taken.
_MAX_SINGLE_ROWS = 64


@dataclass(frozen=True)
class Benchmark:
    """Measurements of a model.

    Attributes:
        machine: `cpu`, `cores` that this process may use, and the version of `onnxruntime`.
        latency_us: microseconds of a call with one row, by `PERCENTILES`; empty for a model of named tensors
            whose examples are not rows.
        calls: how many such calls were timed.
        rows_per_second: of calls with `batch_rows` rows.
        batch_rows: rows of such a call.
    """

    machine: Mapping[str, Any]
    latency_us: Mapping[str, float]
    calls: int
    rows_per_second: int
    batch_rows: int

    def document(self) -> dict[str, Any]:
        """Return it as JSON writes it; the form of `conversion.benchmark` in `model.json`."""
        return {
            "machine": dict(self.machine),
            "latency_us": dict(self.latency_us),
            "calls": self.calls,
            "rows_per_second": self.rows_per_second,
            "batch_rows": self.batch_rows,
        }


def benchmark(
    model: "Model", golden: bytes, *, batch_rows: int = DEFAULT_BATCH_ROWS, seconds: float = DEFAULT_SECONDS
) -> Benchmark:
    """Time a model with rows of its golden examples.

    Args:
        model: the model; its first method is called, `predict` where there is one.
        golden: the bytes of its `golden.json`.
        batch_rows: rows of a batch; the golden rows are repeated until they are enough.
        seconds: of measuring, half for single rows and half for batches.

    Raises:
        MalformedError: `golden.json` is not as its schema demands.
        InputError: the model cannot answer its own golden examples.
    """
    example = parse(golden)[0]
    call = _method(model)
    rows = max((len(values) for values in example.inputs.values() if values.ndim), default=1)
    if model.description.interface == "tensors" and not _by_rows(model, example, rows):
        # Shapes are the graph's own: the example is one question, asked as it was recorded.
        singles, batch, batch_rows = [dict(example.inputs)], dict(example.inputs), 1
    else:
        chosen = np.linspace(0, rows - 1, min(rows, _MAX_SINGLE_ROWS)).astype(int)
        singles = [_take(model, example, np.array([row])) for row in chosen]
        batch = _take(model, example, np.arange(batch_rows) % rows)
    taken_ns = _time(call, singles, seconds / 2)
    batches_ns = _time(call, [batch], seconds / 2)
    found = np.percentile(taken_ns, [50, 90, 99, 100]) / 1000
    return Benchmark(
        machine=machine(),
        latency_us={name: round(float(value), 1) for name, value in zip(PERCENTILES, found, strict=True)},
        calls=len(taken_ns),
        rows_per_second=round(batch_rows * len(batches_ns) / (sum(batches_ns) / 1e9)),
        batch_rows=batch_rows,
    )


def machine() -> dict[str, Any]:
    """Say what these figures hold for: the processor, the cores of this process, the runtime."""
    from sealift.model.runtime.onnx import onnxruntime

    return {"cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "onnxruntime": onnxruntime.__version__}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    # Other architectures name none.
    return next(named, os.uname().machine)


def _method(model: "Model") -> Callable[[Any], Any]:
    methods = model.description.methods
    name = "predict" if "predict" in methods else methods[0] if methods else "run"
    call: Callable[[Any], Any] = getattr(model, name)
    return call


def _take(model: "Model", example: "Example", rows: "np.ndarray[Any, Any]") -> Any:
    if model.description.interface in ("columns", "tensors"):
        return {name: values[rows] if values.ndim else values for name, values in example.inputs.items()}
    return next(iter(example.inputs.values()))[rows]


def _by_rows(model: "Model", example: "Example", rows: int) -> bool:
    """Return whether every tensor has the same free first dimension."""
    return all(
        bool(tensor.shape) and isinstance(tensor.shape[0], str) and len(example.inputs[tensor.name]) == rows
        for tensor in model.inputs
    )


def _time(call: Callable[[Any], Any], questions: Sequence[Any], seconds: float) -> list[int]:
    """Ask in turn until the time is over; nanoseconds of each call, at least one."""
    for number in range(_WARM_UP_CALLS):
        call(questions[number % len(questions)])
    taken: list[int] = []
    end = time.perf_counter_ns() + int(seconds * 1e9)
    now = 0
    while now < end:
        question = questions[len(taken) % len(questions)]
        started = time.perf_counter_ns()
        call(question)
        now = time.perf_counter_ns()
        taken.append(now - started)
    return taken
