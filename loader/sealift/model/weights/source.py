"""Bytes of a file, in order and bounded: from disk, or expanded out of a bundle."""

from collections.abc import Iterator

from sealift.errors import MalformedError


class Bytes:
    """Reads forward through the pieces of a file.

    Args:
        pieces: the file from its first byte on; no more of it is taken than is asked for.
        size: bytes of the whole file.
        what: the file, for error messages.
    """

    def __init__(self, pieces: Iterator[bytes], size: int, what: str) -> None:
        self._pieces = pieces
        self._held = memoryview(b"")
        self.size = size
        self.what = what
        self.place = 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes.

        Raises:
            MalformedError: the file has fewer.
        """
        if count > self.size - self.place:
            raise MalformedError(
                f"{self.what} ends inside its header: {count:,} bytes are said to follow byte {self.place:,}, and it "
                f"has {self.size:,}"
            )
        self.place += count
        if count <= len(self._held):
            found = bytes(self._held[:count])
            self._held = self._held[count:]
            return found
        parts = [bytes(self._held)]
        missing = count - len(self._held)
        while missing > 0:
            piece = next(self._pieces, b"")
            if not piece:
                raise MalformedError(f"{self.what} ends at byte {self.place - missing:,}; expected {self.size:,} bytes")
            parts.append(piece[:missing])
            self._held = memoryview(piece)[missing:]
            missing -= len(piece)
        return b"".join(parts)
