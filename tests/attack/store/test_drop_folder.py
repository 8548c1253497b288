"""Somebody who may only copy files into the drop folder tries to get more than that."""

import errno
import json
import os
import time

import pytest

from sealift.bundle.tarformat import Member
from sealift.drop_folder.files import DropFolder
from sealift.drop_folder.watch import Watch
from sealift.errors import DigestError, LimitError, MalformedError, RootError, UnsafeMemberError, UnsafeStoreError
from sealift.install.steps import install

pytestmark = pytest.mark.usefixtures("no_replay")


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
            self.later = 0.0
            self.meanwhile = lambda: None
            self.watch = Watch(
                DropFolder(folder),
                self.install,
                self.events.append,
                clock=lambda: self.now,
                sleep=self.sleep,
                wall_clock=lambda: time.time() + self.later,
            )

        def sleep(self, seconds):
            self.now += seconds

        def install(self, path):
            self.meanwhile()
            return install(path, instance.store)

        def once(self):
            self.watch.run(once=True)

    return Watcher()


def crowd(watch, monkeypatch, **limits):
    """Give the watcher fewer places, so that few files are a crowd."""
    from sealift.drop_folder import turns
    from sealift.limits import Limits

    monkeypatch.setattr(turns, "LIMITS", Limits(**limits))
    watch.watch._places = turns.Places()


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
    from support.release.channel_simulator import ChannelSimulator

    other = ChannelSimulator(tmp_path / "other", "sim")
    other.add("alpha", "9.0.0")
    other.release()
    other.pack(folder / "other.tar")
    with refused(RootError):
        watch.once()
    damaged = bytearray(bundle.read_bytes())
    damaged[-2000] ^= 1
    (folder / "damaged.tar").write_bytes(damaged)
    watch.watch._stopped.clear()
    with refused(DigestError):
        watch.once()
    assert (reason(folder, "other.tar"), reason(folder, "damaged.tar")) == ("root", "digest")


def test_a_header_repeated_without_end_is_not_walked_without_end(bundle, folder, watch, refused, monkeypatch):
    from sealift.drop_folder import first_look
    from sealift.limits import Limits

    monkeypatch.setattr(first_look, "LIMITS", Limits(walked_members=50))
    reads = []
    pread = os.pread
    monkeypatch.setattr(first_look.os, "pread", lambda *arguments: reads.append(1) or pread(*arguments))
    (folder / "x.tar").write_bytes(Member("oci-layout", 0, 1).header() * 1000)
    with refused(MalformedError):
        watch.once()
    # Once for its end, and once for its number, which stands behind 256 roots at most.
    assert len(reads) <= 50 + 261


def test_more_files_than_anybody_carries_are_taken_in_parts(bundle, folder, watch, monkeypatch):
    crowd(watch, monkeypatch, drop_short_files=10)
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


# --- lengths that cost nothing ----------------------------------------------------------------------

TERABYTE = 2**40


@pytest.fixture
def bytes_read(monkeypatch):
    """Count what is read from files of the folder."""
    counted = [0]

    def counting(*arguments, pread=os.pread):
        data = pread(*arguments)
        counted[0] += len(data)
        return data

    monkeypatch.setattr(os, "pread", counting)
    return counted


@pytest.mark.parametrize("kind", ["nothing", "zeros", "header", "head", "tail", "byte at the end"])
@pytest.mark.parametrize("holes", [True, False], ids=["holes", "no holes known"])
def test_a_sparse_file_is_looked_at_where_it_was_written(
    kind, holes, bundle, folder, watch, instance, bytes_read, monkeypatch
):
    data = bundle.read_bytes()
    beginning = {
        "zeros": bytes(5 * 2**20),
        "header": Member("oci-layout", 30, 1).header(),
        "head": data[:20000],
        "tail": data,
    }
    sparse = folder / "a.tar"
    with sparse.open("wb") as file:
        file.write(beginning.get(kind, b""))
        file.truncate(TERABYTE)
        if kind == "byte at the end":
            os.pwrite(file.fileno(), b"x", TERABYTE - 1)
    if not holes:

        def unknown(*_arguments):
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(os, "lseek", unknown)
    (folder / bundle.name).write_bytes(data)
    if kind == "byte at the end":
        with pytest.raises(MalformedError):
            watch.once()
    else:
        watch.once()
        assert sparse.exists()
        assert any(event.file == "a.tar" and event.kind == "waiting" for event in watch.events)
    assert os.listdir(folder / "done") == [bundle.name]
    assert instance.store.release().number == 2
    assert bytes_read[0] < 40 * 2**20


# --- many files -------------------------------------------------------------------------------------


def unfinished_files(folder, count, size, prefix="x"):
    for number in range(count):
        (folder / f"{prefix}{number}.tar").write_bytes(b"oci-layout".ljust(size, b"\0")[:size])


