"""Read the few facts of `model.onnx` that decide whether ONNX Runtime may see it at all. Pure.

By the field numbers of `onnx.proto`; what is not asked for is skipped. ONNX Runtime would also take its own format, and
settings from inside a graph. Where a graph keeps its weights is for `external_data` to say.
"""

from typing import NamedTuple

from sealift.errors import MalformedError
from sealift.model.documents.description import GRAPH_FILE
from sealift.model.runtime.wire import BYTES, VARINT, Data, Field, broken, fields

_ORT_MAGIC = b"ORTM"

# Fields of ModelProto, OperatorSetIdProto and StringStringEntryProto.
_IR_VERSION, _GRAPH, _OPSET_IMPORT, _METADATA = 1, 7, 8, 14
_FIRST, _SECOND = 1, 2


class GraphHeader(NamedTuple):
    """The claims of a graph: its IR version, operator sets by domain, and the keys of its metadata."""

    ir_version: int
    opsets: dict[str, int]
    metadata: frozenset[str]


def read_header(data: Data) -> GraphHeader:
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
    for field in fields(data, 0, len(data)):
        if field.number in (_IR_VERSION, _GRAPH) and field.number in seen:
            raise MalformedError(f"{GRAPH_FILE} has its field {field.number} twice; expected one graph of one version")
        seen.add(field.number)
        if field.number == _IR_VERSION:
            ir_version = _number(field)
        elif field.number == _GRAPH:
            _require_bytes(field)
        elif field.number == _OPSET_IMPORT:
            _add_opset(opsets, data, field)
        elif field.number == _METADATA:
            metadata.add(_text(data, _parts(data, field).get(_FIRST)))
    if _GRAPH not in seen or not opsets:
        raise MalformedError(f"{GRAPH_FILE} is not an ONNX model: it has no graph or imports no operators")
    return GraphHeader(ir_version, opsets, frozenset(metadata))


def _add_opset(opsets: dict[str, int], data: Data, message: Field) -> None:
    parts = _parts(data, message)
    domain = _text(data, parts.get(_FIRST)) or "ai.onnx"
    if domain in opsets:
        raise MalformedError(f"{GRAPH_FILE} imports operators of {domain[:80]!r} twice")
    opsets[domain] = _number(parts[_SECOND]) if _SECOND in parts else 0


def _parts(data: Data, message: Field) -> dict[int, Field]:
    _require_bytes(message)
    return {field.number: field for field in fields(data, message.start, message.end)}


def _require_bytes(field: Field) -> None:
    if field.wire != BYTES:
        raise broken(field.start)


def _number(field: Field) -> int:
    if field.wire != VARINT:
        raise broken(field.start)
    return field.value


def _text(data: Data, field: Field | None) -> str:
    if field is None:
        return ""
    _require_bytes(field)
    try:
        return bytes(data[field.start : field.end]).decode("utf-8")
    except UnicodeDecodeError:
        raise broken(field.start) from None
