"""Protocol Buffers' wire format: read the fields of a graph that nobody trusts, and write those of a small graph. Pure.

A message is a row of fields. A field is its number and wire type in one varint, `number << 3 | type`; then, for
type 0, a varint; for type 2, a length and that many bytes: text, a message, or packed numbers. Whatever is ambiguous in
that is refused, so that there is one reading of it. See https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sealift.errors import MalformedError
from sealift.model.documents.description import GRAPH_FILE

if TYPE_CHECKING:
    from mmap import mmap

# What a message may be read from; positions are of its bytes.
Data: TypeAlias = "bytes | memoryview | mmap"

# Wire types. A message, a text and packed numbers are BYTES.
VARINT, _FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES, _TAG_BYTES = 10, 5
# Protocol Buffers' own bound.
_LARGEST_BYTES = 2**31 - 1


class Field(NamedTuple):
    """A field's number and wire type, and either its value, or the place of its bytes.

    Attributes:
        value: of a varint, 64 bits; otherwise 0.
        start, end: where its bytes lie; of a varint both are where it ends.
    """

    number: int
    wire: int
    value: int
    start: int
    end: int


def fields(data: Data, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message at `data[start:end]`.

    Raises:
        MalformedError: that is not a message.
    """
    place = start
    while place < end:
        tag, place = varint(data, place, end, _TAG_BYTES)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise broken(place)
        if wire == VARINT:
            value, place = varint(data, place, end)
            yield Field(number, wire, value, place, place)
            continue
        if wire == BYTES:
            size, place = varint(data, place, end, _TAG_BYTES)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise broken(place)
        if size > min(_LARGEST_BYTES, end - place):
            raise broken(place)
        yield Field(number, wire, 0, place, place + size)
        place += size


def varint(data: Data, place: int, end: int, most_bytes: int = _VARINT_BYTES) -> tuple[int, int]:
    """Read a number of 64 bits; return it and the place behind it.

    Raises:
        MalformedError: it does not end before `end`, or within `most_bytes`.
    """
    value = 0
    for index in range(min(most_bytes, end - place)):
        byte = data[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place + index + 1
    raise broken(place)


def encode(number: int, value: int | str | bytes) -> bytes:
    """Write one field: an integer of at least 0 as a varint; text as UTF-8; bytes, such as a message, as they are."""
    if isinstance(value, int):
        return encode_varint(number << 3 | VARINT) + encode_varint(value)
    data = value.encode("utf-8") if isinstance(value, str) else value
    return encode_varint(number << 3 | BYTES) + encode_varint(len(data)) + data


def encode_varint(value: int) -> bytes:
    """Write a number of at least 0: seven bits a byte, low ones first; the top bit says that more follow."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def broken(place: int) -> MalformedError:
    """Return the refusal of what stands at `place`."""
    return MalformedError(f"{GRAPH_FILE} is not an ONNX model, or is cut short or damaged, at byte {place:,}")
