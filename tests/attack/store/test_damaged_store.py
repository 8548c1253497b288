"""A store that is damaged, tampered with or fought over: every command refuses by class, or is provably unaffected."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from support.depth import DEPTH
from support.release.channel_simulator import renamed, toy_files
from support.release.self_test_stub import Passes

from sealift.cli import cli
from sealift.errors import CorruptError, Error, LockedError, NotInstalledError
from sealift.store.contents import history
from sealift.store.upkeep.check import check
from sealift.store.upkeep.prune import prune
from sealift.store.upkeep.rollback import rollback
from sealift_common.console import run

pytestmark = pytest.mark.slow

ROWS = np.random.default_rng(7).normal(size=(16, 4)).astype(np.float32)
COMMANDS = (
    ["status"],
    ["list"],
    ["history"],
    ["show", "alpha"],
    ["path", "alpha"],
    ["trust", "show"],
    ["rollback", "--dry-run"],
    ["prune", "--dry-run", "--keep", "1"],
    ["check", "--json"],
)


@pytest.fixture
def quick(monkeypatch):
    """Golden examples are replayed in tests of their own."""
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


@pytest.fixture
def bundle(channel, instance, tmp_path, quick):
    """Two generations, one withdrawn version, a rollback and back in the history; the bundle carries all."""
    old = channel.add("alpha", "1.0.0")
    channel.add("gamma", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first.tar"))
    channel.add("alpha", "1.1.0")
    channel.add("gamma", "1.1.0")
    channel.release()
    channel.withdraw(next(model for model in channel.channel.released() if str(model) == "gamma 1.0.0"), "wrong")
    bundle = channel.pack(tmp_path / "second.tar", (old,))
    instance.install(bundle)
    rollback(instance.store, "alpha", None, datetime.now(UTC))
    rollback(instance.store, None, 2, datetime.now(UTC))
    return bundle


class Verdicts:
    """Ask load, check and install about a damaged store, and hold each to the rule of this module."""

    def __init__(self, instance, bundle, monkeypatch, capsys):
        self.instance, self.bundle, self.capsys = instance, bundle, capsys
        instance.export(monkeypatch)
        self.good = self.answers()
        self.pristine = instance.directory / "pristine"
        shutil.copytree(instance.store_path, self.pristine, symlinks=True)
        self.classes = {"load": Counter(), "check": Counter(), "install": Counter()}

    def answers(self):
        models = [self.instance.store.load(name) for name in ("alpha", "gamma")]
        return [(model.version, model.digest, model.predict_proba(ROWS).tobytes()) for model in models]

    def restore(self):
        shutil.rmtree(self.instance.store_path)
        shutil.copytree(self.pristine, self.instance.store_path, symlinks=True)

    def ask(self, what, *, install=True):
        """Return whether check found something."""
        load = self._refusal("load", self._load)
        found = self._refusal("check", self._check)
        for command in COMMANDS:
            # A bug would leave `run` as an exception.
            assert run(cli, "sealift", command) != 1, (what, command)
        self.capsys.readouterr()
        assert "several lines" not in (load, found)
        # Whatever is wrong, there is a report of all of it.
        assert found in ("unaffected", "noted", "found"), (what, found)
        if not install:
            return found != "unaffected"
        install = self._refusal("install", self._install)
        if found == "unaffected":
            assert (load, install) == ("unaffected", "unaffected"), (what, load, install)
        return found != "unaffected"

    def _refusal(self, verb, call):
        try:
            outcome = call()
        except Error as error:
            outcome = type(error).__name__ if "\n" not in str(error) else "several lines"
        self.classes[verb][outcome] += 1
        return outcome

    def _load(self):
        assert self.answers() == self.good
        return "unaffected"

    def _check(self):
        report = check(self.instance.store)
        notes = [note for note in report.notes if "no longer listed" not in note[1]]
        return "found" if report.findings else "noted" if notes else "unaffected"

    def _install(self):
        report = self.instance.install(self.bundle)
        assert self.answers() == self.good
        assert not check(self.instance.store).damaged_models()
        return "repaired" if report.plan.new else "activated" if report.changed else "unaffected"

    def print(self, what):
        with self.capsys.disabled():
            print(f"\n{what}: " + "; ".join(f"{verb} {dict(counts)}" for verb, counts in self.classes.items()))


@pytest.fixture
def verdicts(instance, bundle, monkeypatch, capsys):
    return Verdicts(instance, bundle, monkeypatch, capsys)


def _files(directory):
    return sorted(
        path
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink() and "current" not in path.parts[:-1]
    )


def test_a_bit_flip_in_any_file(instance, verdicts):
    rng = random.Random(20261123)
    flipped = []
    paths = [path for path in _files(instance.store_path) if path.name != "lock"]
    for path in paths:
        relative = path.relative_to(instance.store_path)
        # Of each file one bit, or with DEPTH=3 of three bytes.
        for number in sorted({(len(flipped) + turn) % 3 for turn in range(DEPTH)}):
            data = bytearray(path.read_bytes())
            # The first byte, the last, and others by chance.
            position = [0, len(data) - 1][number] if number < 2 else rng.randrange(len(data))
            data[position] ^= 1 << rng.randrange(7)
            path.chmod(0o644)
            path.write_bytes(data)
            found = verdicts.ask((str(relative), position))
            signed = relative.parts[0] in ("models", "manifests") and "gamma/1.0.0" not in str(relative)
            assert found or not signed, relative
            verdicts.restore()
        flipped.append(relative)
    assert len(flipped) > 30
    verdicts.print(f"{len(flipped)} files of a store with a flipped bit")


def test_anything_deleted(instance, verdicts):
    paths = sorted(path for path in instance.store_path.rglob("*") if path != instance.store_path / "lock")
    for path in paths:
        relative = path.relative_to(instance.store_path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        verdicts.ask(("deleted", str(relative)))
        verdicts.restore()
    verdicts.print(f"{len(paths)} files, folders and links of a store deleted")


def test_anything_replaced_by_something_of_another_kind(instance, verdicts):
    """A folder, a pipe that nobody writes, a link to a file outside: nothing waits, nothing follows."""
    outside = instance.directory / "outside"
    outside.write_text("{}")
    kinds = (lambda p: p.mkdir(), os.mkfifo, lambda p: p.symlink_to(outside), lambda p: p.symlink_to(p))
    count = 0
    # Each file becomes one of them, or with DEPTH=4 each of them.
    for number, path in enumerate(_files(instance.store_path)):
        for turn in sorted({(number + turn) % len(kinds) for turn in range(DEPTH)}):
            if path.name == "lock":
                continue
            path.unlink()
            kinds[turn](path)
            relative = path.relative_to(instance.store_path)
            found = verdicts.ask(("replaced", str(relative)))
            assert found or relative.parts[0] in ("trust", "models")
            verdicts.restore()
            count += 1
    assert outside.read_text() == "{}"
    verdicts.print(f"{count} replacements of files in a store")


@pytest.mark.parametrize("kind", ["outside", "dangling", "directory", "file", "generation outside", "link outside"])
def test_current_leads_elsewhere(kind, instance, verdicts, tmp_path):
    current = instance.store_path / "current"
    outside = tmp_path / "outside"
    shutil.copytree(instance.store_path / "generations/2", outside / "2", symlinks=True)
    if kind in ("outside", "dangling", "directory", "file"):
        current.unlink()
        if kind == "directory":
            shutil.copytree(outside / "2", current, symlinks=True)
        elif kind == "file":
            current.write_text("generations/2")
        else:
            current.symlink_to(outside / "2" if kind == "outside" else "generations/77")
    elif kind == "generation outside":
        shutil.rmtree(instance.store_path / "generations/2")
        (instance.store_path / "generations/2").symlink_to(outside / "2")
    else:
        (instance.store_path / "generations/2/alpha").unlink()
        (instance.store_path / "generations/2/alpha").symlink_to(outside)
    before = instance.snapshot()
    with pytest.raises((CorruptError, NotInstalledError)):
        instance.store.load("alpha")
    assert verdicts.ask(kind)
    assert {error.exit_code for error in [check(instance.store).worst()]} == {CorruptError.exit_code}
    assert instance.snapshot() == before


def test_a_file_replaced_between_opening_and_hashing(instance, bundle, monkeypatch):
    """What was opened is read, hashed and run; a name that leads elsewhere a moment later changes nothing."""
    path = instance.store_path / "models/alpha/1.1.0/model.onnx"
    good = instance.store.load("alpha").predict_proba(ROWS)
    evil = renamed(toy_files(1), "alpha", "1.1.0")["model.onnx"]
    original, replaced = os.open, []

    def swap(name, *args, **kwargs):
        descriptor = original(name, *args, **kwargs)
        if name == "model.onnx":
            (path.parent / "evil").write_bytes(evil)
            (path.parent / "evil").replace(path)
            replaced.append(name)
        return descriptor

    monkeypatch.setattr(os, "open", swap)
    assert (instance.store.load("alpha").predict_proba(ROWS) == good).all()
    monkeypatch.undo()
    assert replaced == ["model.onnx"]
    with pytest.raises(CorruptError):
        instance.store.load("alpha")


def test_a_file_replaced_in_a_loop_while_it_is_loaded(instance, bundle, capsys):
    path = instance.store_path / "models/alpha/1.1.0/model.onnx"
    good = instance.store.load("alpha").predict_proba(ROWS)
    contents = [renamed(toy_files(1), "alpha", "1.1.0")["model.onnx"], path.read_bytes()]
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            for content in contents:
                scratch = path.parent.parent / "scratch"
                scratch.write_bytes(content)
                scratch.replace(path)

    thread = threading.Thread(target=replace)
    thread.start()
    outcomes = Counter()
    try:
        while min(outcomes["loaded"], outcomes["refused"]) < 20:
            try:
                assert (instance.store.load("alpha").predict_proba(ROWS) == good).all()
                outcomes["loaded"] += 1
            except CorruptError:
                outcomes["refused"] += 1
    finally:
        stop.set()
        thread.join()
    with capsys.disabled():
        print(f"\nmodel.onnx replaced in a loop while it is loaded: {dict(outcomes)}, none with other answers")


HOLD_AN_INSTALL = """
import sys
import sealift.install.steps as steps
original = steps.try_out
def wait(*arguments):
    print("staged", flush=True)
    sys.stdin.readline()
    return original(*arguments)
