"""Turn terms into columns without a vocabulary, as scikit-learn's feature hashing does."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MASK = 0xFFFFFFFF
# Longer terms, of bytes, are hashed one by one: many terms at once take as many steps as the longest needs.
_LONGEST_TOGETHER = 128


def murmurhash3_32(data: bytes) -> int:
    """Return MurmurHash3 (x86, 32 bits, seed 0) of `data`, as a signed integer."""
    hashed = 0
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        block = _mixed(int.from_bytes(data[start : start + 4], "little"))
        hashed ^= block
        hashed = ((hashed << 13 | hashed >> 19) * 5 + 0xE6546B64) & _MASK
    if whole < len(data):
        hashed ^= _mixed(int.from_bytes(data[whole:], "little"))
    hashed ^= len(data)
    hashed = (hashed ^ hashed >> 16) * 0x85EBCA6B & _MASK
    hashed = (hashed ^ hashed >> 13) * 0xC2B2AE35 & _MASK
    hashed ^= hashed >> 16
    return hashed - (1 << 32) if hashed >> 31 else hashed


def _mixed(block: int) -> int:
    block = block * 0xCC9E2D51 & _MASK
    return (block << 15 | block >> 17) * 0x1B873593 & _MASK


def murmurhash3_32_of_all(texts: list[str]) -> "NDArray[Any]":
    """Return the hash of each text's UTF-8, int32: the blocks of all texts at once, one after the other."""
    import numpy as np

    joined = "".join(texts)
    # Most are ASCII: a character is a byte, and to encode them one by one takes as long as all that follows.
    sized: list[str] | list[bytes] = texts if joined.isascii() else [text.encode() for text in texts]
    sizes = np.fromiter(map(len, sized), np.int64, len(texts))
    data = joined.encode() + b"\0\0\0\0"
    # Four bytes from each place on, whatever the alignment.
    words = np.ndarray(len(data) - 3, "<u4", data, strides=(1,))
    starts = np.cumsum(sizes) - sizes
    blocks = np.where(sizes <= _LONGEST_TOGETHER, sizes // 4, 0)
    hashed = np.zeros(len(texts), np.uint32)
    # With the longest first, those that have a block left are always the first ones.
    order = np.argsort(-blocks, kind="stable")
    ordered, state = starts[order], hashed[order]
    left = len(texts) - np.cumsum(np.bincount(blocks, minlength=1))
    for block in range(int(blocks.max(initial=0))):
        some = int(left[block])
        mixed = state[:some] ^ _all_mixed(words[ordered[:some] + 4 * block])
        state[:some] = (mixed << np.uint32(13) | mixed >> np.uint32(19)) * np.uint32(5) + np.uint32(0xE6546B64)
    hashed[order] = state
    tail = sizes & 3
    rest = words[starts + sizes - tail] & np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], np.uint32)[tail]
    hashed ^= _all_mixed(rest)
    hashed ^= sizes.astype(np.uint32)
    hashed = (hashed ^ hashed >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    hashed = (hashed ^ hashed >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    hashed = (hashed ^ hashed >> np.uint32(16)).view(np.int32)
    for place in np.flatnonzero(sizes > _LONGEST_TOGETHER).tolist():
        hashed[place] = murmurhash3_32(texts[place].encode())
    return hashed


def _all_mixed(blocks: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    blocks = blocks * np.uint32(0xCC9E2D51)
    return (blocks << np.uint32(15) | blocks >> np.uint32(17)) * np.uint32(0x1B873593)


class Places:
    """Columns of terms, and the signs of their occurrences."""

    def __init__(self, columns: int, *, alternate_sign: bool) -> None:
        self._columns = columns
        self._alternate_sign = alternate_sign

    def of(self, terms: list[str]) -> "NDArray[Any]":
        """Return the column of each term, int64, below `columns`; ~column where an occurrence lowers it by 1."""
        import numpy as np

        hashed = murmurhash3_32_of_all(terms).astype(np.int64)
        size = np.abs(hashed)
        # Its absolute value is not a 32-bit integer; scikit-learn takes it modulo the columns in another way.
        lowest = hashed == -(1 << 31)
        size[lowest] = (1 << 31) - 1 - (self._columns - 1)
        found = size % self._columns
        return np.where(hashed < 0, ~found, found) if self._alternate_sign else found
