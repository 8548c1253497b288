"""Loggers of the package: `sealift.*`, silent until the application gives them a handler; nothing is ever sent."""

import logging
import time

# Without it, Python prints warnings of an application that never set up logging.
logging.getLogger("sealift").addHandler(logging.NullHandler())


def logger(name: str) -> logging.Logger:
    """Return the logger of module `name`, for example `sealift.store.store`."""
    return logging.getLogger(name)


class Stopwatch:
    """Milliseconds of the steps of one piece of work, in their order."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self.steps_ms: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """Note that `step` has just ended."""
        now = time.perf_counter()
        self.steps_ms[step] = round((now - self._last) * 1000, 3)
        self._last = now

    @property
    def total_ms(self) -> float:
        """Milliseconds from the beginning to the last lap."""
        return round((self._last - self._started) * 1000, 3)