steps.try_out = wait
from sealift.cli import main
sys.argv = ["sealift", "install", sys.argv[1]]
main()
"""


def _held_install(instance, bundle):
    """Start a real install that stops with everything staged, right before it would commit."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_AN_INSTALL, str(bundle)],
        env=instance.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "staged\n"
    return child


@pytest.fixture
def newer(channel, bundle, tmp_path):
    channel.add("alpha", "1.2.0")
    channel.release()
    return channel.pack(tmp_path / "newer.tar")


def test_two_installs_at_once(instance, bundle, newer):
    with _held_install(instance, newer) as first:
        before = instance.snapshot()
        second = subprocess.run(
            [sys.executable, "-c", "from sealift.cli import main; main()", "install", str(newer)],
            env=instance.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == LockedError.exit_code
        assert f"process {first.pid} is changing the store" in second.stderr
        # Nor may anybody else change it meanwhile; reading goes on.
        for change in (
            lambda: rollback(instance.store, None, 1, datetime.now(UTC)),
            lambda: prune(instance.store, 1, datetime.now(UTC)),
            lambda: instance.install(bundle),
        ):
            with pytest.raises(LockedError, match=str(first.pid)):
                change()
        assert instance.snapshot() == before
        assert instance.store.load("alpha").version == "1.1.0"
        assert check(instance.store).findings == []
        first.stdin.write("\n")
        first.stdin.flush()
        assert first.wait() == 0
    assert instance.store.load("alpha").version == "1.2.0"
    assert check(instance.store).findings == check(instance.store).notes[1:] == []


def test_what_a_killed_install_leaves_does_not_count(instance, bundle, newer):
    with _held_install(instance, newer) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert (instance.store_path / "lock").exists()
    assert list((instance.store_path / "staging").iterdir())
    assert instance.store.load("alpha").version == "1.1.0"
    report = check(instance.store)
    assert report.findings == []
    assert "staging" in [where for where, _ in report.notes]
    assert instance.install(newer).changed
    assert instance.store.load("alpha").version == "1.2.0"
    assert not (instance.store_path / "staging").exists()


# What is read in a loop without a pause takes the processors from what changes the store, and tries no more moments.
READERS = """
import os, random, sys, threading, sealift, sealift.model
version = sys.argv[1] or None
# What they share is imported once; each loads in a process of its own.
for count in (20, 1, 1, 1, 1):
    if os.fork() == 0:
        break
else:
    os._exit(0)
stop, loads, failures = threading.Event(), [], []
def read():
    while not stop.is_set():
        try:
            sealift.load("alpha", version)
            loads.append(1)
        except BaseException as error:
            failures.append(repr(error))
            stop.set()
        stop.wait(random.uniform(0, 0.02))
sealift.load("alpha", version)
threads = [threading.Thread(target=read) for _ in range(count)]
for thread in threads:
    thread.start()
print("reading\\n", end="", flush=True)
sys.stdin.read()
stop.set()
for thread in threads:
    thread.join()
print(f"{len(loads)} {chr(32).join(failures)}\\n", end="", flush=True)
"""


class Readers:
    """A process of 20 threads and 4 of one thread that load in a loop; none of them may ever fail."""

    def __init__(self, instance, version=""):
        self._instance, self._version = instance, version
        self.loads, self.failures = 0, []

    def __enter__(self):
        self._started = subprocess.Popen(
            [sys.executable, "-c", READERS, self._version],
            env=self._instance.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(5):
            assert self._started.stdout.readline() == "reading\n"
        return self

    def __exit__(self, *_):
        said = self._started.communicate()[0].splitlines()
        assert len(said) == 5
        for line in said:
            loads, _, failure = line.partition(" ")
            self.loads += int(loads)
            self.failures += [failure] if failure else []
        assert self.loads > 24
        assert self.failures == []


def test_installs_while_24_readers_load(instance, bundle, channel, tmp_path, capsys):
    """With withdrawals of what the readers are loading, and a repair of it."""
    installs = 0
    with Readers(instance) as readers:
        for minor in range(2, 2 + 2 * DEPTH):
            before = next(model for model in sorted(channel.channel.released(), reverse=True) if model.name == "alpha")
            channel.add("alpha", f"1.{minor}.0")
            channel.release()
            if minor % 2:
                channel.withdraw(before, "it was wrong")
            instance.install(channel.pack(tmp_path / "next.tar"))
            installs += 1
    assert instance.store.load("alpha").version == f"1.{1 + 2 * DEPTH}.0"
    with capsys.disabled():
        print(f"\n{installs} installs under 20 threads and 4 processes that load: {readers.loads} loads, none failed")


def test_prunes_while_24_readers_load(instance, bundle, channel, tmp_path, capsys):
    pruned = Counter()
    with Readers(instance, ">=1.0") as readers:
        for minor in range(2, 2 + 2 * DEPTH):
            channel.add("alpha", f"1.{minor}.0")
            channel.release()
            instance.install(channel.pack(tmp_path / "next.tar"))
            report = prune(instance.store, 1, datetime.now(UTC))
            pruned.update(removal.kind for removal in report.removed)
            pruned["kept in use"] += len(report.in_use)
    assert check(instance.store).findings == []
    # Nobody reads any longer: whatever was kept because of a reader goes now.
    assert prune(instance.store, 1, datetime.now(UTC)).in_use == ()
    with capsys.disabled():
        print(
            f"\n{2 * DEPTH} prunes under 20 threads and 4 processes that load: {dict(pruned)}; {readers.loads} loads, none failed"
        )


def test_a_prune_cut_off_at_every_step(instance, bundle, channel, tmp_path, monkeypatch, capsys):
    """A power cut anywhere leaves a store that loads and checks clean, and the next prune finishes the job."""
    from sealift_common.files import durable

    class PowerCut(BaseException):
        pass

    for minor in range(2, 4):
        channel.add("alpha", f"1.{minor}.0")
        channel.release()
        instance.install(channel.pack(tmp_path / "next.tar"))
    pristine = instance.directory / "pristine"
    shutil.copytree(instance.store_path, pristine, symlinks=True)
    prune(instance.store, 1, datetime.now(UTC))
    done = sorted(str(path.relative_to(instance.store_path)) for path in instance.store_path.rglob("*"))
    for cuts in itertools.count():
        shutil.rmtree(instance.store_path)
        shutil.copytree(pristine, instance.store_path, symlinks=True)
        calls = itertools.count()
        finished = False
        with monkeypatch.context() as cut:
            for name in ("move", "sync_directory", "make_directory", "append_line", "remove_tree"):
                original = getattr(durable, name)

                def step(*args, _original=original, _calls=calls, _cuts=cuts, **kwargs):
                    if next(_calls) >= _cuts:
                        raise PowerCut
                    return _original(*args, **kwargs)

                cut.setattr(durable, name, step)
            try:
                prune(instance.store, 1, datetime.now(UTC))
                finished = True
            except PowerCut:
                pass
        assert instance.store.load("alpha").version == "1.3.0"
        assert check(instance.store).findings == []
        prune(instance.store, 1, datetime.now(UTC))
        found = sorted(str(path.relative_to(instance.store_path)) for path in instance.store_path.rglob("*"))
        assert found == done
        assert history.unreadable(instance.store.layout.history) == []
        if finished:
            break
    assert cuts > 20
    with capsys.disabled():
        print(f"\na prune cut off at each of {cuts} durable steps")
