"""From a value of JSON to what a column of each type holds. Pure.

A time becomes whole microseconds since 1970, UTC, the unit of the table. Whole numbers stay within 53 bits, so that
canonical JSON (RFC 8785) can write them.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sealift_pipeline.data_policy.protection import pseudonym, scrub

_LARGEST_INT = 2**53 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ZONE = re.compile(r" ([+-][0-9]{2}:?[0-9]{2})\Z")


class Protection(NamedTuple):
    """What values are protected with.

    Attributes:
        key: of pseudonyms, 32 bytes.
        names: that the event gives to persons.
    """

    key: bytes
    names: tuple[str, ...]


def _int(value: Any, _with: Protection) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_INT:
        raise ValueError
    return value


def _float(value: Any, _with: Protection) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _bool(value: Any, _with: Protection) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - one class for every value that does not fit
    return value


def _str(value: Any, _with: Protection) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - as above
    return value


def _text(value: Any, protection: Protection) -> str:
    return scrub(_str(value, protection), protection.names)


def _person(value: Any, protection: Protection) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError  # noqa: TRY004 - as above
    return pseudonym(value, protection.key)


def _time(value: Any, _with: Protection) -> int:
    return time_of(value)


def time_of(value: Any) -> int:
    """Return a time of GitLab's in whole microseconds since 1970, UTC; raises ValueError where it is none."""
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - as above
    # GitLab also writes "2026-11-23 12:00:00 UTC" and "… +0200".
    moment = datetime.fromisoformat(_ZONE.sub(r"\1", value.replace(" UTC", "Z")))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    micros = (moment - _EPOCH) // _MICROSECOND
    # From the year 1684 to 2255: what canonical JSON can write.
    if abs(micros) > _LARGEST_INT:
        raise ValueError
    return micros


# By the word in data-policy.toml. `list` is a list of `str`.
CONVERSIONS: Mapping[str, Callable[[Any, Protection], int | float | bool | str]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "time": _time,
    "str": _str,
    "list": _str,
    "text": _text,
    "person": _person,
}
