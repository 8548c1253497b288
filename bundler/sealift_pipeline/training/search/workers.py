"""Processes that score parameters for this one: each answers one question at a time, on one thread.

A library that adds up on several threads adds in another order; so the processor's threads are for workers, and one
worker gives the same bits as four. A worker sees no secret in its environment and ends with its parent.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from sealift.child_environment import child_environment
from sealift_bundler.disclosure import redacted
from sealift_common.files import scratch
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.training.project.code import Code
from sealift_pipeline.training.rows import Rows

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")
TASK_FILE = "task.pickle"
_TAIL_BYTES = 4096


class Worker:
    """One process.

    Args:
        work: folder with the task.
        number: of the worker, from 0.
    """

    def __init__(self, work: Path, number: int) -> None:
        self._said = work / f"said-{number}.txt"
        command = [sys.executable, "-P", "-m", "sealift_pipeline.training.search.worker", str(work), str(os.getpid())]
        with self._said.open("wb") as said:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=child_environment() | _ONE_THREAD,
                cwd=work,
                start_new_session=True,
            )

    def ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer to a question.

        Raises:
            ProjectError: the author's code raises, or ends the process.
        """
        if self._child.stdin is None or self._child.stdout is None:
            raise ProjectError("the process that scores parameters has no pipes")
        line = b""
        try:
            self._child.stdin.write(json.dumps(dict(question)).encode() + b"\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
        except BrokenPipeError:
            pass
        if not line:
            status = self._child.wait()
            tail = self._said.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").split()
            said = redacted(" ".join(tail)[-300:]) or "no message"
            raise ProjectError(f"the process that scores parameters ended with status {status}: {said}")
        answer: Mapping[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProjectError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()


class Workers:
    """Several processes for the same rows; use `working`."""

    def __init__(self, work: Path, number: int) -> None:
        self._work = work
        self._workers: list[Worker] = []
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for place in range(number):
            self._workers.append(Worker(work, place))
            self._free.put(self._workers[-1])

    def score(self, asked: Sequence[Mapping[str, Any]]) -> list[float]:
        """Return the score of each set of parameters, in their order; NaN where it is none.

        Raises:
            ProjectError: as `Worker.ask`.
        """
        with ThreadPoolExecutor(len(self._workers)) as pool:
            answers = list(pool.map(self._answer, [{"score": dict(params)} for params in asked]))
        return [float("nan") if one["score"] is None else float(one["score"]) for one in answers]

    def fitted(self, params: Mapping[str, Any]) -> Any:
        """Return an estimator that learned from all rows but those for testing.

        Raises:
            ProjectError: as `Worker.ask`.
        """
        self._answer({"fit": dict(params)})
        # Written by our own child into a folder of ours, from the author's own code.
        return pickle.loads((self._work / "fitted.pickle").read_bytes())  # noqa: S301 - ours

    def _answer(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        worker = self._free.get()
        try:
            return worker.ask(question)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.close()


@contextmanager
def working(code: Code, rows: Rows, *, seed: int, metric: str, number: int) -> Iterator[Workers]:
    """Give workers for some rows; they end with the block.

    Args:
        rows: all of them; those for testing are not handed over.
        number: how many processes, at least 1.

    Raises:
        ProjectError: the rows cannot be handed over.
    """
    with scratch.folder("sealift-train") as work:
        handed = rows.part("train", "validation")
        task = {
            "code": str(code.path.absolute()),
            "digest": code.digest,
            "rows": handed,
            "seed": seed,
            "metric": metric,
        }
        (work / TASK_FILE).write_bytes(pickle.dumps(task))
        workers = Workers(work, number)
        try:
            yield workers
        finally:
            workers.close()
