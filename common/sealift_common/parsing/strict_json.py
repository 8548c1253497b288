"""Parse JSON from untrusted bytes: bounded, no duplicate keys, no NaN or infinity, no lone surrogates.

The standard parser accepts all of these, and recurses as deep as the document asks; code that then reads
the document decides on something other than what was signed.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from sealift_common.errors import LimitError, MalformedError
from sealift_common.parsing.limits import LIMITS

# A string is skipped as a whole, also one that never ends: retrying at each quote inside it would take
# quadratic time.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_STRING_OR_BRACKET = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_STRING_OR_MARK = re.compile(rf"{_STRING}|[\[\]{{}},]", re.DOTALL)


def parse(
    data: bytes,
    what: str,
    *,
    max_size_bytes: int = LIMITS.json_size_bytes,
    max_containers: int = LIMITS.json_containers,
    max_keys: int = LIMITS.json_keys,
    max_values: int = LIMITS.json_values,
) -> Any:
    """Parse `data`, named `what` in errors.

    Args:
        max_containers: how many arrays and objects it may hold together.
        max_keys: how many keys its objects may have together.
        max_values: how many values may stand next to others, in arrays and objects.

    Raises:
        LimitError: larger, deeper or of more parts than the limits.
        MalformedError: not UTF-8, not JSON, a key twice in one object, NaN, or a number beyond a double.
    """
    if len(data) > max_size_bytes:
        raise LimitError(f"{_named(what)} has {len(data):,} bytes; expected at most {max_size_bytes:,}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{_named(what)} is not UTF-8 at byte {error.start}") from None
    _check_form(text, what, max_containers, max_values)
    document = _load(text, what, max_keys)
    if "\\u" in text:
        _check_surrogates(document, what)
    return document


def _load(text: str, what: str, max_keys: int) -> Any:
    keys = 0

    def refuse(constant: str) -> NoReturn:
        raise MalformedError(f"{_named(what)} holds {constant}, which JSON does not have")

    def finite(digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            raise MalformedError(f"{_named(what)} holds {digits[:80]}, which is beyond a double")
        return number

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(pairs)
        if keys > max_keys:
            raise LimitError(f"{_named(what)} holds more than {max_keys:,} keys")
        result = dict(pairs)
        if len(result) != len(pairs):
            twice = first_twice(key for key, _ in pairs) or ""
            raise MalformedError(f"{_named(what)} has the key {twice[:80]!r} twice in one object")
        return result

    try:
        return json.loads(text, parse_float=finite, parse_constant=refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise MalformedError(f"{_named(what)} is not JSON: {error.msg} at character {error.pos}") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise MalformedError(f"{_named(what)} is not JSON: {error}") from None


def _named(what: str) -> str:
    """Quote the name of a file or field; a phrase such as `the request` stands as it is."""
    return what if what.startswith("the ") else repr(what)


def first_twice(names: Iterable[str]) -> str | None:
    """Return the first name that was there before, or None; comparing each with all others would take hours."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _check_form(text: str, what: str, max_containers: int, max_values: int) -> None:
    """Bound depth and number of everything before the recursive parser sees it; strings are skipped."""
    # What stands in strings counts as well here: few enough of all this is few enough, and most documents are small.
    opened = text.count("[") + text.count("{")
    if opened <= min(LIMITS.json_depth, max_containers) and max(text.count(","), text.count('"')) <= max_values:
        return
    depth = containers = strings = values = 0
    # Commas are mostly few enough without a look at which of them stand in strings.
    marks = _STRING_OR_BRACKET if text.count(",") <= max_values else _STRING_OR_MARK
    for match in marks.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            containers += 1
            if depth > LIMITS.json_depth:
                raise LimitError(f"{_named(what)} nests deeper than {LIMITS.json_depth} levels")
            if containers > max_containers:
                raise LimitError(f"{_named(what)} holds more than {max_containers:,} arrays and objects")
        elif mark in "]}":
            depth -= 1
            if depth < 0:
                raise MalformedError(f"{_named(what)} is not JSON: it ends at character {match.start()}, and goes on")
        else:
            if mark == ",":
                values += 1
            else:
                strings += 1
            # A string may be a key, which comes with a value of its own.
            if values > max_values or strings > 2 * max_values:
                raise LimitError(f"{_named(what)} holds more than {max_values:,} values")


def _check_surrogates(document: Any, what: str) -> None:
    r"""Refuse `"\ud800"` alone: it parses, and then cannot be written, hashed or shown."""
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError(f"{_named(what)} holds half of a surrogate pair, which is not text") from None
