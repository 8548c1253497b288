"""What a conversion is at, told to who waits for it: the rung, and how many rows it compares.

The child that converts writes lines into a file of its working folder, and its parent passes them on. A model can make
a library write there too, so a line is short, and is made fit for a terminal where it is shown.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

FILE = "progress"
# Of one look at the file, so that it cannot take memory without end.
_MOST_BYTES = 4096
_LINE_CHARS = 120

Listener = Callable[[str], object]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def say(text: str) -> None:
    """Tell the listeners."""
    listener = _listener.get()
    if listener is not None:
        listener(text)


@contextmanager
def told_to(listener: Listener | None) -> Iterator[None]:
    """Have `listener` told within; None is nobody."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def into_file(folder: Path) -> Iterator[None]:
    """Write what is said within into the file that a `Follower` reads."""

    def write(text: str) -> None:
        # Opened each time: what a pickle runs finds no open file of ours.
        with (folder / FILE).open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    with told_to(write):
        yield


class Follower:
    """Passes on what a child has written since the last look; of much, the last lines."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._offset = 0

    def look(self) -> None:
        """Look once."""
        if _listener.get() is None:
            return
        try:
            size = self._path.stat().st_size
            with self._path.open("rb") as file:
                file.seek(max(self._offset, size - _MOST_BYTES))
                data = file.read(_MOST_BYTES)
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset = max(self._offset, size - _MOST_BYTES) + len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            say(line[:_LINE_CHARS])
