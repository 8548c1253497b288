"""Read the few facts of `model.onnx` that decide whether ONNX Runtime may see it at all. Pure.

A walk over Protocol Buffers' wire format by the field numbers of `onnx.proto`; what is not asked for is skipped.
ONNX Runtime would also take its own format, settings from inside a graph, and weights from files that nobody
verified. Whatever is ambiguous in the encoding is refused, so that there is one reading of it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

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
_EXTERNAL_DATA = 13

# Which fields lead to tensors: message to field number to message.
_WAYS = {
    "model": {_GRAPH: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {_EXTERNAL_DATA: "entry"},
}


@dataclass(frozen=True)
class GraphHeader:
    """What a graph says of itself: its IR version, operator sets by domain, and the keys of its metadata."""

    ir_version: int
    opsets: dict[str, int]
    metadata: frozenset[str]


def read_header(data: bytes | memoryview) -> GraphHeader:
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


def require_inside(data: bytes | memoryview, shards: Collection[str]) -> None:
    """Check that every tensor outside the graph is in one of the model's own shards.

    ONNX Runtime looks for others in the directory that the process stands in.

    Raises:
        MalformedError: a tensor refers to another file, or the encoding is not clear.
    """
    # Without this key no tensor is outside; looking for it is faster than walking through large graphs.
    if b"location" not in bytes(data):
        return
    waiting = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        for field, value in _fields(message):
            inner = _WAYS[kind].get(field)
            if inner == "entry":
                _check_entry(_message(value), shards)
            elif inner is not None:
                waiting.append((inner, _message(value)))


def _check_entry(entry: memoryview, shards: Collection[str]) -> None:
    parts = list(_fields(entry))
    if len(parts) != len(dict(parts)):
        raise MalformedError(f"{GRAPH_FILE} has a tensor with an ambiguous place")
    texts = {field: _text(value) for field, value in parts}
    location = texts.get(_SECOND, "")
    if texts.get(_FIRST) == "location" and location not in shards:
        raise MalformedError(
            f"{GRAPH_FILE} has a tensor in the file {location[:120]!r}; "
            f"expected one of the model's own: {sorted(shards)!r:.120}"
        )


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
