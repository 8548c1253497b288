"""A channel with reviewers, and the command of the builder."""

from functools import partial

import pytest
from support.release.reviews import ReviewedChannel

from sealift_bundler.cli import command as bundler_command


@pytest.fixture
def sim(tmp_path):
    return ReviewedChannel(tmp_path / "ch")


@pytest.fixture
def bundler(call):
    return partial(call, bundler_command)
