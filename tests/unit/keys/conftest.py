"""A channel whose keys several people hold."""

from pathlib import Path

import pytest
from support.key_holders import ALL, public

from sealift_keys.ceremony.beginning import init
from sealift_keys.ceremony.plan import RolePlan
from sealift_keys.channel.directory import Channel


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    """Root 2 of 3, targets 2 of 2, one builder for the machine's roles; all signed."""
    machine = RolePlan([public("builder")])
    plans = {
        "root": RolePlan([public("alice"), public("bob"), public("carol")], 2),
        "targets": RolePlan([public("builder"), public("approver")], 2),
        "snapshot": machine,
        "timestamp": machine,
    }
    init(tmp_path / "ch", "c", plans, ALL)
    return Channel.open(tmp_path / "ch")
