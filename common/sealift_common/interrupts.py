"""Signals that ask a command to end: it cleans up, says one line, and exits with 128 plus the signal's number."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, `kill` and systemd, a terminal that went away.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this process to end; not an Exception, so that only cleaning up happens on the way.

    Attributes:
        exit_status: what a shell expects of a process that such a signal ended.
        is_the_end: a service was asked to end and did: there is nothing to say.
    """

    is_the_end = False

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


def raise_on_signals() -> None:
    """Turn the signals into `Interrupted`; one that this process was started to ignore (`nohup`) stays ignored."""
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)


def raise_if_heard() -> None:
    """Raise a signal's `Interrupted` again, where an error of the cleaning up has taken its place on the way.

    A process that was asked to end stays asked.
    """
    if _State.heard is not None:
        raise Interrupted(_State.heard)


@contextmanager
def postponed() -> Iterator[None]:
    """Let the block finish before a signal is heard: for a few renames that belong together."""
    # Not a signal mask: that is a thread's own, and another thread would let the signal through.
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
        if _State.depth == 0 and _State.waiting is not None:
            _State.heard, _State.waiting = _State.waiting, None
    if _State.depth == 0:
        raise_if_heard()


class _State:
    """State for the handler, which runs between any two lines of the main thread."""

    depth = 0
    waiting: int | None = None
    heard: int | None = None


def _raise(number: int, _frame: FrameType | None) -> None:
    if _State.depth:
        _State.waiting = number
        return
    _State.heard = number
    raise Interrupted(number)
