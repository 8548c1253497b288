"""Group commit: records that arrive while one transaction is written share the next one, and each waits for its own."""

import threading
from collections import deque
from concurrent.futures import Future

from sealift_common.errors import Error
from sealift_pipeline.data_policy.record import Record
from sealift_pipeline.errors import EventLogError
from sealift_pipeline.log.base import EventLog

# Requests that wait for the disk. GitLab gives up after 10 s, so more would be answered too late.
MOST_WAITING = 2_000
_MOST_IN_ONE = 256
_ANSWER_S = 9.0


class Committer:
    """One thread that writes to the log what all others hand over."""

    def __init__(self, log: EventLog, *, most_waiting: int = MOST_WAITING) -> None:
        self._log = log
        self._most_waiting = most_waiting
        self._waiting: deque[tuple[Record, Future[bool]]] = deque()
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records wait now."""
        return len(self._waiting)

    def commit(self, record: Record) -> bool:
        """Return once the record is on the disk; False where its key was there before.

        Raises:
            EventLogError: too many wait, or the log did not take it; nothing may be acknowledged.
        """
        answer: Future[bool] = Future()
        with self._changed:
            if len(self._waiting) >= self._most_waiting or not self._open:
                raise EventLogError(f"{len(self._waiting):,} events wait for the log already; check its disk")
            self._waiting.append((record, answer))
            self._changed.notify()
        try:
            return answer.result(_ANSWER_S)
        except TimeoutError:
            raise EventLogError(f"the log took nothing for {_ANSWER_S:.0f} s; check its disk") from None

    def close(self) -> None:
        """Write what waits, and end."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._open and not self._waiting:
                    self._changed.wait()
                if not self._waiting:
                    return
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_IN_ONE))]
            try:
                new = self._log.append([record for record, _ in batch])
            except (Error, OSError) as error:
                for _, answer in batch:
                    answer.set_exception(error if isinstance(error, Error) else EventLogError(str(error)))
            except BaseException as error:  # noqa: BLE001 - a bug must not leave others waiting
                for _, answer in batch:
                    answer.set_exception(error)
            else:
                for (_, answer), is_new in zip(batch, new, strict=True):
                    answer.set_result(is_new)
