"""A good bundle as its members, and the refusal of what is made of them."""

import tarfile
import tempfile

import pytest
from support.hostile import bundles as hostile
from support.hostile.archives import FORM
from support.release.channel_simulator import ChannelSimulator

from sealift.cli import cli
from sealift_common.console import run


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A channel with one released model, and its bundle as (name, content) pairs."""
    directory = tmp_path_factory.mktemp("signed")
    channel = ChannelSimulator(directory / "channel")
    bundle = hostile.sign(channel, directory / "good.tar")
    with tarfile.open(bundle) as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar.getmembers()]
    return channel, members


@pytest.fixture
def members(signed, instance):
    channel, members = signed
    instance.pin(channel.root_bytes)
    return members


@pytest.fixture
def refuse(instance, refused, tmp_path, monkeypatch, capsys):
    """Assert that all three commands refuse a file, with one line, one class and no trace.

    `inspect` reads the head alone, so with `inspected` it may accept what is wrong behind that.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    instance.export(monkeypatch)

    def check(bundle, error=FORM, match="", *, inspected=False):
        codes = {kind.exit_code for kind in (error if isinstance(error, tuple) else (error,))}
        if isinstance(bundle, bytes):
            data, bundle = bundle, tmp_path / "hostile.tar"
            bundle.write_bytes(data)
        before = instance.snapshot()
        beside = sorted(tmp_path.iterdir())
        for command in ("verify", "inspect"):
            capsys.readouterr()
            status = run(cli, "sealift", [command, str(bundle)])
            captured = capsys.readouterr()
            if command == "inspect" and inspected and status == 0:
                continue
            assert status in codes, (command, captured.err)
            assert captured.out == ""
            assert len(captured.err.splitlines()) == 1
        assert instance.snapshot() == before
        with refused(error, match):
            instance.install(bundle)
        assert not (instance.store_path / "staging").exists()
        assert not (instance.store_path / "models").exists()
        assert list(scratch.iterdir()) == []
        assert sorted(tmp_path.iterdir()) == beside

    return check
