"""Receiver and lander killed in the middle: what was acknowledged is in a table, once."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.depth import DEPTH
from support.gitlab.events import Events
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, new_pipeline, rows

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).with_name("sealift-pipeline")
POLICY = 'format = 1\n[issue]\nid = { path = "object_attributes.id", type = "int" }\n'


class Service:
    """A command that is started again as soon as it was killed, as systemd does."""

    def __init__(self, *arguments):
        self.arguments, self.address, self.process = arguments, None, None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, *self.arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ
        )
        if self.arguments[0] == "receive":
            host, _, port = (
                json.loads(self.process.stdout.readline())["listening"].removeprefix("http://").partition(":")
            )
            self.address = (host, int(port))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def test_nothing_that_was_acknowledged_is_lost_or_there_twice(tmp_path):
    settings = new_pipeline(tmp_path / "p", policy=POLICY)
    folder, chosen = ["--pipeline", settings.folder], random.Random(5)
    receiver = Service("receive", "--json", *folder)
    lander = Service("land", "--every", "1", *folder)
    hook = Hook(receiver.address, token=settings.token_file.read_text().strip())
    waiting = iter(list(enumerate(Events(3, size=1_700, users=5).several(150 * DEPTH, ["issue"]))))
    acknowledged, lock, over = set(), threading.Lock(), threading.Event()

    def send():
        while True:
            with lock:
                place, event = next(waiting, (None, None))
            if event is None:
                return
            # An operator who sends it again from GitLab's page, until it is taken.
            while not over.is_set():
                hook.address, hook.failures, hook.off_until = receiver.address, 0, 0.0
                if hook.send(event, key=f"event-{place}", twice=place % 20 == 0) == 200:
                    acknowledged.add(f"event-{place}")
                    break
                time.sleep(0.02)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for one in (receiver, lander) * DEPTH:
            time.sleep(0.2 + chosen.random())
            one.kill()
            one.start()
        for thread in threads:
            thread.join(60)
    finally:
        over.set()
        for one in (receiver, lander):
            one.kill()
    land(settings)
    found = [row["key"] for row in rows(settings)]
    assert len(acknowledged) == 150 * DEPTH
    assert acknowledged - set(found) == set()
    assert len(found) == len(set(found))
