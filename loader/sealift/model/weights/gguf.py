"""The header of a GGUF file: magic, version, metadata, and where each tensor lies.

After the format's description (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): version 3, and version 2,
which has the same layout; little-endian. Readers written in C have been led out of bounds by counts and offsets that
lie, so every one of them is checked here, in a language where that is harmless.
"""

import math
from typing import NamedTuple

from sealift.errors import LimitError, MalformedError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.weights.source import Bytes

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY, _UINT32, _BOOL = 8, 9, 4, 7
# Bytes of each type of metadata value.
_FIXED = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_ALIGNMENT_KEY = b"general.alignment"
_MOST_KEY_BYTES = 65_535
_MOST_NAME_BYTES = 64
_MOST_DIMENSIONS = 4


class _Kind(NamedTuple):
    """A type of tensor: values in a block, and bytes of a block."""

    values: int
    size: int


# By their numbers in `ggml.h`; types that were taken out of it are not here.
_TYPES = {
    0: _Kind(1, 4),  # F32
    1: _Kind(1, 2),  # F16
    2: _Kind(32, 18),  # Q4_0
    3: _Kind(32, 20),  # Q4_1
    6: _Kind(32, 22),  # Q5_0
    7: _Kind(32, 24),  # Q5_1
    8: _Kind(32, 34),  # Q8_0
    9: _Kind(32, 36),  # Q8_1
    10: _Kind(256, 84),  # Q2_K
    11: _Kind(256, 110),  # Q3_K
    12: _Kind(256, 144),  # Q4_K
    13: _Kind(256, 176),  # Q5_K
    14: _Kind(256, 210),  # Q6_K
    15: _Kind(256, 292),  # Q8_K
    16: _Kind(256, 66),  # IQ2_XXS
    17: _Kind(256, 74),  # IQ2_XS
    18: _Kind(256, 98),  # IQ3_XXS
    19: _Kind(256, 50),  # IQ1_S
    20: _Kind(32, 18),  # IQ4_NL
    21: _Kind(256, 110),  # IQ3_S
    22: _Kind(256, 82),  # IQ2_S
    23: _Kind(256, 136),  # IQ4_XS
    24: _Kind(1, 1),  # I8
    25: _Kind(1, 2),  # I16
    26: _Kind(1, 4),  # I32
    27: _Kind(1, 8),  # I64
    28: _Kind(1, 8),  # F64
    29: _Kind(256, 56),  # IQ1_M
    30: _Kind(1, 2),  # BF16
    34: _Kind(256, 54),  # TQ1_0
    35: _Kind(256, 66),  # TQ2_0
    39: _Kind(32, 17),  # MXFP4
}


