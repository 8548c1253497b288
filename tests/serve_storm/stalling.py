"""Clients that stall, and what others wait beside them.

Two servers run at once, alike but for one thing: at one of them clients stall. One client asks them in turns, request by
request, so that whatever else the machine does meets both alike. A round has thousands of requests to each, and the
median of the ratios of several rounds counts. Between rounds the stalled clients come anew, because the server's bounds
end them.

One request takes less than a millisecond, and a process that other work pushes aside waits several: on a busy machine
that is what a p99 shows. So all of this runs ahead of other processes, where the machine lets it.
"""

import os
import random
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import NamedTuple

from support.servers.model_server import ModelClient, until

OF_A_KIND = 40
_DRIP_EVERY_S = 0.1
_ROWS = 20_000
_BODY = b'{"inputs":[{"name":"rows","datatype":"BYTES","shape":[%d],"data":["a"%s]}]}' % (_ROWS, b',"a"' * (_ROWS - 1))
_HEAD = b"POST /v2/models/toy/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
# Nothing; a part of a head; a part of a body; a question whose answer nobody reads.
_PARTS = (b"", b"POST /v2/mod", _HEAD % 5000 + b"{", _HEAD % len(_BODY) + _BODY)
# The slow ones: bodies that come byte by byte, and answers that are read so.
_SLOW = (OF_A_KIND, OF_A_KIND // 2)
CLIENTS_THAT_STALL = OF_A_KIND * len(_PARTS) + sum(_SLOW)


class Round(NamedTuple):
    """Milliseconds that one request in a hundred takes longer than, without and beside clients that stall."""

    alone_ms: float
    beside_ms: float

    @property
    def times(self):
        return self.beside_ms / self.alone_ms


@contextmanager
def ahead_of_others():
    """Run before every ordinary process, and what is started here as well; tells whether the machine lets it."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def connect(path):
    one = socket.socket(socket.AF_UNIX)
    one.connect(str(path))
    return one


@contextmanager
def stalled(path):
    """Stuck clients of four kinds, and slow ones."""
    held = [connect(path) for _ in range(OF_A_KIND * len(_PARTS))]
    slow = subprocess.Popen([sys.executable, __file__, str(path)])
    try:
        for place, one in enumerate(held):
            one.sendall(_PARTS[place % len(_PARTS)])
        # What they asked is work like any other; that their answers lie unread is what is looked at.
        until(lambda: held_bytes(path) < 1000)
        yield
    finally:
        slow.kill()
        slow.wait()
        for one in held:
            one.close()


def held_bytes(path):
    client = ModelClient(path)
    text = client.get("/metrics").body.decode()
    client.close()
    return int(text.partition("\nsealift_serve_request_bytes ")[2].split()[0])


def rounds(alone, beside, count, requests):
    """Ask two servers in turns, at the second of which clients stall; gives what each round found."""
    found = []
    for number in range(count):
        with stalled(beside):
            found.append(_round(alone, beside, requests, seed=number))
    return found


def _round(alone, beside, requests, seed):
    order, clients = random.Random(seed), [ModelClient(alone), ModelClient(beside)]
    took_ms = ([], [])
    for _ in range(requests):
        # Which of them comes first is left to chance: the second finds the caches of the client warm.
        for which in order.sample((0, 1), 2):
            started = time.perf_counter()
            assert clients[which].texts("toy", "a").status == 200
            took_ms[which].append((time.perf_counter() - started) * 1000)
    for client in clients:
        client.close()
    return Round(*(statistics.quantiles(one, n=100)[98] for one in took_ms))


def drip(path):
    """Be slow, for as long as this process lives."""
    body = _BODY + b" " * 100_000
    held = [(connect(path), memoryview(_HEAD % len(body) + body)) for _ in range(_SLOW[0])]
    readers = [connect(path) for _ in range(_SLOW[1])]
    for one in readers:
        one.sendall(_PARTS[-1])
    place = 0
    while True:
        for one, data in held:
            with suppress(OSError):
                one.sendall(data[place : place + 1])
        for one in readers:
            with suppress(OSError):
                one.recv(1)
        place += 1
        time.sleep(_DRIP_EVERY_S)


if __name__ == "__main__":
    drip(sys.argv[1])
