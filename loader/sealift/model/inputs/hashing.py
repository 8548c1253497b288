"""Turn a term into a column without a vocabulary, as scikit-learn's feature hashing does."""

from functools import lru_cache

_MASK = 0xFFFFFFFF
# Words repeat; this many (index, sign) pairs take some 100 MB at the most.
_REMEMBERED = 1 << 20


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


@lru_cache(maxsize=_REMEMBERED)
def place(term: str, columns: int) -> tuple[int, int]:
    """Return the column of a term, below `columns`, and its sign, 1 or -1."""
    hashed = murmurhash3_32(term.encode())
    if hashed == -(1 << 31):  # its absolute value is not a 32-bit integer
        return ((1 << 31) - 1 - (columns - 1)) % columns, -1
    return abs(hashed) % columns, 1 if hashed >= 0 else -1
