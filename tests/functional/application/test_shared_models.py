"""What `Store.load` shares between loads, threads and processes, and what it never skips."""

import faulthandler
import gc
import os
import resource
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import sealift
from sealift.errors import CorruptError, IncompatibleError, LocalError, SignatureError, UsageError
from sealift.store import Store
from sealift.store.contents import files
from sealift.trust import chain

ROWS = np.ones((3, 4), np.float32)


@pytest.fixture
def store(channel, instance, tmp_path, no_replay):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "good.tar"))
    return instance.store


@pytest.fixture
def file_reads(monkeypatch):
    """Count how often the files of a model are read."""
    reads = []
    original = files.seal_files
    monkeypatch.setattr(files, "seal_files", lambda *args: reads.append(args) or original(*args))
    return reads


def test_two_loads_share_one_session_for_as_long_as_it_is_used(store, file_reads):
    first = store.load("toy")
    second = store.load("toy")
    assert first is not second
    assert first.session is second.session
    assert len(file_reads) == 1
    del first
    third = store.load("toy")
    assert third.session is second.session
    del second, third
    gc.collect()
    store.load("toy")
    assert len(file_reads) == 2


def test_other_options_make_another_session(store, file_reads):
    models = [store.load("toy"), store.load("toy", threads=1), store.load("toy", providers=["CPUExecutionProvider"])]
    assert len({id(model.session) for model in models}) == len(file_reads) == 3


def test_many_threads_make_one_session(store, file_reads):
    models, barrier = [], threading.Barrier(12)

    def load():
        barrier.wait()
        models.append(store.load("toy"))

    threads = [threading.Thread(target=load) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(models) == 12
    assert len(file_reads) == 1


def test_a_signal_handler_may_load_in_the_middle_of_a_load(store, monkeypatch):
    original, loaded = files.seal_files, []

    def seal_files(*args):
        if not loaded:
            loaded.append(None)
            signal.raise_signal(signal.SIGUSR1)
        return original(*args)

    def reload(_number, _frame):
        loaded.append(store.load("toy"))

    monkeypatch.setattr(files, "seal_files", seal_files)
    before = signal.signal(signal.SIGUSR1, reload)
    faulthandler.dump_traceback_later(60, exit=True)
    try:
        model = store.load("toy")
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGUSR1, before)
    assert len(model.predict(ROWS)) == len(loaded[1].predict(ROWS)) == 3
    assert store.load("toy").session is model.session


def test_a_failed_load_does_not_stick(store, instance):
    graph = instance.store_path / "models/toy/1.0.0/model.onnx"
    good = graph.read_bytes()
    graph.chmod(0o644)
    graph.write_bytes(bytes(len(good)))
    with pytest.raises(CorruptError, match=r"cannot load 'toy', step 'files'.*was changed in the store"):
        store.load("toy")
    graph.write_bytes(good)
    store.load("toy").predict(ROWS)


def test_trust_and_manifest_are_read_again_on_every_load(store, instance):
    """The session is shared; the right to use it is not remembered."""
    kept = store.load("toy")
    for path, step, error in (
        ("store/trust/1/targets.json", "trust", (CorruptError, SignatureError)),
        ("etc/root.json", "trust", (CorruptError, SignatureError)),
        (f"store/manifests/{kept.digest.removeprefix('sha256:')}.json", "manifest", CorruptError),
    ):
        file = instance.directory / path
        good = file.read_bytes()
        place = good.index(b'"') + 1
        file.chmod(0o644)
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(error, match=f"cannot load 'toy', step '{step}'"):
            store.load("toy")
        file.write_bytes(good)
        store.load("toy")


def test_signatures_of_the_same_bytes_are_checked_once(store, monkeypatch):
    release = store.release()
    monkeypatch.setattr(chain.threshold, "require", lambda *_: pytest.fail("checked again"))
    assert store.release() is release


def test_a_root_that_appears_later_is_followed(store, channel, instance):
    """What was not there is part of what was verified."""
    store.release()
    channel.next_root(lambda root: None)
    newer = (channel.channel.tuf_dir / "2.root.json").read_bytes()
    added = instance.store_path / "trust/1/root_history/2.root.json"
    added.write_bytes(newer)
    store.release()
    added.write_bytes(newer.replace(b'"version": 2', b'"version": 3').replace(b'"version":2', b'"version":3'))
    with pytest.raises(sealift.Error):
        store.release()


def test_a_load_that_meets_a_switch_looks_again(store, monkeypatch):
    original, met = Store._release, []

    def release(self, state):
        met.append(1)
        if len(met) < 3:
            raise CorruptError(f"the trust state has no 'targets.json' {len(met)}")
        return original(self, state)

    monkeypatch.setattr(Store, "_release", release)
    assert store.load("toy").version == "1.0.0"
    assert len(met) == 3


