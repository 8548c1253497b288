"""Parse JSON from untrusted bytes: bounded, no duplicate keys, no NaN or infinity, no lone surrogates.

The standard parser accepts all of these, and recurses as deep as the document asks; whoever then reads
the document decides on something other than what was signed.
"""

import json
import math
import re
from typing import Any, NoReturn

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS

# A string is skipped as a whole, also one that never ends: retrying at each quote inside it would take
# quadratic time.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def parse(
    data: bytes,
    what: str,
    *,
    max_size_bytes: int = LIMITS.json_size_bytes,
    max_containers: int = LIMITS.json_containers,
) -> Any:
    """Parse `data`, named `what` in errors; `max_containers` bounds its arrays and objects together.

    Raises:
        LimitError: larger, deeper or of more parts than the limits.
        MalformedError: not UTF-8, not JSON, a key twice in one object, NaN, or a number beyond a double.
    """
    if len(data) > max_size_bytes:
        raise LimitError(f"{what!r} has {len(data):,} bytes; expected at most {max_size_bytes:,}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what!r} is not UTF-8 at byte {error.start}") from None
    _check_nesting(text, what, max_containers)
    document = _load(text, what)
    if "\\u" in text:
        _check_surrogates(document, what)
    return document


def _load(text: str, what: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise MalformedError(f"{what!r} holds {constant}, which JSON does not have")

    def finite(digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            raise MalformedError(f"{what!r} holds {digits[:80]}, which is beyond a double")
        return number

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise MalformedError(f"{what!r} has the key {_first_twice(pairs)[:80]!r} twice in one object")
        return result

    try:
        return json.loads(text, parse_float=finite, parse_constant=refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise MalformedError(f"{what!r} is not JSON: {error.msg} at character {error.pos}") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise MalformedError(f"{what!r} is not JSON: {error}") from None


def _first_twice(pairs: list[tuple[str, Any]]) -> str:
    # Comparing each key with all before it would take hours on a large object.
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return ""


def _check_nesting(text: str, what: str, max_containers: int) -> None:
    """Bound depth and number of arrays and objects before the recursive parser sees them; strings are skipped."""
    depth = count = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            count += 1
            if depth > LIMITS.json_depth:
                raise LimitError(f"{what!r} nests deeper than {LIMITS.json_depth} levels")
            if count > max_containers:
                raise LimitError(f"{what!r} holds more than {max_containers:,} arrays and objects")
        elif mark in "]}":
            depth -= 1


def _check_surrogates(document: Any, what: str) -> None:
    r"""Refuse `"\ud800"` alone: it parses, and then cannot be written, hashed or shown."""
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError(f"{what!r} holds half of a surrogate pair, which is not text") from None