def check_gguf(data: Bytes) -> int:
    """Check a header; return how many bytes it has.

    Raises:
        UnsupportedVersionError: it is of another version.
        MalformedError: it is not a header, or a tensor does not lie inside the file, or over another.
        LimitError: it is larger than the limits.
    """
    if data.take(4) != _MAGIC:
        raise MalformedError(f"{data.what} is not GGUF: it does not begin with 'GGUF'")
    version = _number(data, 4)
    if version not in _VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS
        hint = "it is for big-endian machines" if swapped else "convert it again with a llama.cpp of today"
        raise UnsupportedVersionError(f"{data.what} is GGUF of version {version}; this Sealift knows 2 and 3; {hint}")
    tensors, pairs = _number(data, 8), _number(data, 8)
    if tensors > LIMITS.external_tensors or pairs > LIMITS.gguf_pairs:
        raise LimitError(
            f"{data.what} has {tensors:,} tensors and {pairs:,} values of metadata; expected at most "
            f"{LIMITS.external_tensors:,} and {LIMITS.gguf_pairs:,}"
        )
    alignment = _read_metadata(data, pairs)
    places = _read_tensors(data, tensors)
    start = -(-data.place // alignment) * alignment
    _check_places(places, data.size - start, alignment, data.what)
    return data.place


def _read_metadata(data: Bytes, pairs: int) -> int:
    """Pass over the metadata; return the alignment of the data."""
    alignment, seen, texts = 32, set(), 0
    for _ in range(pairs):
        key = _text(data, _MOST_KEY_BYTES)
        if key in seen:
            raise MalformedError(f"{data.what} has the key {key[:80]!r} twice")
        seen.add(key)
        kind = _number(data, 4)
        if key == _ALIGNMENT_KEY:
            alignment = _number(data, 4)
            if kind != _UINT32 or alignment % 8 or not 8 <= alignment <= 2**20:
                raise MalformedError(f"{data.what} has the alignment {alignment}; expected a multiple of 8, up to 2^20")
        elif kind == _ARRAY:
            texts = _skip_array(data, key, texts)
        elif kind == _STRING:
            _text(data, LIMITS.gguf_header_bytes)
        else:
            _skip(data, _size_of(kind, data, key))
    return alignment


def _skip_array(data: Bytes, key: bytes, texts: int) -> int:
    """Pass over an array; return how many texts were in arrays, `texts` of them before it."""
    kind, count = _number(data, 4), _number(data, 8)
    if kind == _STRING:
        # A string has at least the eight bytes of its length.
        _require(data, 8 * count)
        texts += count
        if texts > LIMITS.gguf_texts:
            raise LimitError(f"{data.what} has {texts:,} texts in its metadata; expected at most {LIMITS.gguf_texts:,}")
        for _ in range(count):
            _text(data, LIMITS.gguf_header_bytes)
    else:
        # Arrays of arrays are written by nobody.
        _skip(data, _size_of(kind, data, key) * count)
    return texts


def _size_of(kind: int, data: Bytes, key: bytes) -> int:
    size = _FIXED.get(kind)
    if size is None:
        raise MalformedError(f"{data.what}: {key[:80]!r} has a value of type {kind}; expected 0 to 12")
    return size


def _read_tensors(data: Bytes, tensors: int) -> list[tuple[int, int, bytes]]:
    places, seen = [], set()
    for _ in range(tensors):
        name = _text(data, _MOST_NAME_BYTES)
        if name in seen:
            raise MalformedError(f"{data.what} has the tensor {name[:80]!r} twice")
        seen.add(name)
        count = _number(data, 4)
        if count > _MOST_DIMENSIONS:
            raise MalformedError(f"{data.what}: tensor {name[:80]!r} has {count} dimensions; expected at most 4")
        shape = [_number(data, 8) for _ in range(count)]
        kind = _TYPES.get(number := _number(data, 4))
        if kind is None:
            raise MalformedError(f"{data.what}: tensor {name[:80]!r} is of the type {number}, which is not known")
        row = shape[0] if shape else 1
        if row % kind.values or any(length >= 2**48 for length in shape):
            raise MalformedError(
                f"{data.what}: tensor {name[:80]!r} has the shape {shape}; expected rows of {kind.values} values each"
            )
        first = _number(data, 8)
        places.append((first, first + math.prod(shape) // kind.values * kind.size, name))
    return sorted(places)


def _check_places(places: list[tuple[int, int, bytes]], length: int, alignment: int, what: str) -> None:
    end = 0
    for first, last, name in places:
        where = f"{what}: tensor {name[:80]!r}"
        if first % alignment:
            raise MalformedError(f"{where} begins at byte {first:,} of the data; expected a multiple of {alignment}")
        if first < end:
            raise MalformedError(f"{where} begins at byte {first:,} of the data and overlaps the one before it")
        if last > length:
            raise MalformedError(f"{where} ends at byte {last:,} of the data, which has {max(0, length):,}")
        end = last


def _number(data: Bytes, size: int) -> int:
    _require(data, size)
    return int.from_bytes(data.take(size), "little")


def _text(data: Bytes, most: int) -> bytes:
    length = _number(data, 8)
    if length > most:
        raise LimitError(f"{data.what} has a name or text of {length:,} bytes; expected at most {most:,}")
    _require(data, length)
    return data.take(length)


def _skip(data: Bytes, count: int) -> None:
    _require(data, count)
    data.take(count)


def _require(data: Bytes, count: int) -> None:
    """Bound the header, before anything of that size is read or counted."""
    if data.place + count > LIMITS.gguf_header_bytes:
        raise LimitError(f"{data.what} has a header of more than {LIMITS.gguf_header_bytes:,} bytes")
