"""Files of weights for tests: right ones, and each lie that a header can tell."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

F32 = 0
STRING, ARRAY, UINT32 = 8, 9, 4


def safetensors(tensors: Mapping[str, Any] | None = None, metadata: Mapping[str, str] | None = None) -> bytes:
    """A file of float32 tensors."""
    arrays = {"w": np.arange(6.0).reshape(2, 3), "b": np.zeros(3)} if tensors is None else tensors
    header, data = {}, b""
    if metadata is not None:
        header["__metadata__"] = dict(metadata)
    for name, values in arrays.items():
        raw = np.asarray(values, "<f4").tobytes()
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": "F32", "shape": list(np.shape(values)), "data_offsets": offsets}
        data += raw
    return of_header(json.dumps(header).encode(), data)


def of_header(header: bytes, data: bytes = b"") -> bytes:
    """A file with any header."""
    return len(header).to_bytes(8, "little") + header + data


def text(value: bytes) -> bytes:
    """A string of GGUF."""
    return struct.pack("<Q", len(value)) + value


def tensor(name: bytes = b"w", shape: tuple[int, ...] = (32, 2), kind: int = F32, offset: int = 0) -> bytes:
    """The description of a tensor."""
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    """A value of metadata."""
    return text(key) + struct.pack("<I", kind) + value


PAIRS = (
    pair(b"general.architecture", STRING, text(b"llama")),
    pair(b"tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 3) + b"".join(map(text, (b"a", b"b", b"")))),
    pair(b"tokenizer.ggml.scores", ARRAY, struct.pack("<IQ3f", 6, 3, 0, 1, 2)),
    pair(b"general.alignment", UINT32, struct.pack("<I", 64)),
)


def gguf(
    tensors: tuple[bytes, ...] = (tensor(),),
    pairs: tuple[bytes, ...] = PAIRS,
    *,
    version: int = 3,
    data: int = 256,
    counts: tuple[int, int] | None = None,
    magic: bytes = b"GGUF",
    alignment: int = 64,
) -> bytes:
    """A file of GGUF; `data` bytes follow the header."""
    counted = counts or (len(tensors), len(pairs))
    head = magic + struct.pack("<IQQ", version, *counted) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + bytes(data)
