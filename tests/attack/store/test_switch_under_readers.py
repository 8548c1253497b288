"""Generations switched, and bundles installed, under readers: no load fails, none mixes versions."""

import json
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from support.depth import DEPTH
from support.release.channel_simulator import renamed, toy_files

from sealift.model import Model
from sealift.store.contents import generations
from sealift.store.guard.lock import locked

pytestmark = pytest.mark.slow

SWITCHES = 60 * DEPTH
THREADS = 20
PROCESSES = 4
INSTALLS_AFTER = {SWITCHES // 4, SWITCHES // 2, SWITCHES * 3 // 4}
ROWS = np.random.default_rng(3).normal(size=(20, 4)).astype(np.float32)

# What is read in a loop without a pause takes the processors from what changes the store, and tries no more moments.
PAUSE_S = 0.01
READER = """
import json, os, sys, time
import numpy as np
from sealift.following import FollowedModel
from sealift.store import Store
path, trust, answers, stop, processes, pause_s = sys.argv[1:]
expected = {version: np.array(values) for version, values in json.load(open(answers)).items()}
rows = np.random.default_rng(3).normal(size=(20, 4)).astype(np.float32)
# What they share is imported once; each loads in a process of its own, and says so in its status.
for _ in range(int(processes)):
    if os.fork() == 0:
        break
else:
    sys.exit(max(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(int(processes))))
store = Store(path, trust=trust)
followed = FollowedModel(store, lambda: store.load("toy"))
print("ready\\n", end="", flush=True)
seen = {}
while not os.path.exists(stop):
    for model in (store.load("toy"), followed.now):
        assert np.array_equal(model.predict_proba(rows), expected[model.version]), model.version
        seen[model.version] = seen.get(model.version, 0) + 1
    time.sleep(float(pause_s))
followed.close()
print(json.dumps(seen) + "\\n", end="", flush=True)
"""


class Readers:
    """Threads that load and ask until they are stopped; the first failure is kept."""

    def __init__(self, store, expected):
        self.store, self.expected = store, expected
        self.failures, self.seen, self.loads = [], {}, 0
        self.stop = False
        self.progress = threading.Condition()
        self.threads = [threading.Thread(target=self.run) for _ in range(THREADS)]

    def run(self):
        try:
            while not self.stop:
                model = self.store.load("toy")
                assert np.array_equal(model.predict_proba(ROWS), self.expected[model.version]), model.version
                with self.progress:
                    self.seen[model.version] = self.seen.get(model.version, 0) + 1
                    self.loads += 1
                    self.progress.notify_all()
                time.sleep(PAUSE_S)
        except BaseException as error:  # noqa: BLE001 - reported by the test
            with self.progress:
                self.failures.append(error)
                self.progress.notify_all()

    def wait_for_a_load(self):
        with self.progress:
            wanted = self.loads + 1
            assert self.progress.wait_for(lambda: self.failures or self.loads >= wanted, timeout=60)


@pytest.fixture
def bundles(channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    for seed, version in enumerate(("1.0.0", "1.1.0")):
        channel.add("toy", version, renamed(toy_files(seed), "toy", version))
        channel.release()
        instance.install(channel.pack(tmp_path / f"{version}.tar"))
    found = []
    for number in sorted(INSTALLS_AFTER):
        channel.add(f"other-{number}", "1.0.0")
        channel.release()
        found.append(channel.pack(tmp_path / f"other-{number}.tar"))
    return found


def test_no_load_fails_and_none_mixes_versions(bundles, instance, tmp_path):
    expected = {
        version: Model.from_files(renamed(toy_files(seed), "toy", version)).predict_proba(ROWS)
        for seed, version in enumerate(("1.0.0", "1.1.0"))
    }
    assert not np.array_equal(*expected.values())
    answers, stop = tmp_path / "answers.json", tmp_path / "stop"
    answers.write_text(json.dumps({version: values.tolist() for version, values in expected.items()}))
    arguments = [instance.store_path, instance.trust_path, answers, stop, str(PROCESSES), str(PAUSE_S)]
    started = subprocess.Popen(
        [sys.executable, "-c", READER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    readers = Readers(instance.store, expected)
    layout = instance.store.layout
    try:
        for _ in range(PROCESSES):
            assert started.stdout.readline() == b"ready\n"
        for thread in readers.threads:
            thread.start()
        for number in range(SWITCHES):
            if number in INSTALLS_AFTER:
                assert instance.install(bundles.pop(0)).changed
            with locked(layout.lock):
                generations.activate(layout, 1 + number % 2)
            if number % 4 == 0:
                readers.wait_for_a_load()
            if readers.failures:
                break
    finally:
        readers.stop = True
        stop.touch()
        for thread in readers.threads:
            if thread.ident is not None:
                thread.join()
        said, error = started.communicate()
    assert readers.failures == []
    assert started.returncode == 0, error.decode()[-500:]
    assert len(said.splitlines()) == PROCESSES
    for seen in [readers.seen, *map(json.loads, said.splitlines())]:
        assert set(seen) == set(expected), seen
