"""No /proc, no folder for temporary files, a file system without locks: the line says which, and what to do."""

import errno
import fcntl
import os
import shlex
import subprocess
import sys
import tempfile

import pytest

from sealift.cli import cli
from sealift.errors import LocalError
from sealift.model.runtime.sealed import SealedFile
from sealift_common.console import run

STATUS = LocalError.exit_code


@pytest.fixture
def installed(channel, instance, tmp_path, monkeypatch):
    instance.export(monkeypatch)
    instance.pin(channel.root_bytes)
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        channel.add("toy", version)
        channel.release()
        bundle = channel.pack(tmp_path / f"{version}.tar")
        if version != "1.2.0":
            instance.install(bundle)
    return instance, bundle


def without_proc(*words: object) -> subprocess.CompletedProcess[str]:
    command = shlex.join([sys.executable, "-P", "-c", "from sealift.cli import main; main()", *map(str, words)])
    inside = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs sealift-test /proc && exec {command}"]
    return subprocess.run(inside, capture_output=True, text=True, check=False)


def test_without_proc_an_install_says_what_it_lacks_and_the_rest_works(installed, require_tool):
    require_tool("unshare")
    instance, bundle = installed
    before = instance.snapshot()
    done = without_proc("install", bundle)
    assert (done.returncode, len(done.stderr.splitlines())) == (STATUS, 1)
    assert "how much memory is free cannot be read from '/proc/meminfo': No such file or directory" in done.stderr
    assert "Docker" in done.stderr or "mount -t proc" in done.stderr
    assert instance.snapshot() == before
    for words in (["verify", bundle], ["status"], ["check"], ["rollback"], ["prune"], ["show", "toy"]):
        done = without_proc(*words)
        assert done.returncode == 0, done.stderr
    done = without_proc("doctor")
    assert "lock: '/proc/locks'" in done.stdout


def test_a_large_graph_without_proc(tmp_path, monkeypatch):
    path = tmp_path / "graph"
    path.write_bytes(bytes(100))
    with path.open("rb") as file:
        sealed = SealedFile.copy(file.fileno(), 100, "graph")
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    with pytest.raises(LocalError, match=r"'/proc/self/fd/[0-9]+', which is not there; .*mount -t proc"):
        _ = sealed.path


def test_without_a_folder_for_temporary_files(installed, tmp_path, monkeypatch, capsys):
    instance, bundle = installed
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "absent")])
    before = instance.snapshot()
    for words in (["verify", bundle], ["push", "--as-image", bundle, "oci://localhost:1/a/b"]):
        capsys.readouterr()
        assert run(cli, "sealift", list(map(str, words))) == STATUS
        (line,) = capsys.readouterr().err.splitlines()
        assert f"no usable temporary directory found in ['{tmp_path / 'absent'}']; set TMPDIR" in line
    assert instance.snapshot() == before


def test_a_file_system_without_locks(installed, monkeypatch, capsys):
    instance, bundle = installed

    def flock(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    before = instance.snapshot()
    for words in (["install", bundle], ["rollback"], ["prune"]):
        capsys.readouterr()
        assert run(cli, "sealift", list(map(str, words))) == STATUS
        (line,) = capsys.readouterr().err.splitlines()
        assert f"the file system of {str(instance.store_path)!r} has no locks (flock: Function not implemented)" in line
    assert instance.snapshot() == before
    # Readers need none.
    assert instance.store.load("toy").version == "1.1.0"
