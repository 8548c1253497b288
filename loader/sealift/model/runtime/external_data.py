"""Read from a graph which of its tensors lie in other files, and refuse what is not the model's own. Pure.

ONNX Runtime opens the files that a graph names, and looks in the working directory for those of a graph that came
as bytes: seen with 1.32. So no graph reaches it before every location in it is one of the model's own shards,
whose bytes were hashed.

The walk goes only into parts that hold the word "location", which no tensor in another file can do without: a
forest's millions of numbers are passed over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise
from math import prod
from mmap import mmap

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.runtime.wire import BYTES, VARINT, fields, varint

_WORD = b"location"
_EXTERNAL = 1
# Of any dimension: a tensor of bits in the largest file.
_LONGEST = 8 * LIMITS.file_size_bytes
# Of a message: which fields hold a message that may hold tensors, and which message that is. From onnx.proto.
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
_SINGULAR = {
    ("model", 7),
    ("training", 1),
    ("training", 2),
    ("attribute", 5),
    ("attribute", 6),
    ("attribute", 22),
    ("sparse tensor", 1),
    ("sparse tensor", 2),
}
_KEYS = frozenset({"location", "offset", "length", "checksum"})
_MAIN = ("model", "graph", "tensor")
# TensorProto.DataType to its name in NumPy and its width in bits; "" where NumPy has none. Text is never external.
_TYPES: Mapping[int, tuple[str, int]] = {
    1: ("float32", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    14: ("complex64", 64),
    15: ("complex128", 128),
    16: ("", 16),
    **dict.fromkeys((17, 18, 19, 20, 24), ("", 8)),
    **dict.fromkeys((27, 28), ("", 6)),
    **dict.fromkeys((21, 22, 23), ("", 4)),
    **dict.fromkeys((25, 26), ("", 2)),
}


@dataclass(frozen=True)
class ExternalTensor:
    """An initializer whose values lie in a shard.

    Attributes:
        dtype: NumPy's name of it, "" for a type that NumPy does not have.
        offset, length: its place in the shard, bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    location: str
    offset: int
    length: int


def external_tensors(data: bytes | mmap, shards: Mapping[str, int]) -> tuple[ExternalTensor, ...]:
    """Return every tensor of an ONNX model that lies in another file.

    Args:
        data: the bytes of `model.onnx`.
        shards: the model's own shards of weights, and the length of each in bytes.

    Raises:
        MalformedError: a tensor lies elsewhere than in the model's shards, beyond the end of one, or in part where
            another lies; or one is external that is not an initializer of the main graph.
        LimitError: more tensors, or a deeper graph, than the limits allow.
    """
    if data.find(_WORD) < 0:
        return ()
    tensors = []
    for path, start, end in _walk(data, "model", 0, len(data), ()):
        raw = _parse(data, start, end)
        if not raw.external and not raw.entries:
            continue
        if path != _MAIN:
            raise MalformedError(
                f"tensor {raw.name[:80]!r} of a {path[-2]} lies in another file; expected that only of the main "
                "graph's initializers: save the model with those tensors inside"
            )
        tensors.append(_checked(raw, shards))
        if len(tensors) > LIMITS.external_tensors:
            raise LimitError(f"the graph keeps more than {LIMITS.external_tensors:,} tensors in other files")
    _check_places(tensors)
    return tuple(tensors)


