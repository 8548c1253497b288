"""The header of a safetensors file: eight bytes of length, JSON, and tensors that fill the rest without a gap.

After the format's own description (https://huggingface.co/docs/safetensors), which leaves readers free to be lax. Here
every byte of the data belongs to exactly one tensor, so that two readers cannot see two models in one file.
"""

import math
from typing import Any

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.weights.source import Bytes
from sealift_common.parsing import strict_json

_LENGTH_BYTES = 8
_BITS = {
    **dict.fromkeys(["F4"], 4),
    **dict.fromkeys(["F6_E2M3", "F6_E3M2"], 6),
    **dict.fromkeys(["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E5M2FNUZ", "F8_E4M3FNUZ", "F8_E8M0"], 8),
    **dict.fromkeys(["I16", "U16", "F16", "BF16"], 16),
    **dict.fromkeys(["I32", "U32", "F32"], 32),
    **dict.fromkeys(["I64", "U64", "F64", "C64"], 64),
}
_KEYS = {"dtype", "shape", "data_offsets"}


def check_safetensors(data: Bytes) -> int:
    """Check a header; return how many bytes it has.

    Raises:
        MalformedError: it is not a header, or the tensors do not fill the file exactly.
        LimitError: it is larger than the limits.
    """
    length = int.from_bytes(data.take(_LENGTH_BYTES), "little")
    if length > LIMITS.safetensors_header_bytes:
        raise LimitError(
            f"{data.what} has a header of {length:,} bytes; expected at most {LIMITS.safetensors_header_bytes:,}"
        )
    raw = data.take(length)
    if not raw.startswith(b"{"):
        raise MalformedError(f"{data.what} is not safetensors: its header does not begin with '{{'")
    # Spaces fill the header up, as the format allows.
    header = strict_json.parse(raw, data.what, max_size_bytes=LIMITS.safetensors_header_bytes)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise MalformedError(f"{data.what}: '__metadata__' is not an object of texts")
    places = sorted(_place(name, entry, data.what) for name, entry in header.items())
    _check_places(places, data.size - data.place, data.what)
    return data.place


def _place(name: str, entry: Any, what: str) -> tuple[int, int, str]:
    where = f"{what}: tensor {name[:80]!r}"
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        raise MalformedError(f"{where} is not described by exactly {sorted(_KEYS)}")
    bits = _BITS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if bits is None:
        raise MalformedError(f"{where} has the dtype {entry['dtype']!r:.40}; expected one of {', '.join(_BITS)}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_sizes(shape) or len(shape) > LIMITS.tensor_rank:
        raise MalformedError(f"{where} has the shape {shape!r:.80}; expected at most {LIMITS.tensor_rank} lengths")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise MalformedError(f"{where} has the offsets {offsets!r:.80}; expected its first byte and its end")
    first, end = offsets
    expected, rest = divmod(math.prod(shape) * bits, 8)
    if rest or end - first != expected:
        raise MalformedError(
            f"{where} has {end - first:,} bytes; expected {expected:,} for {entry['dtype']} of shape {shape!r:.80}"
        )
    return first, end, name


def _are_sizes(values: Any) -> bool:
    # Bounded before they are multiplied: the product of many large ones takes minutes.
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)


def _check_places(places: list[tuple[int, int, str]], length: int, what: str) -> None:
    end = 0
    for first, last, name in places:
        if first != end:
            how = "overlaps the one before it" if first < end else "leaves a gap before it"
            raise MalformedError(f"{what}: tensor {name[:80]!r} begins at byte {first:,} of the data and {how}")
        end = last
    if end != length:
        raise MalformedError(
            f"{what}: its tensors end at byte {end:,} of the data, which has {length:,}; copy the file again"
        )
