"""What the receiver has seen, for `/metrics` and for the lines it logs."""

import sys
import threading
import time
from collections import Counter

import click

from sealift_common.console import plain
from sealift_pipeline.log.base import Position

RESULTS = (
    "accepted",
    "duplicate",
    "ignored",
    "rejected",
    "unauthorized",
    "too_large",
    "malformed",
    "unavailable",
)
# A client that is refused a thousand times a second must not fill the journal.
_LINES_PER_S = 10


class Counters:
    """Counts since the start, and lines on stderr."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._second, self._lines, self._left_out = 0, 0, 0
        self._last_accepted = 0.0

    def count(self, result: str, line: str = "") -> None:
        """Count one request, and log a line about it if there is one."""
        with self._lock:
            self._counts[result] += 1
            if result == "accepted":
                self._last_accepted = time.time()
            if line and self._may_log():
                left_out, self._left_out = self._left_out, 0
                more = f" ({left_out} lines like this left out before)" if left_out else ""
                click.echo(plain(f"sealift-pipeline: {line}{more}"), file=sys.stderr)

    def _may_log(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > _LINES_PER_S:
            self._left_out += 1
        return self._lines <= _LINES_PER_S

    def of(self, result: str) -> int:
        """Return how often something happened."""
        return self._counts[result]

    def text(self, position: Position, waiting: int) -> str:
        """Return what Prometheus scrapes, in its text format 0.0.4."""
        lines = [
            "# HELP sealift_pipeline_events_total Requests to the receiver, by what became of them.",
            "# TYPE sealift_pipeline_events_total counter",
            *(f'sealift_pipeline_events_total{{result="{name}"}} {self._counts[name]}' for name in RESULTS),
        ]
        gauges = {
            "last_accepted_timestamp_seconds": ("When an event was last accepted.", self._last_accepted),
            "commit_queue": ("Events that wait for the disk.", waiting),
            "log_last_seq": ("Number of the newest event in the log.", position.last),
            "log_waiting": ("Events in the log that are not landed.", position.waiting),
            "log_rejected": ("Events that were kept by digest only.", position.rejected),
        }
        for name, (meaning, value) in gauges.items():
            lines += [
                f"# HELP sealift_pipeline_{name} {meaning}",
                f"# TYPE sealift_pipeline_{name} gauge",
                f"sealift_pipeline_{name} {value}",
            ]
        return "\n".join(lines) + "\n"