def test_a_failure_that_a_second_look_meets_again_is_final(store, monkeypatch):
    met = []

    def release(_self, _state):
        met.append(1)
        raise CorruptError("the trust state has no 'targets.json'")

    monkeypatch.setattr(Store, "_release", release)
    with pytest.raises(CorruptError, match="step 'trust'"):
        store.load("toy")
    assert len(met) == 2


def test_a_closed_model_says_so_and_leaves_the_others_alone(store):
    with store.load("toy") as model:
        other = store.load("toy")
        model.predict(ROWS)
    with pytest.raises(UsageError, match="model 'toy' was closed; load it again"):
        model.predict(ROWS)
    model.close()
    assert model.version == "1.0.0"
    assert len(other.predict(ROWS)) == 3


def test_an_unknown_execution_provider(store):
    with pytest.raises(UsageError, match=r"no execution provider 'WarpDrive' in this onnxruntime; it has .*CPU"):
        store.load("toy", providers=["WarpDrive"])
    with pytest.raises(UsageError, match=r"no execution provider \('CPU.*in this onnxruntime; it has .*CPU"):
        store.load("toy", providers=[("CPUExecutionProvider", {"arena": "0"})])


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", 2**40, 1_000_000])
def test_no_number_of_threads(store, threads):
    with pytest.raises(UsageError, match=f"threads is {threads!r}; expected 1 or more"):
        store.load("toy", threads=threads)


def test_too_few_descriptors_are_no_damage(store):
    store.load("toy").predict(ROWS)
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.open("/", os.O_RDONLY)
    said = []
    try:
        for spare in range(8):
            resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + spare, kept[1]))
            try:
                store.load("toy", threads=1)
            except sealift.Error as error:
                said.append(error)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)
        os.close(first_free)
    assert {type(error) for error in said} == {LocalError}
    assert all("Too many open files" in str(error) and "raise the limit" in str(error) for error in said)


@pytest.mark.parametrize(
    "path", ["current", "generations/1/.generation.json", "trust/1/targets.json", "models/toy/1.0.0/model.onnx"]
)
def test_what_this_user_may_not_read_is_no_damage(path, store, monkeypatch):
    # The tests may run as root, who may read everything.
    original = {name: getattr(os, name) for name in ("open", "readlink")}

    def refusing(name):
        def refuse(file, *args, **kwargs):
            if str(store.layout.root / path).endswith(str(file)):
                raise PermissionError(13, "Permission denied", str(file))
            return original[name](file, *args, **kwargs)

        return refuse

    for name in original:
        monkeypatch.setattr(os, name, refusing(name))
    with pytest.raises(LocalError, match=r"cannot load 'toy', step .*Permission denied.*must be readable by this user"):
        store.load("toy")


def test_a_provider_that_does_not_start(store, monkeypatch):
    from sealift.model.runtime.onnx import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider", "Other"])
    with pytest.raises(IncompatibleError, match="step 'session'"):
        store.load("toy", providers=["Other", "CPUExecutionProvider"])


def test_an_unreadable_root_is_an_error_of_this_machine(store, instance, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "root.json")

    monkeypatch.setattr("sealift.trust.pin.read", refuse)
    with pytest.raises(LocalError, match=r"step 'trust': Permission denied .*must be readable by this user"):
        store.load("toy")


def _in_child(work):
    """Run `work` in a forked process and return what it says."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = str(work())
        except Exception as error:  # noqa: BLE001 - told to the parent
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


def test_a_forked_worker_is_told_to_load_again(store):
    model = store.load("toy", threads=2)
    shared = store.load("toy", threads=2)
    for one in (model, shared, shared.share(), model.observed(lambda _: None)):
        assert "UsageError: model 'toy' was loaded before this process was forked" in _in_child(
            lambda one=one: one.predict(ROWS)
        )
    assert _in_child(lambda: store.load("toy", threads=2).predict(ROWS).shape) == "(3,)"
    assert len(model.predict(ROWS)) == 3


FORKED = """
import gc, os, sys
from pathlib import Path
import numpy as np
from sealift.store import Store
model = Store(sys.argv[1], trust=sys.argv[2]).load("toy", threads=4)
model.predict(np.ones((3, 4), np.float32))
# Threads that spin are freed easily; those that sleep are not.
mine = str(os.getpid())
def asleep():
    others = [task for task in Path("/proc/self/task").iterdir() if task.name != mine]
    return len(others) >= 3 and all("futex" in (task / "wchan").read_text() for task in others)
while not asleep():
    pass
if os.fork() == 0:
    del model
    gc.collect()
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
print("ended")
"""


def test_a_forked_worker_ends_although_its_session_cannot_be_freed(store):
    command = [sys.executable, "-c", FORKED, str(store.layout.root), str(store.trust_directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("ended\n", "")


def test_a_session_of_one_thread_survives_a_fork(store):
    model = store.load("toy", threads=1)
    assert _in_child(lambda: model.predict(ROWS).tolist()) == str(model.predict(ROWS).tolist())
