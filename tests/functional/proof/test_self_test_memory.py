"""`--self-test-memory` reaches the one child that tries models out, from every command that starts it."""

import pytest
from support.release.self_test_stub import Passes

from sealift.cli import cli
from sealift_common.console import run

SIZE = ("--self-test-memory", "8GB")


@pytest.mark.parametrize(("words", "given"), [(SIZE, 8_000_000_000), ((), None)])
@pytest.mark.parametrize("watching", [False, True])
def test_install_and_the_watcher(words, given, watching, channel, instance, tmp_path, monkeypatch):
    seen = []

    class Recorded(Passes):
        def __init__(self, **options):
            seen.append(options["memory_bytes"])

    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Recorded)
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    drop = tmp_path / "drop"
    drop.mkdir()
    bundle = channel.pack(drop)
    what = ["--watch", str(drop), "--once", "--settle", "0"] if watching else [str(bundle)]
    places = ["--store", str(instance.store_path), "--trust", str(instance.trust_path)]
    assert run(cli, "sealift", ["install", *what, *places, *words]) == 0
    assert seen == [given]


def test_every_command_that_starts_it_has_the_option():
    for name in ("install", "push"):
        command = cli.get_command(None, name)
        assert "self_test_memory_bytes" in {parameter.name for parameter in command.params}


@pytest.mark.parametrize("size", ["1GiBB", "-1", "100MB", "lots"])
def test_a_size_that_is_none(size, capsys):
    assert run(cli, "sealift", ["install", "x.tar", "--self-test-memory", size]) == 2
    assert "--self-test-memory" in capsys.readouterr().err