def _walk(
    data: bytes | mmap, kind: str, start: int, end: int, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Give the place of every tensor that may be external, and the kinds of messages that it lies in."""
    path = (*above, kind)
    if kind == "tensor":
        yield path, start, end
        return
    if len(path) > LIMITS.graph_depth:
        raise LimitError(f"the graph is nested more than {LIMITS.graph_depth} deep")
    seen = set()
    for number, _, _, first, last in fields(data, start, end):
        inner = _FIELDS[kind].get(number)
        if inner is None or data.find(_WORD, first, last) < 0:
            continue
        # A parser joins two halves of one message; a writer that splits one wants to be read in two ways.
        if (kind, number) in _SINGULAR and number in seen:
            raise MalformedError(f"the graph gives the {inner} of a {kind} in several parts")
        seen.add(number)
        yield from _walk(data, inner, first, last, path)


@dataclass
class _Raw:
    """The claims of a tensor, before anything is believed."""

    name: str = ""
    kind: int = 0
    external: bool = False
    dims: list[int] = field(default_factory=list)
    entries: dict[str, str] = field(default_factory=dict)


def _parse(data: bytes | mmap, start: int, end: int) -> _Raw:
    raw = _Raw()
    for number, wire, value, first, last in fields(data, start, end):
        if number == 1:
            lengths = iter([_signed(value)]) if wire == VARINT else _packed(data, first, last)
            raw.dims += islice(lengths, LIMITS.tensor_dimensions + 1)
            if len(raw.dims) > LIMITS.tensor_dimensions:
                raise MalformedError(
                    f"a tensor of the graph has the shape {raw.dims[:9]} and more; "
                    f"expected at most {LIMITS.tensor_dimensions} lengths"
                )
        elif number == 2 and wire == VARINT:
            raw.kind = value
        elif number == 8 and wire == BYTES:
            raw.name = _text(data, first, last)
        elif number == 13 and wire == BYTES:
            key, text = _entry(data, first, last)
            if key not in _KEYS or key in raw.entries:
                # ONNX Runtime has keys of its own, which name further places in files.
                raise MalformedError(
                    f"a tensor of the graph has the key {key[:80]!r}; expected each of {sorted(_KEYS)} at most once"
                )
            raw.entries[key] = text
        elif number == 14 and wire == VARINT:
            raw.external = value == _EXTERNAL
    return raw


def _checked(raw: _Raw, shards: Mapping[str, int]) -> ExternalTensor:
    what = f"tensor {raw.name[:80]!r} of the graph"
    location = raw.entries.get("location", "")
    if location not in shards:
        held = ", ".join(sorted(shards)) or "none"
        raise MalformedError(f"{what} lies in {location[:120]!r}; expected one of the model's own shards: {held}")
    if raw.kind not in _TYPES:
        raise MalformedError(f"{what} is external and of ONNX type {raw.kind}; expected numbers")
    shape = tuple(raw.dims)
    if len(shape) > LIMITS.tensor_dimensions or any(not 0 <= length <= _LONGEST for length in shape):
        raise MalformedError(
            f"{what} has the shape {raw.dims[:9]}; expected at most {LIMITS.tensor_dimensions} lengths"
        )
    dtype, bits = _TYPES[raw.kind]
    expected = (prod(shape) * bits + 7) // 8
    offset = _number(raw.entries.get("offset", "0"), what)
    length = _number(raw.entries.get("length", str(expected)), what)
    if length != expected:
        raise MalformedError(f"{what} has {length:,} bytes; expected {expected:,} for the shape {raw.dims[:9]}")
    if offset + length > shards[location]:
        raise MalformedError(
            f"{what} ends at byte {offset + length:,} of {location!r}, which has {shards[location]:,} bytes"
        )
    return ExternalTensor(raw.name, dtype, shape, location, offset, length)


def _check_places(tensors: list[ExternalTensor]) -> None:
    names = set()
    for tensor in tensors:
        if tensor.name in names:
            raise MalformedError(f"the graph has the external tensor {tensor.name[:80]!r} twice")
        names.add(tensor.name)
    ranges = sorted(
        {(tensor.location, tensor.offset, tensor.offset + tensor.length) for tensor in tensors if tensor.length}
    )
    # The very same range twice is two names of tied weights; a part of one is a mistake at best.
    for (before, _, end), (location, start, _) in pairwise(ranges):
        if before == location and start < end:
            raise MalformedError(f"two tensors of the graph overlap at byte {start:,} of {location!r}")


def _packed(data: bytes | mmap, place: int, end: int) -> Iterator[int]:
    while place < end:
        value, place = varint(data, place, end)
        yield _signed(value)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _entry(data: bytes | mmap, start: int, end: int) -> tuple[str, str]:
    parts = {1: "", 2: ""}
    for number, wire, _, first, last in fields(data, start, end):
        if number in parts and wire == BYTES:
            parts[number] = _text(data, first, last)
    return parts[1], parts[2]


def _text(data: bytes | mmap, start: int, end: int) -> str:
    if end - start > LIMITS.tensor_name_bytes:
        raise LimitError(
            f"the graph has a name of {end - start:,} bytes; expected {LIMITS.tensor_name_bytes:,} at most"
        )
    try:
        return data[start:end].decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("the graph names a tensor or a file in an encoding other than UTF-8") from None


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise MalformedError(f"{what} has the offset or length {text[:40]!r}; expected a number of bytes")
    return int(text)
