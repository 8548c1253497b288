"""The time that a release says of itself."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sealift_common.errors import UsageError

VARIABLE = "SOURCE_DATE_EPOCH"
# Clocks of two machines differ.
_TOLERATED = timedelta(hours=1)


def release_time(environment: Mapping[str, str] | None = None) -> datetime:
    """`SOURCE_DATE_EPOCH` when it is set, otherwise now; UTC, whole seconds.

    Expiry dates never come from here: they count from the real clock.

    Raises:
        UsageError: the variable is not a number of seconds since 1970, or lies in the future: instances
            believe a signed release time, and would take everything after it for expired.

    """
    text = (os.environ if environment is None else environment).get(VARIABLE)
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    # Twelve digits reach the year 33658, beyond what datetime can hold; eleven fit.
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise UsageError(f"{VARIABLE} is {text[:40]!r}; expected whole seconds since 1970, or unset it")
    time = datetime.fromtimestamp(int(text), UTC)
    if time > datetime.now(UTC) + _TOLERATED:
        raise UsageError(f"{VARIABLE} is {time:%Y-%m-%d}, in the future; correct it or the clock, or unset it")
    return time


def next_release_time(before: datetime) -> datetime:
    """Return the time for the release after the one of `before`: never earlier.

    Instances refuse a release whose time goes back, whatever `SOURCE_DATE_EPOCH` says.

    Raises:
        UsageError: as `release_time`.

    """
    return max(release_time(), before)


def rfc3339(moment: datetime) -> str:
    """Write a UTC time as `2026-11-23T12:00:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
