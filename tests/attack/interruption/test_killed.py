"""A process that is ended in the middle of an install: by force at any moment, or asked to by a signal."""

import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from support.depth import DEPTH
from support.release.self_test_stub import Passes

from sealift.model.trial.process import SelfTestProcess

pytestmark = pytest.mark.slow

MOMENTS = 20 * DEPTH
COMMAND = [sys.executable, "-c", "from sealift.cli import main; main()"]


@pytest.fixture
def second(channel, instance, tmp_path):
    """An instance with the first release; returns the bundle of the second."""
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first.tar"))
    channel.add("toy", "1.1.0")
    channel.release()
    return channel.pack(tmp_path / "second.tar")


def _fork(action):
    process = os.fork()
    if process == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return process


def test_sigkill_at_random_moments(second, instance, tmp_path, monkeypatch, capsys):
    before = tmp_path / "before"
    shutil.copytree(instance.store_path, before, symlinks=True)

    def anew():
        shutil.rmtree(instance.store_path)
        shutil.copytree(before, instance.store_path, symlinks=True)

    started = time.monotonic()
    os.waitpid(_fork(lambda: instance.install(second)), 0)
    whole = time.monotonic() - started
    assert instance.store.load("toy").version == "1.1.0"
    rng, found = random.Random(20261125), Counter()
    for moment in range(MOMENTS):
        anew()
        process = _fork(lambda: instance.install(second))
        time.sleep(rng.uniform(0, whole))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        found[instance.store.load("toy").version] += 1
        with monkeypatch.context() as patch:
            # The rest is tried without another child: one for each moment would only take time.
            patch.setattr("sealift.install.steps.SelfTestProcess", Passes if moment % 10 else SelfTestProcess)
            instance.install(second)
        assert instance.store.load("toy").version == "1.1.0"
        assert not (instance.store_path / "staging").exists()
        assert len((instance.store_path / "history.jsonl").read_text().splitlines()) == 2
    with capsys.disabled():
        print(f"\nkilled at {MOMENTS} random moments of {whole:.1f} s: active afterwards {dict(found)}")
    assert _self_tests_alive() == []


def _self_tests_alive():
    alive = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"sealift.model.trial.child" in words and str(os.getpid()).encode() in words:
                alive.append(entry.name)
    return alive


def _hear():
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)], ids=str
)
def test_a_signal_ends_the_command_cleanly(number, status, second, instance, tmp_path):
    """Asked while the self-test runs, which is the longest wait of an install."""
    before = instance.snapshot()
    process = subprocess.Popen(
        [*COMMAND, "install", str(second)],
        env=instance.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # no terminal
        # As a shell starts it: `nohup` and `&` let their children ignore these signals.
        preexec_fn=_hear,  # noqa: PLW1509 - nothing of this process has threads by now
    )
    staging = instance.store_path / "staging"
    deadline = time.monotonic() + 60
    while not list(staging.glob("*/models/toy/1.1.0/model.onnx")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert out == ""
    assert err == "sealift: interrupted; nothing half-done is left active\n"
    assert instance.snapshot() == before
    assert instance.store.load("toy").version == "1.0.0"


def test_a_signal_during_the_switch_waits_for_its_end(second, instance, tmp_path, monkeypatch):
    from sealift.install.commit import Commit
    from sealift_common import interrupts

    whole = Commit.run

    def interrupted(*arguments, **keywords):
        os.kill(os.getpid(), signal.SIGTERM)
        return whole(*arguments, **keywords)

    monkeypatch.setattr(Commit, "run", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    interrupts.raise_on_signals()
    try:
        with pytest.raises(interrupts.Interrupted):
            instance.install(second)
    finally:
        interrupts._State.heard = None
        for ending in interrupts.ENDING:
            signal.signal(ending, signal.default_int_handler if ending == signal.SIGINT else before)
    assert instance.store.load("toy").version == "1.1.0"
    assert not (instance.store_path / "staging").exists()


def test_stdout_closed_by_its_reader(second, instance):
    """`sealift install FILE | head -c0`: the install is what counts, and it is complete."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "install", str(second)], env=instance.environment, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert instance.store.load("toy").version == "1.1.0"


def test_no_stdout_and_no_stdin_at_all(second, instance):
    script = f"exec {shlex.quote(sys.executable)} -c 'from sealift.cli import main; main()' install {second} <&- >&-"
    done = subprocess.run(["sh", "-c", script], env=instance.environment, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr
    assert instance.store.load("toy").version == "1.1.0"
