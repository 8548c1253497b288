"""Search many strings at once for every pattern. Pure.

Strings are joined, one a line, and each expression runs over the whole: 50,000 terms cost as little as one text of
their length. A string is looked at as it is, with escapes undone, and with what is Base64 in it decoded.
"""

import binascii
import re
import unicodedata
from base64 import b64decode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import unescape
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from sealift_bundler.disclosure import patterns

# Joined at once; a longer string is a block of its own.
_BLOCK_BYTES = 4 * 1024 * 1024
_ESCAPED = re.compile(
    rb"\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|commat);"
)
_BACKSLASH = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_\-]{24,}={0,2}")
# Of UTF-8; other bytes are data.
_TEXT = bytes([9, 10, 13, *range(32, 127), *range(128, 256)])
# Base64 of Base64, of a Kubernetes Secret in a configuration file.
_DEPTH = 2


class Hit(NamedTuple):
    """A value that was found: its kind, which of the strings holds it, and itself."""

    kind: str
    line: int
    value: bytes


def search(strings: Iterable[str | bytes], *, kinds: Callable[[patterns.Pattern], bool] | None = None) -> Iterator[Hit]:
    """Yield every value of every kind in `strings`, in the order of the strings within a block.

    Args:
        kinds: which patterns to use; None for all.
    """
    table = tuple(pattern for pattern in patterns.PATTERNS if kinds is None or kinds(pattern))
    for first, block in _blocks(strings):
        yield from (Hit(hit.kind, first + hit.line, hit.value) for hit in _search(block, table, _DEPTH))


def _blocks(strings: Iterable[str | bytes]) -> Iterator[tuple[int, list[bytes]]]:
    first, size, block = 0, 0, []
    for string in strings:
        line = _line(string)
        block.append(line)
        size += len(line) + 1
        if size >= _BLOCK_BYTES:
            yield first, block
            first, size, block = first + len(block), 0, []
    if block:
        yield first, block


def _line(string: str | bytes) -> bytes:
    if not string.isascii():
        text = string if isinstance(string, str) else string.decode("utf-8", "surrogateescape")
        # Full-width letters become plain ones; marks that nobody sees go.
        string = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    if isinstance(string, str):
        # A lone surrogate is a byte that was no text, or one that a text had already.
        string = string.encode("utf-8", "surrogatepass")
    return string.replace(b"\n", b"\x0b")


def _search(lines: Sequence[bytes], table: Sequence[patterns.Pattern], depth: int) -> list[Hit]:
    data = b"\n".join(lines)
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    taken = _spans(data, table)
    hits = [Hit(kind, bisect_right(starts, start) - 1, data[start:end]) for start, end, kind in taken]
    if depth:
        seen = {(hit.line, hit.value) for hit in hits}
        for index, inner in _within(data, starts):
            found = _search([_line(inner)], table, depth - 1)
            hits += [Hit(hit.kind, index, hit.value) for hit in found if (index, hit.value) not in seen]
    return sorted(hits, key=lambda hit: hit.line)


def _spans(data: bytes, table: Sequence[patterns.Pattern]) -> list[tuple[int, int, str]]:
    lowered = data.lower()
    taken: list[tuple[int, int, str]] = []
    for pattern in table:
        if pattern.anchors and not any(anchor in lowered for anchor in pattern.anchors):
            continue
        found = []
        for expression in pattern.expressions:
            for match in expression.finditer(lowered):
                span = pattern.check(data, match)
                if span is not None:
                    found.append((*span, pattern.kind))
        taken = _merged(taken, found) if found else taken
    return taken


def _merged(taken: list[tuple[int, int, str]], found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Add what overlaps nothing that is there; both the earlier and the longer win."""
    kept = []
    starts = [start for start, _, _ in taken]
    last = 0
    for start, end, kind in sorted(found, key=lambda span: (span[0], -span[1])):
        place = bisect_right(starts, start)
        before = taken[place - 1][1] if place else 0
        after = taken[place][0] if place < len(taken) else end
        if start >= max(before, last) and end <= after:
            kept.append((start, end, kind))
            last = end
    return sorted(taken + kept)


def _within(data: bytes, starts: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Yield what escapes and Base64 in the lines stand for, with the number of the line."""
    for match in _BASE64.finditer(data):
        plain = _decoded(match.group())
        if plain:
            yield bisect_right(starts, match.start()) - 1, plain
    last = -1
    for match in _ESCAPED.finditer(data):
        index = bisect_right(starts, match.start()) - 1
        if index != last:
            last = index
            yield index, _unescaped(data[starts[index] : starts[index + 1] - 1])


def _decoded(text: bytes) -> bytes:
    text = text.rstrip(b"=")
    try:
        plain = b64decode(text + b"=" * (-len(text) % 4), b"-_" if b"-" in text or b"_" in text else None)
    except binascii.Error:
        return b""
    if not any(plain[1::2]) and len(plain) > 1:
        # UTF-16, as PowerShell encodes commands.
        plain = plain[::2]
    if plain.translate(None, _TEXT):
        return b""
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        return b""
    return plain


def _unescaped(line: bytes) -> bytes:
    text = line.decode("utf-8", "surrogateescape")
    text = _BACKSLASH.sub(lambda match: chr(int(match[1] or match[2], 16)), text)
    return unquote_to_bytes(unescape(text).encode("utf-8", "replace"))
