"""Builder commands that are killed: their children end with them, and the next command removes what they left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.hostile.own_code import FULL, own_pickle

from sealift.errors import Error

pytestmark = pytest.mark.slow


def killed(action):
    """Run `action` in a process that kills itself; an action that comes to its end fails the test."""
    process = os.fork()
    if process == 0:
        try:
            action()
        finally:
            os._exit(3)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def die(*_arguments, **_keywords):
    os.kill(os.getpid(), signal.SIGKILL)


def hidden(directory):
    return sorted(path.name for path in Path(directory).rglob(".*"))


@pytest.fixture
def built(channel, tmp_path):
    channel.add("alpha", "1.0.0")
    channel.release()
    out = tmp_path / "out"
    out.mkdir()
    return out


@pytest.mark.parametrize("part_size_bytes", [None, 20_000])
def test_pack(part_size_bytes, channel, built):
    from sealift_bundler.packing.whole import pack, prepare

    prepared = prepare(channel.directory)
    killed(lambda: pack(prepared, built, part_size_bytes=part_size_bytes, progress=die))
    assert hidden(built) != []
    pack(prepared, built, part_size_bytes=part_size_bytes)
    assert hidden(built) == []
    assert list(built.iterdir()) != []


def test_split(channel, built, tmp_path):
    from sealift_bundler.packing.parts import split

    bundle = channel.pack(tmp_path)
    killed(lambda: split(bundle, built, 20_000, progress=die))
    assert hidden(built) != []
    split(bundle, built, 20_000)
    assert hidden(built) == []


def test_kit(built, monkeypatch):
    from sealift_bundler.kit.writing import write_kit

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", die)
        killed(lambda: write_kit(built / "kit.tar", "kit", {"a": b"whole"}, 0))
    assert hidden(built) != []
    write_kit(built / "kit.tar", "kit", {"a": b"whole"}, 0)
    assert hidden(built) == []


def test_blobs_and_metadata_of_a_channel(channel, built, monkeypatch):
    from sealift_bundler.release.modelpack import Descriptor, write_model
    from sealift_common.blob import Blob
    from sealift_common.files import durable
    from sealift_common.names import ModelVersion
    from sealift_keys.channel.directory import Channel

    opened = Channel.open(channel.directory)
    model, descriptor = ModelVersion.parse("beta", "1.0.0"), Descriptor("t", "d", ["a"], ["MIT"])

    def write():
        return write_model(opened.blobs_dir, model, {"CARD.md": b"x" * 5000}, descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "move", die)
        killed(write)
        killed(lambda: durable.write_file(opened.tuf_dir / "timestamp.json", b"{}"))
        killed(lambda: opened.stage(model, Blob("sha256:" + "0" * 64, 1)))
    assert len(hidden(channel.directory)) == 3
    opened.stage(model, write())
    with opened.locked():
        assert hidden(channel.directory) == [".lock"]


def test_convert_takes_its_child_along_and_its_folder_goes_next_time(tmp_path, monkeypatch):
    from sealift_bundler import convert

    (tmp_path / "model.pkl").write_bytes(own_pickle(tmp_path, monkeypatch, "import time\ntime.sleep(600)"))
    (tmp_path / "rows.csv").write_text("a\n1\n")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    script = (
        "from sealift_bundler import convert; from pathlib import Path; "
        f"convert(Path({str(tmp_path / 'model.pkl')!r}), Path({str(tmp_path / 'rows.csv')!r}), name='a', version='1.0.0', "
        f"trust_globals={[FULL]})"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    (child,) = _wait_for(lambda: _children_that_run("sealift_bundler.proof.child", parent.pid))
    _wait_for(lambda: os.readlink(f"/proc/{child}/exe") and _sleeps(child))
    parent.kill()
    parent.wait()
    _wait_for(lambda: not os.path.exists(f"/proc/{child}") or _state(child) == "Z")
    assert [path.name[:15] for path in temporary.iterdir()] == ["sealift-convert"]
    (tmp_path / "model.pkl").write_bytes(b"no pickle")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(Error):
        convert(tmp_path / "model.pkl", tmp_path / "rows.csv", name="a", version="1.0.0")
    assert list(temporary.iterdir()) == []


def test_a_command_bound_to_its_parent_ends_with_it():
    script = (
        "import subprocess, time; from sealift_common.parent import bound; "
        "child = subprocess.Popen(bound(['/bin/sleep', '600'])); print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    _wait_for(lambda: "sleep" in os.readlink(f"/proc/{child}/exe"))
    parent.kill()
    parent.communicate()
    _wait_for(lambda: not os.path.exists(f"/proc/{child}") or _state(child) == "Z")


def _wait_for(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def _children_that_run(module, parent):
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                words = Path(entry.path, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if module.encode() in words and str(parent).encode() in words:
                found.append(int(entry.name))
    return found


def _state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _sleeps(process):
    """Return whether the pickle is being opened: the process sleeps, and has asked for its own death."""
    return _state(process) == "S"
