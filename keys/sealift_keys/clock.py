"""The time that a release says of itself."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from sealift_keys.errors import UsageError

VARIABLE = "SOURCE_DATE_EPOCH"


def release_time(environment: Mapping[str, str] | None = None) -> datetime:
    """`SOURCE_DATE_EPOCH` when it is set, otherwise now; UTC, whole seconds.

    Expiry dates never come from here: they count from the real clock.

    Raises:
        UsageError: the variable is not a number of seconds since 1970.

    """
    text = (os.environ if environment is None else environment).get(VARIABLE)
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    # Twelve digits reach the year 33658, beyond what datetime can hold; eleven fit.
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise UsageError(f"{VARIABLE} is {text[:40]!r}; expected whole seconds since 1970, or unset it")
    return datetime.fromtimestamp(int(text), UTC)


def rfc3339(moment: datetime) -> str:
    """Write a UTC time as `2026-11-23T12:00:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
