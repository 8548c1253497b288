"""From Sealift 0.1.0 to this one and back, by kits, on a bare Debian: what was installed answers as before, each time."""

import os
import platform
import subprocess
import sys

import pytest
from first_reader.old_release import tree_of_the_old_release
from support.machine.bare_system import debian
from support.pages.kit_journey import content, inside, release, triage
from support.release.channel_simulator import ChannelSimulator
from support.release.weights import safetensors

import sealift
from sealift.testing import ToyFiles
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_bundler.release.staging import stage
from sealift_common.names import ModelVersion

OLD = "0.1.0"
_PROGRAM = "import sys; from sealift_bundler.cli import main; sys.argv[0] = 'sealift-bundler'; main()"
INSTALL = "python3 -I install.py --bin /usr/local/bin --man /usr/local/share/man"


def kit(output, *, channel, old=None):
    """A kit of this checkout, or of the old one, which makes it with its own code."""
    folders = [str(old / wing) for wing in ("loader", "keys", "bundler")] if old else []
    environment = {**os.environ, **({"PYTHONPATH": os.pathsep.join(folders)} if old else {})}
    words = ["kit", "--platform", f"linux-{platform.machine()}", "--python", "3.11", "--channel", channel, "-o", output]
    command = [sys.executable, "-c", _PROGRAM, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


def weights(channel: ChannelSimulator) -> None:
    """Stage what the first release cannot read."""
    model = ModelVersion.parse("assistant", "1.0.0")
    files = ToyFiles({"a.safetensors": safetensors()}).files("assistant")
    stage(channel.channel, model, write_model(channel.channel.blobs_dir, model, files, Descriptor(), form="files"))


@pytest.fixture
def carried(tmp_path):
    """What travels: both kits, a bundle that both read, one that only the newer reads, and rows."""
    folder = tmp_path / "carried"
    folder.mkdir()
    channel = release(tmp_path / "channel")
    kit(folder / "old.tar", channel=channel.directory, old=tree_of_the_old_release())
    kit(folder / "new.tar", channel=channel.directory)
    channel.pack(folder / "first.tar")
    weights(channel)
    channel.release()
    channel.pack(folder / "second.tar")
    (folder / "rows.csv").write_text(triage()[0].to_csv(index=False))
    return folder


def test_the_first_release_is_upgraded_by_a_kit_and_comes_back(carried, tmp_path, require_tool):
    issues, model = triage()
    answers = model.predict(issues).tolist()
    with debian(tmp_path / "bare", "bookworm", require_tool) as system:
        for file in carried.iterdir():
            (system.root / "root" / file.name).write_bytes(file.read_bytes())
        store = system.root / "var/opt/gitlab/sealift"
        with inside(system) as shell:

            def typed(command, status=0):
                said = [line for line in shell.type(f"cd /root && {command}") if line]
                assert shell.type("echo $?")[0] == str(status), "\n".join(said)
                return said

            def answered():
                return typed("sealift predict issue-triage --input rows.csv") == answers

            for name in ("old", "new"):
                typed(f"mkdir {name} && tar -xf {name}.tar -C {name} --strip-components=1")
                typed(f"cd {name} && sha256sum --check --quiet SHA256SUMS")
            assert f"Sealift {OLD} for Python 3.11" in typed(f"cd old && {INSTALL}")[0]
            typed("sealift trust init old/1.root.json")
            typed("sealift install first.tar")
            assert answered()
            said = typed("sealift install second.tar", status=11)
            assert "upgrade Sealift first" in said[-1]
            before = content(store)

            assert f"Sealift {sealift.__version__} for Python 3.11" in typed(f"cd new && {INSTALL}")[0]
            assert typed("sealift --version")[0].split()[-1] == sealift.__version__
            assert answered()
            typed("sealift check")
            assert content(store) == before

            typed("python3 -I /opt/sealift/current/install.py --roll-back")
            assert typed("sealift --version")[0].split()[-1] == OLD
            assert answered()
            typed("python3 -I /opt/sealift/current/install.py --roll-back")

            typed("sealift install second.tar")
            assert typed("sealift check")
            assert answered()

            # The store goes back first: the first release calls a version damaged that it does not know.
            typed("sealift rollback")
            typed("python3 -I /opt/sealift/current/install.py --roll-back")
            assert typed("sealift --version")[0].split()[-1] == OLD
            assert answered()
