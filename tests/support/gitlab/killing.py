"""A receiver and a lander that are killed again and again, while a hook delivers; nothing may be lost or there twice."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from support.gitlab.events import Events
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, rows

PROGRAM = Path(sys.executable).with_name("sealift-pipeline")
POLICY = 'format = 1\n[issue]\nid = { path = "object_attributes.id", type = "int" }\n'
_CLIENTS = 4
_TWICE_EVERY = 20


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


class Delivery:
    """Sends events with four clients, each until it is taken, and every twentieth twice.

    Args:
        service: the receiver, which may come back at another port.
    """

    def __init__(self, service, token, number):
        self.acknowledged, self.number = set(), number
        self._service, self._hook = service, Hook(service.address, token=token)
        self._waiting = iter(list(enumerate(Events(3, size=1_700, users=5).several(number, ["issue"]))))
        self._lock, self._over = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(_CLIENTS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()

    def wait_for(self, number, timeout_s=300):
        end = time.monotonic() + timeout_s
        while len(self.acknowledged) < number and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.acknowledged) >= number, "the receiver takes nothing any longer"

    def _send(self):
        while True:
            with self._lock:
                place, event = next(self._waiting, (None, None))
            if event is None:
                return
            # An operator who sends it again from GitLab's page, until it is taken.
            while not self._over.is_set():
                self._hook.address, self._hook.failures, self._hook.off_until = self._service.address, 0, 0.0
                if self._hook.send(event, key=f"event-{place}", twice=place % _TWICE_EVERY == 0) == 200:
                    self.acknowledged.add(f"event-{place}")
                    break
                time.sleep(0.02)


def delivered_under_kills(settings, number, kills, servers=()):
    """Deliver events while receiver and lander are killed in turn; return what was acknowledged, and the keys of all rows.

    Args:
        settings: of a pipeline with the data policy `POLICY`.
        kills: how often; spread over the events.
        servers: that the log stands on, with `kill` and `start`; they are killed in their turn.
    """
    chosen = random.Random(5)
    receiver = Service("receive", "--json", "--pipeline", settings.folder)
    lander = Service("land", "--every", "1", "--pipeline", settings.folder)
    try:
        with Delivery(receiver, settings.token_file.read_text().strip(), number) as delivery:
            for kill in range(kills):
                delivery.wait_for((kill + 1) * number // (kills + 1))
                time.sleep(chosen.random())
                one = (receiver, lander, *servers)[kill % (2 + len(servers))]
                one.kill()
                one.start()
            delivery.wait_for(number)
    finally:
        for one in (receiver, lander):
            one.kill()
    land(settings)
    return delivery.acknowledged, [row["key"] for row in rows(settings)]
