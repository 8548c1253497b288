"""Lines of a UTF-8 stream, each within a limit: a file without line ends must not be read whole."""

import codecs
from collections.abc import Callable, Iterator
from typing import BinaryIO

from sealift.errors import InputError
from sealift.limits import LIMITS

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A bar that is told of every line costs more than the reading.
_TELL_BYTES = 64 * 1024


def lines(file: BinaryIO, source: str, read: Callable[[int], object]) -> Iterator[str]:
    """Yield lines with their ends, LF or CR LF; a byte order mark in front is dropped.

    Args:
        file: the stream.
        source: its name, for errors.
        read: called with the number of bytes read since the last call.

    Raises:
        InputError: a line is not UTF-8, or longer than the limit.
    """
    number = unsaid = 0
    while line := file.readline(LIMITS.row_size_bytes + 1):
        unsaid += len(line)
        if unsaid >= _TELL_BYTES:
            read(unsaid)
            unsaid = 0
        if number == 0:
            if line.startswith(_UTF16):
                raise InputError(f"{source!r} is UTF-16; expected UTF-8: save it as UTF-8")
            line = line.removeprefix(codecs.BOM_UTF8)
        number += 1
        if len(line) > LIMITS.row_size_bytes:
            raise InputError(f"{source!r} line {number} is longer than {LIMITS.row_size_bytes:,} bytes")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{source!r} line {number} is not UTF-8 at byte {error.start}") from None
        yield text
    read(unsaid)
