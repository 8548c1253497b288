"""Somebody who may only copy files into the drop folder tries to get more than that."""

import json
import os

import pytest

from sealift.errors import DigestError, MalformedError, RootError, UnsafeMemberError, UnsafeStoreError
from sealift.install import install
from sealift.install.drop_folder import DropFolder
from sealift.install.watch import Watch


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "drop"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add("alpha", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path)


@pytest.fixture
def watch(folder, instance):
    """A watcher whose time passes only while it sleeps; `meanwhile` runs just before an install opens its file."""

    class Watcher:
        now = 0.0

        def __init__(self):
            self.events = []
            self.meanwhile = lambda: None
            self.watch = Watch(
                DropFolder(folder), self.install, self.events.append, clock=lambda: self.now, sleep=self.sleep
            )

        def sleep(self, seconds):
            self.now += seconds

        def install(self, path):
            self.meanwhile()
            return install(path, instance.store)

        def once(self):
            self.watch.run(once=True)

    return Watcher()


def reason(folder, name):
    return json.loads((folder / "refused" / f"{name}.reason.json").read_text())["code"]


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_a_link_or_a_pipe_in_place_of_a_bundle(kind, bundle, folder, watch, refused):
    path = folder / "x.tar"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(bundle if kind == "link" else "/nonexistent")
    with refused(UnsafeMemberError, "not a regular file"):
        watch.once()
    assert reason(folder, "x.tar") == "unsafe-member"
    assert (folder / "refused" / "x.tar").is_symlink() == (kind != "pipe")
    assert bundle.exists()


@pytest.mark.parametrize("name", ["done", "refused"])
def test_a_link_in_place_of_done_or_refused_would_move_files_elsewhere(name, bundle, folder, watch, refused, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / name).symlink_to(elsewhere)
    with refused(UnsafeStoreError, "not a real directory"):
        watch.once()
    assert list(elsewhere.iterdir()) == []


def test_a_folder_in_which_done_could_be_replaced(bundle, folder, watch, refused):
    folder.chmod(0o777)
    with refused(UnsafeStoreError, r"chmod \+t"):
        watch.once()
    folder.chmod(0o1777)
    DropFolder(folder).prepare()
    (folder / "done").chmod(0o777)
    with refused(UnsafeStoreError, "chmod go-w"):
        watch.once()


def test_a_genuine_bundle_swapped_for_a_link_after_it_was_opened(bundle, folder, watch, instance, tmp_path):
    """What is installed is the file that was opened; what took its name is looked at for itself."""
    path = folder / bundle.name
    path.write_bytes(bundle.read_bytes())

    def swap():
        if not path.is_symlink():
            path.unlink()
            path.symlink_to("/etc/passwd")

    watch.meanwhile = swap
    watch.once()
    assert instance.store.release().number == 2
    assert os.listdir(folder / "done") == []
    assert path.is_symlink()
    watch.sleep(20)
    watch.watch.look()
    assert watch.events[-1].details["code"] == "unsafe-member"
    assert (folder / "refused" / bundle.name).is_symlink()


def test_a_forged_bundle_and_one_of_another_channel(bundle, folder, watch, refused, tmp_path):
    from channel_simulator import ChannelSimulator

    other = ChannelSimulator(tmp_path / "other", "sim")
    other.add("alpha", "9.0.0")
    other.release()
    other.pack(folder / "other.tar")
    with refused(RootError):
        watch.once()
    damaged = bytearray(bundle.read_bytes())
    damaged[-2000] ^= 1
    (folder / "damaged.tar").write_bytes(damaged)
    watch.watch._refused.clear()
    with refused(DigestError):
        watch.once()
    assert (reason(folder, "other.tar"), reason(folder, "damaged.tar")) == ("root", "digest")


def test_a_header_repeated_without_end_is_not_walked_without_end(bundle, folder, watch, refused, monkeypatch):
    from sealift.bundle.tarformat import Member
    from sealift.install import drop_folder
    from sealift.limits import Limits

    monkeypatch.setattr(drop_folder, "LIMITS", Limits(walked_members=50))
    reads = []
    pread = os.pread
    monkeypatch.setattr(drop_folder.os, "pread", lambda *arguments: reads.append(1) or pread(*arguments))
    (folder / "x.tar").write_bytes(Member("oci-layout", 0, 1).header() * 1000)
    with refused(MalformedError):
        watch.once()
    assert len(reads) <= 50


def test_more_files_than_anybody_carries_are_taken_in_parts(bundle, folder, watch, monkeypatch):
    from sealift.install import drop_folder
    from sealift.limits import Limits

    monkeypatch.setattr(drop_folder, "LIMITS", Limits(drop_folder_files=10))
    for number in range(25):
        (folder / f"{number}.tar").write_text("no bundle\n")
    (folder / bundle.name).write_bytes(bundle.read_bytes())
    with pytest.raises(MalformedError):
        watch.once()
    assert [path.name for path in folder.iterdir() if path.is_file()] == []
    assert os.listdir(folder / "done") == [bundle.name]


def test_a_small_number_copied_slowly_holds_others_back_for_an_hour_at_most(bundle, folder, watch, channel, instance):
    data = bundle.read_bytes()
    channel.add("alpha", "1.1.0")
    channel.release()
    channel.pack(folder)
    slow = folder / "slow.tar"
    watch.watch.folder.prepare()
    while watch.now < 3500:
        slow.write_bytes(data[: 20000 + int(watch.now)])
        watch.watch.look()
        watch.sleep(5)
    assert not (instance.store_path / "current").exists()
    while watch.now < 3700:
        slow.write_bytes(data[: 20000 + int(watch.now)])
        watch.watch.look()
        watch.sleep(5)
    assert instance.store.release().number == 3
