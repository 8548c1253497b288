"""Read the few facts of `model.onnx` that decide whether ONNX Runtime may see it at all. Pure.

A walk over Protocol Buffers' wire format by the field numbers of `onnx.proto`; what is not asked for is skipped.
ONNX Runtime would also take its own format, and settings from inside a graph. Whatever is ambiguous in the encoding is
refused, so that there is one reading of it. Where a graph keeps its weights is for `external_data` to say.
"""

from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from sealift.errors import MalformedError
from sealift.model.description import GRAPH_FILE

_ORT_MAGIC = b"ORTM"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES, _TAG_BYTES = 10, 5
# Protocol Buffers' own bound.
_LARGEST_BYTES = 2**31 - 1
_EMPTY = memoryview(b"")

# Fields of ModelProto, OperatorSetIdProto and StringStringEntryProto.
_IR_VERSION, _GRAPH, _OPSET_IMPORT, _METADATA = 1, 7, 8, 14
_FIRST, _SECOND = 1, 2


class GraphHeader(NamedTuple):
    """What a graph says of itself: its IR version, operator sets by domain, and the keys of its metadata."""

    ir_version: int
    opsets: dict[str, int]
    metadata: frozenset[str]


def read_header(data: bytes | mmap | memoryview) -> GraphHeader:
    """Read the outermost message of a `model.onnx`.

    Raises:
        MalformedError: it is not an ONNX model: cut short, another format, no graph, or two of them.
    """
    if bytes(data[4:8]) == _ORT_MAGIC:
        raise MalformedError(f"{GRAPH_FILE} is in ONNX Runtime's own format; expected an ONNX model")
    seen: set[int] = set()
    ir_version = 0
    opsets: dict[str, int] = {}
    metadata = set()
    for field, value in _fields(memoryview(data)):
        if field in (_IR_VERSION, _GRAPH):
            if field in seen:
                raise MalformedError(f"{GRAPH_FILE} has its field {field} twice; expected one graph of one version")
            seen.add(field)
        if field == _IR_VERSION:
            ir_version = _number(value)
        elif field == _GRAPH:
            _message(value)
        elif field == _OPSET_IMPORT:
            _add_opset(opsets, _message(value))
        elif field == _METADATA:
            metadata.add(_text(dict(_fields(_message(value))).get(_FIRST, _EMPTY)))
    if _GRAPH not in seen or not opsets:
        raise MalformedError(f"{GRAPH_FILE} is not an ONNX model: it has no graph or imports no operators")
    return GraphHeader(ir_version, opsets, frozenset(metadata))


def _add_opset(opsets: dict[str, int], message: memoryview) -> None:
    parts = dict(_fields(message))
    domain = _text(parts.get(_FIRST, _EMPTY)) or "ai.onnx"
    if domain in opsets:
        raise MalformedError(f"{GRAPH_FILE} imports operators of {domain[:80]!r} twice")
    opsets[domain] = _number(parts.get(_SECOND, 0))


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the field numbers and values of a message: integers, or the bytes of what has a length."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place, _TAG_BYTES)
        field, wire = tag >> 3, tag & 7
        if field == 0:
            raise _broken()
        if wire == _VARINT:
            value, place = _varint(message, place, _VARINT_BYTES)
            yield field, value
            continue
        if wire == _BYTES:
            size, place = _varint(message, place, _TAG_BYTES)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise _broken()
        if size > min(_LARGEST_BYTES, len(message) - place):
            raise _broken()
        yield field, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int, most: int) -> tuple[int, int]:
    value = 0
    for index in range(most):
        if place + index >= len(message):
            break
        byte = message[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise _broken()


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _broken()
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise _broken()
    return value


def _text(value: int | memoryview) -> str:
    try:
        return bytes(_message(value)).decode("utf-8")
    except UnicodeDecodeError:
        raise _broken() from None


def _broken() -> MalformedError:
    return MalformedError(f"{GRAPH_FILE} is not an ONNX model, or is cut short or damaged")
