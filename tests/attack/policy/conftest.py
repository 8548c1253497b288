"""A channel with reviewers, and an instance that pins it."""

import pytest
from support.release.instance import Instance
from support.release.reviews import ReviewedChannel


@pytest.fixture
def sim(tmp_path):
    return ReviewedChannel(tmp_path / "ch")


@pytest.fixture
def instance(sim, tmp_path):
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    return instance
