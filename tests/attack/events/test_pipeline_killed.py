"""Receiver, lander and log killed in the middle: what was acknowledged is in a table, once."""

import pytest
from support.depth import DEPTH
from support.gitlab.killing import POLICY, delivered_under_kills
from support.gitlab.pipeline import new_pipeline
from support.servers.nats_server import NatsServer

from sealift_pipeline.settings.settings import Settings

pytestmark = pytest.mark.slow


def is_whole(settings, servers=()):
    acknowledged, found = delivered_under_kills(settings, 150 * DEPTH, (2 + len(servers)) * DEPTH, servers)
    assert len(acknowledged) == 150 * DEPTH
    assert acknowledged - set(found) == set()
    assert len(found) == len(set(found))


def test_nothing_that_was_acknowledged_is_lost_or_there_twice(tmp_path):
    is_whole(new_pipeline(tmp_path / "p", policy=POLICY))


def test_nor_where_the_log_is_a_server_that_is_killed_too(tmp_path):
    folder = new_pipeline(tmp_path / "p", policy=POLICY).folder
    server = NatsServer(tmp_path / "nats")
    try:
        path = folder / "pipeline.toml"
        path.write_text(path.read_text().replace("sqlite:log/events.db", server.url))
        is_whole(Settings.load(folder), [server])
    finally:
        server.stop()
