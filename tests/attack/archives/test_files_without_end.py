"""Files that are none, change while they are read, or never end: bounded, and refused with no trace."""

import io
import os
import shutil
import socket
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest
from support.hostile import bundles as hostile
from support.hostile.archives import FORM, INSERTED, tar_of
from support.release.instance import Instance

from sealift.bundle.archive import Archive
from sealift.bundle.reader import read_head
from sealift.bundle.tarformat import BLOCK, END
from sealift.cli import cli
from sealift.errors import DigestError, Error, LimitError, LocalError, MalformedError, UnsafeMemberError, UsageError
from sealift.limits import LIMITS
from sealift_common.console import run
from sealift_common.oci import layout

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.mark.parametrize(
    "kind", ["directory", "FIFO", "socket", "/dev/zero", "/dev/null", "/dev/full", "link to /dev/zero"]
)
def test_no_regular_file(kind, members, refuse, tmp_path):
    path = tmp_path / "odd.tar"
    if kind.startswith("/dev"):
        path = Path(kind)
    elif kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            # The path of a socket has at most 107 bytes.
            place = os.open(tmp_path, os.O_RDONLY)
            try:
                listener.bind(f"/proc/self/fd/{place}/odd.tar")
            finally:
                os.close(place)
    else:
        path.symlink_to("/dev/zero")
    refuse(path, UsageError, "directory|not a regular file")


@pytest.mark.parametrize("name", ["nowhere.tar", "loop.tar", "x" * 300])
def test_no_file_at_all(name, members, instance, tmp_path, monkeypatch, capsys):
    instance.export(monkeypatch)
    (tmp_path / "loop.tar").symlink_to("loop.tar")
    before = instance.snapshot()
    for command in ("verify", "inspect", "install"):
        assert run(cli, "sealift", [command, str(tmp_path / name)]) == LocalError.exit_code
        assert name[:80] in capsys.readouterr().err
    assert instance.snapshot() == before


def test_a_file_that_this_user_may_not_read(members, signed, monkeypatch, capsys):
    if os.geteuid() != 0:
        pytest.fail("only root can become another user here; run the tests as root")
    # Not below tmp_path, which other users cannot enter at all.
    place = Path(tempfile.mkdtemp(prefix="sealift-test-"))
    nobody = 65534
    try:
        place.chmod(0o755)
        instance = Instance(place / "instance")
        instance.pin(signed[0].root_bytes)
        bundle = place / "secret.tar"
        bundle.write_bytes(tar_of(members) + END)
        instance.export(monkeypatch)
        # Everything that the commands import is imported once, as root.
        for command in ("verify", "inspect"):
            assert run(cli, "sealift", [command, str(bundle)]) == 0
        bundle.chmod(0o600)
        shutil.chown(instance.directory, nobody, nobody)
        before = instance.snapshot()
        os.seteuid(nobody)
        try:
            for command in ("verify", "inspect", "install"):
                capsys.readouterr()
                assert run(cli, "sealift", [command, str(bundle)]) == LocalError.exit_code
                assert "check its owner and mode" in capsys.readouterr().err
        finally:
            os.seteuid(0)
        assert instance.snapshot() == before
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize("change", ["shrinks", "grows", "is emptied", "is overwritten"])
def test_a_file_that_changes_while_it_is_read(change, channel, instance, refuse, tmp_path, monkeypatch):
    # Larger than any buffer, so that what happens on disk is seen.
    data = os.urandom(8 * 1024 * 1024)
    bundle = hostile.sign(channel, tmp_path / "large.tar", files={"NOTES.txt": data})
    instance.pin(channel.root_bytes)
    whole = bundle.read_bytes()
    original = Archive.verified_chunks

    def meanwhile(self, member, digest, what):
        if change == "shrinks":
            os.truncate(bundle, len(whole) - 700_000)
        elif change == "is emptied":
            os.truncate(bundle, 0)
        elif change == "grows" and len(whole) == bundle.stat().st_size:
            with bundle.open("ab") as file:
                file.write(whole)
        elif change == "is overwritten":
            with bundle.open("r+b") as file:
                file.seek(len(whole) - 3_000_000)
                file.write(b"evil")
        yield from original(self, member, digest, what)

    monkeypatch.setattr(Archive, "verified_chunks", meanwhile)
    original_run, original_install = cli.main, instance.install

    def fresh(function):
        def run_on_a_fresh_file(*args, **kwargs):
            bundle.write_bytes(whole)
            return function(*args, **kwargs)

        return run_on_a_fresh_file

    monkeypatch.setattr(cli, "main", fresh(original_run))
    monkeypatch.setattr(instance, "install", fresh(original_install))
    refuse(bundle, (MalformedError, DigestError), inspected=True)


