"""Enough of the Protocol Buffers wire format to write a small ONNX graph, and nothing else.

A message is a row of fields. A field is its number and wire type in one varint, `number << 3 | type`; then, for
type 0, a varint; for type 2, a length and that many bytes: text, a message, or packed numbers.
See https://protobuf.dev/programming-guides/encoding/.
"""

_VARINT, _BYTES = 0, 2


def varint(value: int) -> bytes:
    """Write a number of at least 0: seven bits a byte, low ones first; the top bit says that more follow."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def field(number: int, value: int | str | bytes) -> bytes:
    """Write one field: an integer as a varint; text as UTF-8; bytes, such as another message, as they are."""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(value)
    data = value.encode("utf-8") if isinstance(value, str) else value
    return varint(number << 3 | _BYTES) + varint(len(data)) + data
