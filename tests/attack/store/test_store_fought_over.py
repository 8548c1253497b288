"""A store that several processes change and read at once, or where one of them is cut off."""

import itertools
import shutil
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from support.depth import DEPTH

from sealift.errors import LockedError
from sealift.store.contents import history
from sealift.store.upkeep.check import check
from sealift.store.upkeep.prune import prune
from sealift.store.upkeep.rollback import rollback

pytestmark = pytest.mark.slow


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
