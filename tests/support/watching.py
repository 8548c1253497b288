"""A watcher of a folder: in this process with a clock of its own, or as a process; and what it finds there."""

import json
import signal
import subprocess
import sys

import pytest

from sealift.drop_folder.files import DropFolder
from sealift.drop_folder.watch import Watch
from sealift.install.steps import install

SEALIFT = [sys.executable, "-c", "from sealift.cli import main; main()"]


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


def put(bundle, folder, name=None):
    """Copy as an admin does: under a hidden name, then renamed."""
    hidden = folder / ".copy"
    hidden.write_bytes(bundle.read_bytes())
    return hidden.rename(folder / (name or bundle.name))


def reason(folder, name):
    return json.loads((folder / "refused" / f"{name}.reason.json").read_text())
