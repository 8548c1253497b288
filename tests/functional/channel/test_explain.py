"""`sealift verify --explain`: the chain of a good bundle, and the first broken link of a bad one."""

import json
from functools import partial

import pytest
from support.release.channel_simulator import ChannelSimulator


@pytest.fixture
def explain(sealift_command):
    return partial(sealift_command, "verify", "--explain")


def test_a_good_bundle(instance, explain, tmp_path):
    channel = ChannelSimulator(tmp_path / "channel", thresholds={"targets": 2, "root": 2})
    channel.add()
    channel.release()
    channel.next_root(lambda root: None)
    instance.pin(channel.root_bytes)
    status, out, _ = explain(channel.pack(tmp_path / "x.tar"))
    assert status == 0
    lines = out.splitlines()
    assert lines[0].startswith(
        "pinned root version 1: signed by root-1, root-2 (2 of root-1, root-2 needed), expires 20"
    )
    assert lines[1].startswith("root version 2: signed by root-1, root-2")
    assert [line.split()[0] for line in lines[2:5]] == ["timestamp", "snapshot", "targets"]
    assert "signed by targets-1, targets-2" in lines[4]
    assert "BROKEN" not in out

    status, out, _ = explain(tmp_path / "x.tar", "--json")
    chain = json.loads(out)["chain"]
    assert [link["role"] for link in chain] == ["pinned root", "root", "timestamp", "snapshot", "targets"]


def test_the_first_broken_link(channel, instance, explain, tmp_path):
    channel.add()
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "good.tar"))
    older = (tmp_path / "good.tar").rename(tmp_path / "older.tar")
    channel.release()
    channel.change("snapshot", lambda _: None, signers=[])
    status, out, err = explain(channel.pack_anything(tmp_path / "bad.tar"))
    assert status == 21
    assert out.splitlines()[-1].strip().startswith("BROKEN: snapshot is not signed")
    assert "targets version" not in out
    assert "snapshot is not signed" in err

    channel.change("snapshot", lambda _: None)
    instance.install(channel.pack(tmp_path / "newer.tar"))
    status, out, _ = explain(older)
    assert status == 25
    assert "BROKEN: version 3 was accepted here before" in out


def test_another_channel(channel, instance, explain, tmp_path):
    stranger = ChannelSimulator(tmp_path / "stranger", name="stranger")
    stranger.release()
    instance.pin(channel.root_bytes)
    status, out, _ = explain(stranger.pack(tmp_path / "x.tar"))
    assert status == 20
    assert "BROKEN: the bundle holds another root version 1: it is of another channel" in out


def test_expired(channel, instance, explain, tmp_path):
    channel.release()
    channel.expire("targets")
    instance.pin(channel.root_bytes)
    status, out, _ = explain(channel.pack_anything(tmp_path / "x.tar"))
    assert status == 24
    assert "BROKEN: it has expired; the time here is" in out


def test_the_chain_says_what_the_verdict_says(channel, instance, explain, tmp_path):
    """Recovery from fast-forwarded versions is accepted, so no link of it is broken; a refusal always has its link."""
    from securesystemslib.signer import CryptoSigner

    channel.add()
    channel.release()
    channel.change("timestamp", lambda signed: setattr(signed, "version", 99))
    instance.pin(channel.root_bytes)
    instance.install(channel.pack_anything(tmp_path / "forwarded.tar"))
    old = channel.keys["timestamp"][0].public_key.keyid
    channel.keys["timestamp"] = [CryptoSigner.generate_ecdsa()]

    def rotate(root):
        root.revoke_key(old, "timestamp")
        root.add_key(channel.keys["timestamp"][0].public_key, "timestamp")

    channel.next_root(rotate)
    channel.change("timestamp", lambda signed: setattr(signed, "version", 3))
    status, out, _ = explain(channel.pack_anything(tmp_path / "recovered.tar"))
    assert (status, "BROKEN" in out) == (0, False)
    channel.change("snapshot", lambda signed: signed.meta.pop("targets.json"))
    status, out, _ = explain(channel.raw_bundle(tmp_path / "forwarded.tar", tmp_path / "bad.tar"))
    assert status != 0
    assert "BROKEN" in out
