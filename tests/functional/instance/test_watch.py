"""`sealift install --watch`: real processes on a real folder, and the loop with a clock of its own."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.release.repack import read_members

from sealift.drop_folder.files import DropFolder
from sealift.drop_folder.first_look import unfinished
from sealift.drop_folder.watch import Watch
from sealift.errors import (
    DigestError,
    IncompatibleError,
    LockedError,
    NoSpaceError,
    PreflightError,
    RollbackError,
    UnsafeStoreError,
)
from sealift.install.steps import install
from sealift.store.upkeep.rollback import rollback

SEALIFT = [sys.executable, "-c", "from sealift.cli import main; main()"]

SERVICE_UID = 12345


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "drop"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def pinned(channel, instance):
    instance.pin(channel.root_bytes)
    return instance


@pytest.fixture
def bundle(channel, tmp_path):
    return make(channel, tmp_path, "1.0.0")


def make(channel, tmp_path, version):
    channel.add("alpha", version)
    channel.release()
    return channel.pack(tmp_path)


class Clock:
    """Time that passes only when the watcher sleeps; `then` runs at given moments."""

    def __init__(self):
        self.now = 0.0
        self.then = {}

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for moment in sorted(self.then):
            if moment <= self.now:
                self.then.pop(moment)()


class Looper:
    """A watcher in this process that looks when it is told to."""

    def __init__(self, folder, instance):
        self.events = []
        self.clock = Clock()
        self.problem = None
        self.installed = []

        def run(path):
            if self.problem is not None:
                raise self.problem
            report = install(path, instance.store)
            self.installed.append(report.plan.release)
            return report

        self.watch = Watch(DropFolder(folder), run, self.events.append, 10, 5, self.clock, self.clock.sleep)
        self.watch.folder.prepare()

    def look(self, times=4):
        for _ in range(times):
            self.watch.look()
            self.clock.sleep(5)
        return self.kinds()

    def kinds(self):
        return [event.kind for event in self.events]


@pytest.fixture
def looper(folder, pinned):
    return Looper(folder, pinned)


class Process:
    """`sealift install --watch` in a process of its own; events are awaited, never slept for."""

    def __init__(self, folder, instance, *options):
        quick = ["--settle", "0.3", "--interval", "0.05"]
        command = [*SEALIFT, "install", "--watch", str(folder), "--json", *quick, *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=instance.environment
        )

    def until(self, kind):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == kind:
                return event
        pytest.fail(f"it ended before {kind!r}: {self.process.stderr.read()}")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@pytest.fixture
def start(folder, pinned):
    running = []

    def start(*options):
        running.append(Process(folder, pinned, *options))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def put(bundle, folder, name=None):
    """Copy as an admin does: under a hidden name, then renamed."""
    hidden = folder / ".copy"
    hidden.write_bytes(bundle.read_bytes())
    return hidden.rename(folder / (name or bundle.name))


def reason(folder, name):
    return json.loads((folder / "refused" / f"{name}.reason.json").read_text())


# --- real processes ---------------------------------------------------------------------------------


def test_a_copy_that_stalls_is_waited_for_and_finished_later(start, folder, bundle, pinned):
    data = bundle.read_bytes()
    target = folder / bundle.name
    process = start()
    process.until("watching")
    target.write_bytes(data[: len(data) // 2])
    event = process.until("waiting")
    assert "not completely copied yet" in event["message"]
    assert not (pinned.store_path / "current").exists()
    with target.open("ab") as file:
        file.write(data[len(data) // 2 :])
    event = process.until("installed")
    assert (event["file"], event["release"], event["changed"]) == (bundle.name, 2, True)
    assert (folder / "done" / bundle.name).read_bytes() == data
    assert not target.exists()
    assert os.listdir(folder / "refused") == []
    assert process.end()[0] == 143


def test_a_bad_file_is_refused_with_its_reason_and_the_next_one_is_installed(start, folder, bundle, pinned):
    process = start()
    (folder / "letter.tar").write_text("Dear admin, this is no bundle.\n" * 100)
    event = process.until("refused")
    assert (event["file"], event["code"], event["exit_code"]) == ("letter.tar", "malformed", 10)
    found = reason(folder, "letter.tar")
    assert set(found) == {"code", "exit_code", "file", "message", "remedy", "sealift", "time"}
    assert (found["code"], found["exit_code"]) == ("malformed", 10)
    assert "not a Sealift bundle" in found["message"]
    put(bundle, folder)
    assert process.until("installed")["release"] == 2
    assert process.end()[0] == 143


def test_a_locked_store_is_waited_for(start, folder, bundle, pinned):
    pinned.store_path.mkdir()
    with (pinned.store_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        put(bundle, folder)
        process = start()
        event = process.until("retrying")
        assert (event["code"], event["file"]) == ("locked", bundle.name)
        assert (folder / bundle.name).exists()
    assert process.until("installed")["release"] == 2
    assert os.listdir(folder / "refused") == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_cleanly_also_in_the_middle_of_an_install(start, folder, bundle, pinned, number, status):
    put(bundle, folder)
    process = start()
    process.until("installing")
    code, err = process.end(number)
    assert code == status, err
    assert "Traceback" not in err
    # Abandoned before it counted, or finished: never a half.
    if (folder / bundle.name).exists():
        assert not (pinned.store_path / "current").exists()
    assert not (pinned.store_path / "staging").exists()
    # The next start finishes the job.
    again = start("--once")
    _, err = again.process.communicate(timeout=120)
    assert again.process.returncode == 0, err
    assert pinned.store.release().number == 2
    assert os.listdir(folder / "done") == [bundle.name]


def test_once_deals_with_what_is_there_and_exits_with_the_most_serious_refusal(start, folder, bundle, pinned):
    put(bundle, folder)
    (folder / "a.tar").write_text("no bundle at all\n")
    damaged = bytearray(bundle.read_bytes())
    damaged[-2000] ^= 1
    (folder / "b.tar").write_bytes(damaged)
    (folder / "half.tar").write_bytes(bundle.read_bytes()[:5000])
    process = start("--once")
    out, err = process.process.communicate(timeout=120)
    assert process.process.returncode == 26, err
    assert err.startswith("sealift: 'b.tar': ")
    assert err.endswith("[digest]\n")
    assert len(err.splitlines()) == 1
    assert {json.loads(line)["event"] for line in out.splitlines()} >= {"installed", "refused", "waiting"}
    assert sorted(path.name for path in folder.iterdir()) == ["done", "half.tar", "refused"]
    assert pinned.store.release().number == 2


@pytest.mark.parametrize("arguments", [["x.tar", "--watch", "."], ["--watch", ".", "--dry-run"], ["--once"], []])
def test_options_that_contradict_each_other_are_a_wrong_call(arguments, pinned, tmp_path):
    done = subprocess.run(
        [*SEALIFT, "install", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=pinned.environment,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


# --- the loop, with its own clock -------------------------------------------------------------------


def test_several_are_installed_in_the_order_of_their_releases(channel, tmp_path, folder, looper):
    bundles = [make(channel, tmp_path, version) for version in ("1.0.0", "1.1.0", "1.2.0")]
    for name, bundle in zip(("c.tar", "b.tar", "a.tar"), bundles, strict=True):
        put(bundle, folder, name)
    looper.look()
    assert looper.installed == [2, 3, 4]
    assert sorted(os.listdir(folder / "done")) == ["a.tar", "b.tar", "c.tar"]


def test_a_smaller_release_that_is_still_being_copied_goes_first(channel, tmp_path, folder, looper):
    small, large = (make(channel, tmp_path, version) for version in ("1.0.0", "1.1.0"))
    data = small.read_bytes()
    put(large, folder)
    growing = folder / small.name
    growing.write_bytes(data[:-4000])
    for end in (-3000, -2000, -1000, None):
        looper.look(1)
        growing.write_bytes(data[:end])
    assert looper.installed == []
    assert any("goes first" in event.message for event in looper.events)
    looper.look(4)
    assert looper.installed == [2, 3]


def test_a_file_is_left_alone_until_it_has_settled(bundle, folder, looper):
    put(bundle, folder)
    looper.look(2)
    assert looper.installed == []
    os.utime(folder / bundle.name)
    looper.look(2)
    assert looper.installed == []
    looper.look(2)
    assert looper.installed == [2]


def test_names_of_copies_in_progress_are_not_looked_at(bundle, folder, looper):
    for name in (".sim-2.tar", "sim-2.tar.part", "sim-2.tar.tmp", "README.txt"):
        (folder / name).write_bytes(bundle.read_bytes()[:700])
    (folder / "folder.tar").mkdir()
    assert looper.look() == []
    assert len(list(folder.iterdir())) == 7


@pytest.mark.parametrize("problem", [NoSpaceError("full"), OSError(errno.ENOSPC, "No space left on device")])
def test_a_full_disk_is_waited_for_longer_each_time(problem, bundle, folder, looper):
    put(bundle, folder)
    looper.problem = problem
    looper.look(100)
    assert looper.kinds() == ["installing", "retrying"]
    assert (folder / bundle.name).exists()
    candidate = looper.watch._seen[bundle.name]
    assert 100 < candidate.delay <= 600
    looper.problem = None
    looper.look(120)
    assert looper.installed == [2]


def test_several_problems_at_once_are_the_bundles_only_if_all_of_them_are(bundle, folder, looper):
    put(bundle, folder)
    looper.problem = PreflightError([IncompatibleError("needs more"), NoSpaceError("full")])
    looper.look()
    assert looper.kinds() == ["installing", "retrying"]
    looper.problem = PreflightError([IncompatibleError("needs more"), IncompatibleError("of it")])
    looper.look(8)
    assert looper.kinds()[2:] == ["refused"]
    assert reason(folder, bundle.name)["code"] == "preflight"


def test_a_lock_is_tried_again_soon(bundle, folder, looper):
    put(bundle, folder)
    looper.problem = LockedError("busy")
    looper.look(100)
    assert looper.kinds() == ["installing", "retrying"]
    looper.problem = None
    looper.look(6)
    assert looper.installed == [2]


def test_nothing_in_done_or_refused_is_overwritten(channel, tmp_path, bundle, folder, looper):
    for _ in range(3):
        put(bundle, folder)
        looper.look()
    for text in ("one", "two"):
        (folder / "x.tar").write_text(text)
        looper.look()
    assert sorted(os.listdir(folder / "done")) == [bundle.name, f"{bundle.name}.2", f"{bundle.name}.3"]
    refused = folder / "refused"
    assert sorted(os.listdir(refused)) == ["x.tar", "x.tar.2", "x.tar.2.reason.json", "x.tar.reason.json"]
    assert [(refused / name).read_text() for name in ("x.tar", "x.tar.2")] == ["one", "two"]
    # A reason whose bundle was taken away stays as it is, too.
    (refused / "x.tar").unlink()
    (folder / "x.tar").write_text("three")
    looper.look()
    assert (refused / "x.tar.3").read_text() == "three"


def test_a_file_that_changes_while_it_is_read_is_not_refused(bundle, folder, looper):
    path = put(bundle, folder)

    def late(_path):
        with path.open("ab") as file:
            file.write(b"more")
        raise DigestError("damaged")

    looper.watch.install = late
    looper.look(3)
    assert looper.kinds() == ["installing", "waiting"]
    assert path.exists()
    assert os.listdir(folder / "refused") == []


def test_a_bug_met_once_is_told_and_not_met_again(bundle, folder, looper):
    put(bundle, folder)
    looper.problem = ZeroDivisionError("our fault")
    with pytest.raises(ZeroDivisionError):
        looper.look()
    assert reason(folder, bundle.name)["code"] == "error"
    assert not (folder / bundle.name).exists()


def test_an_older_release_is_refused_and_the_store_stays(channel, tmp_path, folder, looper, pinned):
    old, new = (make(channel, tmp_path, version) for version in ("1.0.0", "1.1.0"))
    put(new, folder)
    looper.look()
    put(old, folder)
    looper.look()
    assert looper.installed == [3]
    assert reason(folder, old.name)["code"] == RollbackError.code
    assert pinned.store.release().number == 3


def test_a_folder_that_is_away_for_a_while_is_waited_for(bundle, folder, looper):
    folder.rename(folder.with_name("away"))
    for _ in range(3):
        looper.watch._look_or_wait(once=False)
    assert looper.kinds() == ["retrying"]
    folder.with_name("away").rename(folder)
    put(bundle, folder)
    looper.look()
    assert looper.installed == [2]


# --- what is a whole tar ----------------------------------------------------------------------------


def judged(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return unfinished(descriptor)
    finally:
        os.close(descriptor)


def test_every_shorter_copy_is_unfinished_and_the_whole_is_not(bundle, tmp_path):
    data = bundle.read_bytes()
    copy = tmp_path / "copy.tar"
    copy.write_bytes(data)
    assert judged(copy) is None
    *_, last = read_members(bundle).values()
    last_content = len(data) - 1024 - (len(last) + -len(last) % 512)
    for length in {0, 1, 5, 9, 10, 511, 512, 513, len(data) - 1024, len(data) - 1, *range(0, len(data), 4999)}:
        copy.write_bytes(data[:length])
        assert judged(copy) is not None, length
        # Some programs make the file as long as it will be and fill it afterwards.
        if 10 < length < last_content:
            copy.write_bytes(data[:length].ljust(len(data), b"\0"))
            assert judged(copy) is not None, length


@pytest.mark.parametrize("damage", [b"\x1f\x8b rest", b"PK", b"x" * 2000])
def test_what_more_bytes_would_not_mend_is_not_waited_for(damage, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(damage)
    assert judged(path) is None


def test_something_after_the_end_is_not_waited_for(bundle, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(bundle.read_bytes() + b"more")
    assert judged(path) is None


# --- a folder where anybody may write ---------------------------------------------------------------


def test_a_folder_of_somebody_else_stops_the_watcher(folder):
    if os.geteuid() != 0:
        pytest.fail("only root can give a folder away, so this test needs root")
    os.chown(folder, 12345, -1)
    with pytest.raises(UnsafeStoreError, match="belongs to uid 12345"):
        DropFolder(folder).prepare()


@pytest.fixture
def as_service():
    """Work as an ordinary user while the test goes on, in a folder that everybody reaches."""
    if os.geteuid() != 0:
        pytest.fail("only root can become another user, so this test needs root")
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        folder = Path(path, "drop")
        folder.mkdir()
        os.chown(folder, SERVICE_UID, SERVICE_UID)
        folder.chmod(0o3777)
        yield folder
        os.seteuid(0)


def test_a_watcher_that_is_not_root_takes_files_of_others(bundle, as_service, pinned):
    for name, uid, mode in (("good.tar", 23456, 0o644), ("secret.tar", 23456, 0o600), ("own.tar", SERVICE_UID, 0o400)):
        path = put(bundle, as_service, name)
        os.chown(path, uid, uid)
        path.chmod(mode)
    os.seteuid(SERVICE_UID)
    looper = Looper(as_service, pinned)
    looper.watch.install = lambda path: Path(path).read_bytes() and _raise(DigestError("damaged"))
    looper.look()
    os.seteuid(0)
    refused = {event.file for event in looper.events if event.kind == "refused"}
    assert refused == {"good.tar", "own.tar"}
    (secret,) = (event for event in looper.events if event.file == "secret.tar")
    assert (secret.kind, secret.details["code"]) == ("retrying", "local")
    assert sorted(os.listdir(as_service)) == ["done", "refused", "secret.tar"]


def _raise(error):
    raise error


def test_names_that_are_no_text_are_filed_away_as_well(folder, looper):
    name = os.fsdecode(b"\xff\nname.tar")
    (folder / name).write_text("no bundle\n")
    assert looper.look() == ["installing", "refused"]
    assert reason(folder, name)["file"] == "\\xff\nname.tar"
    assert DropFolder(folder).state().last_refusal.code == "malformed"


def test_a_name_too_long_to_be_filed_away_is_left_alone(folder, looper):
    (folder / ("x" * 230 + ".tar")).write_text("no bundle\n")
    assert looper.look() == []


def test_the_state_of_a_folder_survives_forged_reasons(folder, looper):
    (folder / "x.tar").write_text("no bundle\n")
    looper.look()
    for number, text in enumerate(
        ("", "[]", '{"time": 5}', '{"time": "2026-01-01T00:00:00Z", "code": "x"}', "[" * 9999)
    ):
        (folder / "refused" / f"{number}.reason.json").write_text(text)
    (folder / "y.tar").write_text("no bundle\n")
    state = DropFolder(folder).state()
    assert (state.waiting, state.refused, state.done, state.last_refusal.exit_code) == (1, 1, 0, 10)
    assert state.oldest is not None


# --- --if-newer -------------------------------------------------------------------------------------


def if_newer(bundle, instance, *options):
    command = [*SEALIFT, "install", "--if-newer", str(bundle), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=instance.environment)
    return done.returncode, done.stdout, done.stderr


def test_if_newer_is_quiet_once_the_release_is_installed(channel, tmp_path, bundle, pinned):
    status, out, _ = if_newer(bundle, pinned)
    assert status == 0
    assert "is active as generation 1" in out
    before = pinned.snapshot()
    with (pinned.store_path / "lock").open("w") as lock:
        # It does not even ask for the lock.
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert if_newer(bundle, pinned) == (0, "", "")
    assert json.loads(if_newer(bundle, pinned, "--json")[1])["changed"] is False
    assert pinned.snapshot() == before
    new = make(channel, tmp_path, "1.1.0")
    assert "is active as generation 2" in if_newer(new, pinned)[1]
    # An older file in that place is worth a word.
    status, _, err = if_newer(bundle, pinned)
    assert (status, err[-11:]) == (25, "[rollback]\n")


def test_if_newer_leaves_a_rollback_alone(channel, tmp_path, bundle, pinned):
    pinned.install(bundle)
    new = make(channel, tmp_path, "1.1.0")
    pinned.install(new)
    rollback(pinned.store, None, 1, datetime.now(UTC))
    assert if_newer(new, pinned) == (0, "", "")
    assert pinned.store.active().number == 1


def test_if_newer_installs_renewed_metadata_of_the_same_release(channel, tmp_path, bundle, pinned):
    pinned.install(bundle)

    def renew(signed):
        signed.version += 1

    channel.change("timestamp", renew)
    renewed = channel.pack_anything(tmp_path / "renewed.tar")
    status, out, _ = if_newer(renewed, pinned)
    assert status == 0
    assert "newer metadata is accepted" in out
    assert if_newer(renewed, pinned) == (0, "", "")


def test_if_newer_follows_a_new_root_although_the_release_is_the_same(channel, tmp_path, bundle, pinned):
    pinned.install(bundle)
    channel.next_root(lambda _signed: None)
    followed = channel.pack_anything(tmp_path / "followed.tar")
    status, out, _ = if_newer(followed, pinned)
    assert status == 0
    assert "newer metadata is accepted" in out
    assert if_newer(followed, pinned) == (0, "", "")
