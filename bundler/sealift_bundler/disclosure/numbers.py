"""Numbers that are more than numbers: cards in columns, categories and tensors, texts in tensors of bytes. Pure."""

import re
from collections.abc import Iterable

import numpy as np

from sealift_bundler.disclosure.checksums import is_card

# The shortest number of a card has 13 digits; of the longest, not all fit into 64 bits.
LEAST, _MOST = 10**12, 2**63
# One integer of an attribute: the tag of its field, and at least the bytes of `LEAST`.
_TAGGED = re.compile(rb"\x40([\x80-\xff]{5,8}[\x00-\x7f])")
_PACKED = re.compile(rb"(?<![\x80-\xff])[\x80-\xff]{5,8}[\x00-\x7f]")
# From onnx.proto: what a tensor's `raw_data` is.
_UINT8, _INT8, INT64, DOUBLE, UINT64 = 2, 3, 7, 11, 13
_WORDS = {INT64: "<i8", UINT64: "<u8", DOUBLE: "<f8"}
_NO_TEXT = bytes([*range(1, 9), *range(14, 32), 127])


def cards_among(values: Iterable[object]) -> list[str]:
    """Return cards, where whole numbers so long are hardly anything else: one in thirty is by chance.

    Floats count: a column of integers with one missing is a column of floats.
    """
    numbers = [value for value in values if isinstance(value, int | float) and LEAST <= value < _MOST]
    long = {str(int(value)) for value in numbers if value == int(value)}
    cards = sorted(filter(is_card, long))
    return cards if len(cards) > 1 and 2 * len(cards) > len(long) else []


def integers(data: bytes, *, tagged: bool = False) -> list[int]:
    """Return the large ones of packed integers, or of those of an attribute, which are one a field."""
    return [
        sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(found))
        for found in (_TAGGED if tagged else _PACKED).findall(data)
    ]


def words(data: bytes, data_type: int) -> list[int | float]:
    """Return the large numbers in the raw data of a tensor of eight bytes each."""
    dtype = _WORDS.get(data_type)
    if dtype is None:
        return []
    values = np.frombuffer(data[: len(data) // 8 * 8], dtype)
    found: list[int | float] = values[(values >= LEAST) & (values < _MOST)].tolist()
    return found


def text_in(data: bytes, data_type: int) -> list[str]:
    """Return the lines of a tensor of bytes that is a text: a vocabulary, a table; none of weights."""
    if data_type not in (_UINT8, _INT8) or data.translate(None, _NO_TEXT) != data:
        return []
    try:
        return data.decode("utf-8").replace("\0", "\n").splitlines()
    except UnicodeDecodeError:
        return []