class Endless(io.RawIOBase):
    """A file that is made while it is read: some bytes, then members without end."""

    def __init__(self, start, member, like):
        self._made = bytearray(start)
        self._place = 0
        self._member = member
        self._like = like
        self.taken = self.members = 0

    def fileno(self):
        return self._like.fileno()

    def read(self, size=-1):
        assert size > 0
        end = self._place + size
        while len(self._made) < end:
            self._made += self._member(self.members)
            self.members += 1
        data = bytes(self._made[self._place : end])
        self._place = end
        self.taken = max(self.taken, end)
        return data

    def tell(self):
        return self._place

    def seek(self, offset, whence=os.SEEK_SET):
        self._place = offset + (self._place if whence == os.SEEK_CUR else 0)
        return self._place


def _million(number):
    return hostile.member_bytes(f"member-{number}", b"x")


@pytest.mark.parametrize("kind", ["unknown members", "roots", "empty blobs", "PAX headers", "zero blocks"])
def test_members_without_end(kind, members, refuse, tmp_path, monkeypatch, capsys):
    named = dict(members)
    root = named["tuf/1.root.json"]
    head = members[:2]
    start, member = {
        "unknown members": (tar_of(members), _million),
        "roots": (tar_of(head), lambda number: hostile.member_bytes(f"tuf/{number + 1}.root.json", root)),
        "empty blobs": (tar_of(members), lambda number: hostile.member_bytes(f"blobs/sha256/{number:064x}", b"")),
        "PAX headers": (tar_of(head), lambda _: INSERTED["PAX of nothing"]),
        "zero blocks": (b"", lambda _: bytes(BLOCK)),
    }[kind]
    small = tmp_path / "small.tar"
    small.write_bytes(b"x")
    opened = []

    def open_endless(_path):
        opened.append(Endless(start, member, small.open("rb")))
        return opened[-1]

    monkeypatch.setattr("sealift.bundle.parts.open_regular", open_endless)
    tracemalloc.start()
    began = time.monotonic()
    try:
        refuse(small, (MalformedError, UnsafeMemberError, LimitError, DigestError), inspected=True)
    finally:
        elapsed, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    most = sum(len(data) for _, data in members) + (LIMITS.root_rotations + 2) * (len(root) + 3 * BLOCK) + 100_000
    for stream in opened:
        assert stream.taken < most, stream.taken
        stream._like.close()
    assert peak < 64 * 1024 * 1024
    with capsys.disabled():
        print(f"\nendless {kind}: {opened[-1].members} made, {elapsed:.2f} s for three commands, {peak >> 20} MiB")


def test_a_million_members_under_a_signed_release(signed, refuse, members):
    """An index that lists more manifests than the limit is refused before any of them is read."""
    import json

    named = dict(members)
    index = json.loads(named[layout.INDEX])
    index["manifests"] = [{"digest": f"sha256:{number:064x}"} for number in range(LIMITS.models_per_bundle + 1)]
    named[layout.INDEX] = json.dumps(index, separators=(",", ":")).encode()
    refuse(tar_of(named.items()) + END, LimitError, "20,001 models")


def test_documents_that_would_fill_the_memory(members):
    """`inspect` trusts nobody, and keeps all manifests in memory."""
    from sealift.bundle.reader import read_contents
    from sealift_common.blob import Blob
    from sealift_common.names import ModelVersion

    def model(number):
        return ModelVersion.parse("toy", f"1.0.{number}")

    targets = {model(n): Blob(f"sha256:{n:064x}", LIMITS.oci_manifest_size_bytes) for n in range(65)}
    head = read_head(Archive(io.BytesIO(tar_of(members) + END)))
    lying = type(head)(
        {"manifests": [{"digest": blob.digest} for blob in targets.values()]},
        head.index_bytes,
        head.metadata,
        head.digests,
        head.manifest_md,
    )
    with pytest.raises(LimitError, match="manifests and configs have 272,629,760 bytes"):
        read_contents(Archive(io.BytesIO(b"")), lying, targets)


def test_every_refusal_has_a_class():
    assert all(issubclass(kind, Error) for kind in FORM)
