"""What a channel releases with which approvals."""

import pytest

from sealift_bundler.errors import UnapprovedError
from sealift_bundler.release.staging import release
from sealift_common.review.dsse import parse_envelope
from sealift_common.review.statement import parse_statement


def released(sim, tmp_path, *approvals, version="1.0.0"):
    """A bundle of one version with these approvals, whatever the builder's gate says."""
    model = sim.stage(version)
    sim.say(model, "security", "ada")
    for role, name in approvals:
        if role != "security":
            sim.say(model, role, name)
    number = sim.release()
    return model, sim.pack(tmp_path / f"{number}.tar")


def unapproved(sim, match):
    before = {path: path.read_bytes() for path in sim.directory.rglob("*") if path.is_file()}
    with pytest.raises(UnapprovedError, match=match):
        release(sim.channel, sim.signers, refresh=True)
    assert {path: path.read_bytes() for path in sim.directory.rglob("*") if path.is_file()} == before


def listed(sim):
    return [parse_statement(parse_envelope(one, "x").payload, "x") for one in sim.channel.release().reviews]
