"""Receiver and lander killed in the middle: what was acknowledged is in a table, once."""

import pytest
from support.depth import DEPTH
from support.gitlab.killing import POLICY, delivered_under_kills
from support.gitlab.pipeline import new_pipeline

pytestmark = pytest.mark.slow


def test_nothing_that_was_acknowledged_is_lost_or_there_twice(tmp_path):
    settings = new_pipeline(tmp_path / "p", policy=POLICY)
    acknowledged, found = delivered_under_kills(settings, 150 * DEPTH, 2 * DEPTH)
    assert len(acknowledged) == 150 * DEPTH
    assert acknowledged - set(found) == set()
    assert len(found) == len(set(found))
