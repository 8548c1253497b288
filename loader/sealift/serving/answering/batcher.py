"""Batches without waiting: what came while a run was under way goes together into the next one.

Nothing is delayed in order to be joined. A run that is expected to be short happens on the event loop itself, where a
thread would cost more than the run; requests that arrive meanwhile lie in their sockets and are the next batch. A long
one happens in a thread, one for each model at a time, so that the loop answers everything else meanwhile.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from http import HTTPStatus
from typing import NamedTuple

from sealift.errors import Error, InputError
from sealift.limits import LIMITS
from sealift.logs import logger
from sealift.model.model import Model
from sealift.serving.answering.question import Answers, Question, ask
from sealift.serving.refusals import RefusedError, refused

# A run that is expected to be shorter happens on the event loop: a hundredth of a second that others wait.
_SHORT_S = 0.01
_LATEST_SHARE = 0.2
_LOG = logger(__name__)


class Job(NamedTuple):
    """A question that waits, or is being answered.

    Attributes:
        size: bytes of the request, which tell how long it takes better than its rows do.
        deadline: of the event loop's clock.
    """

    model: Model
    question: Question
    size: int
    deadline: float
    answer: "asyncio.Future[Answers]"


class Batcher:
    """Asks one model at a time what its clients want to know.

    Args:
        executor: where long runs happen.
        observe: told of each run: how many requests it answered.
    """

    def __init__(self, executor: Executor, observe: Callable[[int], object]) -> None:
        self._executor = executor
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._running: Sequence[Job] = ()
        self._is_busy = False
        # For those that do not wait.
        self._never: asyncio.Future[Answers] = self._loop.create_future()
        # Of the runs before, so that the next one can be estimated; unknown at first.
        self._run_s = 0.0
        self._run_bytes = 0.0

    @property
    def waiting(self) -> int:
        """How many requests wait for a run."""
        return len(self._waiting)

    async def ask(
        self, model: Model, question: Question, size: int, deadline_s: float, *, alone: bool = False
    ) -> Answers:
        """Answer a question together with others.

        Args:
            size: bytes of its request.
            deadline_s: how long it may wait and run.
            alone: whether there is no other request, so that a short run can be now.

        Raises:
            RefusedError: too many wait, its rows do not fit the model, or the deadline has passed.
        """
        if len(self._waiting) >= LIMITS.serve_waiting:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "busy", f"{len(self._waiting)} requests wait for this model already"
            )
        if alone and not self._is_busy and self._is_short(size):
            return self._now(Job(model, question, size, 0.0, self._never))
        answer: asyncio.Future[Answers] = self._loop.create_future()
        self._waiting.append(Job(model, question, size, self._loop.time() + deadline_s, answer))
        if not self._is_busy:
            self._is_busy = True
            # After what else is ready now: those requests join this run.
            self._loop.call_soon(self._next)
        return await answer

    def expire(self) -> None:
        """Refuse what waits, or runs, beyond its deadline; a run itself goes on, and its answer is dropped."""
        now = self._loop.time()
        for job in [*self._running, *self._waiting]:
            if now >= job.deadline and not job.answer.done():
                job.answer.set_exception(
                    RefusedError(HTTPStatus.GATEWAY_TIMEOUT, "deadline", "the model did not answer in time")
                )
        if any(job.answer.done() for job in self._waiting):
            self._waiting = deque(job for job in self._waiting if not job.answer.done())

    def _next(self) -> None:
        batch = self._take()
        if not batch:
            self._is_busy = False
            return
        size = sum(job.size for job in batch)
        if self._is_short(size):
            self._deliver(batch, *_run(batch))
            # What waits still has another turn, after the connections had theirs.
            if self._waiting:
                self._loop.call_soon(self._next)
            else:
                self._is_busy = False
            return
        self._running = batch
        self._loop.run_in_executor(self._executor, _run, batch).add_done_callback(self._ended)

    def _is_short(self, size: int) -> bool:
        return bool(self._run_bytes) and self._run_s * max(1.0, size / self._run_bytes) <= _SHORT_S

    def _now(self, job: Job) -> Answers:
        (result,), took_s = _run([job])
        self._note(1, job.size, took_s)
        if isinstance(result, RefusedError):
            raise result
        return result

    def _ended(self, run: "asyncio.Future[tuple[list[Answers | RefusedError], float]]") -> None:
        batch, self._running = self._running, ()
        self._deliver(batch, *run.result())
        self._next()

    def _take(self) -> list[Job]:
        """Take the first that waits, and what may go with it."""
        batch: list[Job] = []
        rows = 0
        while self._waiting and len(batch) < LIMITS.serve_batch_requests:
            job = self._waiting[0]
            count = job.question.length
            if batch and (
                count is None
                or job.model._engine is not batch[0].model._engine
                or job.question.key != batch[0].question.key
                or rows + count > LIMITS.serve_batch_rows
            ):
                break
            self._waiting.popleft()
            if job.answer.done():  # its client's deadline, or its client, is gone
                continue
            batch.append(job)
            rows += count or 0
            if count is None:
                break
        return batch

    def _deliver(self, batch: Sequence[Job], results: "list[Answers | RefusedError]", took_s: float) -> None:
        self._note(len(batch), sum(job.size for job in batch), took_s)
        for job, result in zip(batch, results, strict=True):
            if job.answer.done():
                continue
            if isinstance(result, RefusedError):
                job.answer.set_exception(result)
            else:
                job.answer.set_result(result)

    def _note(self, requests: int, size: int, took_s: float) -> None:
        self._observe(requests)
        share = _LATEST_SHARE if self._run_bytes else 1.0
        self._run_s += share * (took_s - self._run_s)
        self._run_bytes += share * (size - self._run_bytes)


def _run(batch: Sequence[Job]) -> "tuple[list[Answers | RefusedError], float]":
    """Answer a batch; one bad row is found by asking each alone, so that it fails alone. Returns seconds as well."""
    started = time.perf_counter()
    results: list[Answers | RefusedError] | None = None
    if len(batch) > 1:
        try:
            results = list(ask(batch[0].model, [job.question for job in batch]))
        except InputError:
            results = None
        except Exception as error:  # noqa: BLE001 - told to all of them
            results = [_refusal(error) for _ in batch]
    if results is None:
        results = [_alone(job) for job in batch]
    return results, time.perf_counter() - started


def _alone(job: Job) -> Answers | RefusedError:
    try:
        return ask(job.model, [job.question])[0]
    except Exception as error:  # noqa: BLE001 - told to the client
        return _refusal(error)


def _refusal(error: Exception) -> RefusedError:
    if isinstance(error, Error):
        return refused(error)
    if isinstance(error, MemoryError):
        return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "memory", "too little memory for this request here")
    _LOG.error("a model failed", exc_info=error)
    return RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "an error of the server's own; see its log")
