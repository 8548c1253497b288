"""How long signed metadata lives, who renews it, and when its end is told."""

from datetime import UTC, datetime, timedelta

import pytest
from support.key_holders import ALL, people, public

from sealift_common.errors import Error, ExpiringError, ExpiringSoonError, LapsingError
from sealift_keys.ceremony.rotation import renew, rotate
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.expiry import expiry


def test_renewing_timestamp_asks_nobody_else(channel: Channel) -> None:
    now = datetime.now(UTC)
    before = channel.targets().to_bytes(), channel.snapshot().to_bytes()
    renew(channel, ["timestamp"], days=20, signers=people("builder"), now=now)
    assert channel.timestamp().signed.expires == (now + timedelta(days=20)).replace(microsecond=0)
    assert (channel.targets().to_bytes(), channel.snapshot().to_bytes()) == before
    renew(channel, ["timestamp"], signers=people("builder"), now=now)
    assert channel.timestamp().signed.expires == (now + timedelta(days=180)).replace(microsecond=0)


def test_roots_lifetime_is_recorded(channel: Channel) -> None:
    now = datetime.now(UTC)
    renew(channel, ["root"], days=400, signers=ALL, now=now)
    rotate(channel, ["root"], add=[public("dave")], signers=ALL, now=now)
    assert channel.root().signed.expires == (now + timedelta(days=400)).replace(microsecond=0)


@pytest.mark.parametrize(
    ("days", "kind", "warning"),
    [
        (91, None, None),
        (89, ExpiringError, 90),
        (31, ExpiringError, 90),
        (29, ExpiringSoonError, 30),
        (8, ExpiringSoonError, 30),
        (6, LapsingError, 7),
        (-1, LapsingError, 0),
    ],
)
def test_expiry_warns_at_90_30_and_7_days(
    channel: Channel, days: int, kind: type[Error] | None, warning: int | None
) -> None:
    report = expiry(channel, channel.timestamp().signed.expires - timedelta(days=days))
    assert report.roles[0].role == "timestamp"
    assert report.warning == warning
    assert (type(report.error()) if kind else report.error()) == kind
    assert report.to_dict()["roles"][0]["warning"] == warning
    assert ("renew" in report.next_command()) == (kind is not None)
    if days < 0:
        assert "EXPIRED" in str(report.error())