@pytest.mark.parametrize("size", [3, 5000])
def test_files_that_never_end_hide_no_bundle(size, bundle, folder, watch, instance, monkeypatch):
    crowd(watch, monkeypatch, drop_folder_files=10, drop_short_files=10)
    unfinished_files(folder, 60, size)
    (folder / bundle.name).write_bytes(bundle.read_bytes())
    watch.once()
    assert os.listdir(folder / "done") == [bundle.name]
    assert instance.store.release().number == 2
    assert [event.details for event in watch.events if event.kind == "crowded"] == [{"left_out": 51 - (size == 3)}]


def test_what_once_leaves_out_is_said_and_is_no_success(bundle, folder, watch, refused, monkeypatch):
    crowd(watch, monkeypatch, drop_short_files=10)
    unfinished_files(folder, 200, 3)
    (folder / bundle.name).write_bytes(bundle.read_bytes())
    with pytest.raises(LimitError, match=r"100 files in .* were not looked at"):
        watch.once()
    assert os.listdir(folder / "done") == [bundle.name]


def test_no_stream_of_new_names_comes_before_a_bundle_for_good(bundle, folder, watch, monkeypatch):
    """New names all the time, some of them sorting just before the bundle's, and every file changing."""
    crowd(watch, monkeypatch, drop_folder_files=10)
    (folder / bundle.name).write_bytes(bundle.read_bytes())
    made = 0

    def more(seconds):
        nonlocal made
        watch.now += seconds
        for path in sorted(folder.glob("*.tar"), key=lambda path: path.stat().st_mtime_ns)[:-50]:
            if path.name != bundle.name:
                path.unlink()
        unfinished_files(folder, 5, 5000, prefix=f"{bundle.name[:-5]}{made}-")
        made += 1
        if (folder / "done" / bundle.name).exists():
            raise KeyboardInterrupt
        assert made < 1000

    watch.watch.sleep = more
    with pytest.raises(KeyboardInterrupt):
        watch.watch.run()


def test_the_owner_of_many_files_delays_another_by_one(bundle, folder, watch, monkeypatch):
    """Each takes a whole look to examine; named so that they come first."""
    if os.geteuid() != 0:
        pytest.fail("only root can give files away, so this test needs root")
    from sealift.drop_folder import watch as module

    examined = []

    def slow(descriptor):
        examined.append(os.fstat(descriptor).st_uid)
        watch.now += 60
        return "never complete"

    unfinished_files(folder, 20, 5000, prefix="a")
    for path in folder.glob("a*.tar"):
        os.chown(path, 23456, 23456)
    (folder / bundle.name).write_bytes(bundle.read_bytes())
    monkeypatch.setattr(module, "unfinished", slow)
    watch.watch.folder.prepare()
    watch.watch.look()
    watch.sleep(10)
    watch.watch.look()
    watch.watch.look()
    assert sorted(examined) == [0, 23456]


def test_claims_of_smaller_numbers_keep_a_bundle_out_for_an_hour_at_most(bundle, folder, watch, channel):
    claim = bundle.read_bytes()
    channel.add("alpha", "1.1.0")
    channel.release()
    genuine = channel.pack(folder)
    for path in (folder / "first.tar", genuine):
        path.write_bytes(claim if path != genuine else genuine.read_bytes())
    begun, count = [], 0

    def expensive(path):
        nonlocal count
        name = os.path.basename(os.readlink(path))
        begun.append((watch.now, name))
        watch.now += 400
        for _ in range(3):
            count += 1
            (folder / f"a{count}.tar").write_bytes(claim)
        raise DigestError("damaged")

    watch.watch.install = expensive
    watch.watch.folder.prepare()
    while genuine.exists():
        watch.watch.look()
        watch.sleep(5)
        assert watch.now < 10_000
    ((when, _),) = [one for one in begun if one[1] == genuine.name]
    assert 3600 < when < 3600 + 3 * 400


def test_runs_with_once_hold_a_bundle_for_an_hour_together(bundle, folder, watch, channel, instance):
    """A file that claims a smaller number grows during every run; a run alone is far shorter than an hour."""
    data = bundle.read_bytes()
    channel.add("alpha", "1.1.0")
    channel.release()
    genuine = channel.pack(folder)
    growing = folder / "growing.tar"
    growing.write_bytes(data[:20000])

    def grow(seconds):
        watch.now += seconds
        with growing.open("ab") as file:
            file.write(b"x")

    watch.watch.sleep = grow
    watch.once()
    assert genuine.exists()
    assert any("goes first" in event.message for event in watch.events)
    watch.watch._seen.clear()
    watch.later = 3700
    watch.once()
    assert instance.store.release().number == 3


def test_many_refusals_cost_the_status_no_more_than_a_few(bundle, folder, watch, monkeypatch):
    from sealift import plain_file

    for number in range(40):
        (folder / f"{number}.tar").write_text("no bundle\n")
    with pytest.raises(MalformedError):
        watch.once()
    read = []
    whole = plain_file.read
    monkeypatch.setattr(plain_file, "read", lambda *arguments: read.append(1) or whole(*arguments))
    state = DropFolder(folder).state()
    assert (state.refused, state.last_refusal.code) == (40, "malformed")
    assert len(read) <= 16
