"""A small kit, and an attempt to install it."""

import pytest
from support.kits.small import write_small

from sealift_bundler.kit import install as script

# What ends in a refusal: this machine, not a kit, other bytes than listed, not for this machine.
STATUSES = {3, 10, 26, 40}


@pytest.fixture
def kit(tmp_path):
    folder = tmp_path / "kit"
    write_small(folder)
    return folder


@pytest.fixture
def attempt(tmp_path, monkeypatch, capsys):
    """Run the script on a folder in this process; what came with the kit is never run, but it is noted when it would."""
    ran = []

    class Second:
        @staticmethod
        def install(*_):
            ran.append("install")

    monkeypatch.setattr(script, "second", lambda _: Second)
    capsys.readouterr()

    def attempt(folder):
        ran.clear()
        status = script.main(folder, ["--prefix", str(tmp_path / "opt")])
        said = capsys.readouterr()
        assert said.out == ""
        assert not (tmp_path / "opt").exists()
        if status == 0:
            assert (said.err, ran) == ("", ["install"])
            return 0, ""
        (line,) = said.err.splitlines()
        assert line.startswith("install.py: ")
        assert line.isprintable()
        assert len(line) < 1000
        assert ran == []
        assert status in STATUSES, line
        return status, line

    return attempt
