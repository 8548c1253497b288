"""What the receiver must stand: a connection for each event, 32 at once; and kills, of which nothing is lost."""

import json
import os
import threading
import time

from support.gitlab.events import Events
from support.gitlab.hook import Hook
from support.gitlab.killing import POLICY, Service, delivered_under_kills
from support.gitlab.pipeline import land, new_pipeline
from support.servers.nats_server import NatsServer, version

from sealift_pipeline.settings.settings import Settings

# What `Events` makes of this size has 5 KB in the mean, for some kinds hold no text.
EVENTS, SIZE, CLIENTS = 10_000, 7_500, 32
MOST_P99_S, MOST_CPU_MS = 2.0, 2.5
KILLED_EVENTS, KILLS = 5_000, 20
SYNCS_SINCE = (2, 10)
_MADE = 500


def storm(folder):
    """10,000 events of 5 KB, a connection each, 32 at once; yields a line for each figure."""
    settings = new_pipeline(folder / "storm")
    service = Service("receive", "--json", "--pipeline", settings.folder)
    hook = Hook(service.address, token=settings.token_file.read_text().strip())
    made = Events(1, size=SIZE).several(_MADE)
    mean = sum(len(body_of(event)) for event in made) / len(made)
    waiting, lock = iter(range(EVENTS)), threading.Lock()
    statuses, times = [], []

    def send():
        while True:
            with lock:
                place = next(waiting, None)
            if place is None:
                return
            body = body_of(made[place % _MADE])
            headers, begin = hook.headers(made[place % _MADE], body, f"event-{place}"), time.perf_counter()
            statuses.append(hook.post(body, headers))
            times.append(time.perf_counter() - begin)

    begin, cpu = time.perf_counter(), cpu_seconds(service.process.pid)
    try:
        threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took, cpu = time.perf_counter() - begin, cpu_seconds(service.process.pid) - cpu
    finally:
        service.kill()
    p99, each = sorted(times)[int(len(times) * 0.99)], cpu / EVENTS * 1_000
    landed = sum(land(settings).rows.values())
    yield set(statuses) == {200}, f"{EVENTS:,} events of {mean:,.0f} bytes: statuses {sorted(set(statuses))}"
    yield landed == EVENTS, f"{landed:,} rows landed"
    yield p99 < MOST_P99_S, f"p99 {p99 * 1_000:.0f} ms, at most {MOST_P99_S * 1_000:.0f}; {EVENTS / took:.0f} events/s"
    yield each < MOST_CPU_MS, f"receiver: {each:.2f} ms of CPU an event, at most {MOST_CPU_MS}"


def kills(folder):
    """Receiver and lander killed 20 times in 5,000 events, of which 5 % are sent twice."""
    yield from _whole_after_kills(new_pipeline(folder / "kills", policy=POLICY))


def kills_nats(folder):
    """The same with the log on NATS JetStream, whose server is killed in its turn; it syncs each event where it can."""
    server = NatsServer(folder / "nats", syncs=version() >= SYNCS_SINCE)
    try:
        settings = new_pipeline(folder / "kills", policy=POLICY)
        path = settings.folder / "pipeline.toml"
        path.write_text(path.read_text().replace("sqlite:log/events.db", server.url))
        yield True, f"nats-server {'.'.join(map(str, version()))}{', syncs each event' * (version() >= SYNCS_SINCE)}"
        yield from _whole_after_kills(Settings.load(settings.folder), [server])
    finally:
        server.stop()


def _whole_after_kills(settings, servers=()):
    begin = time.perf_counter()
    acknowledged, found = delivered_under_kills(settings, KILLED_EVENTS, KILLS, servers)
    yield True, f"{KILLED_EVENTS / (time.perf_counter() - begin):.0f} events/s under kills"
    lost, twice = acknowledged - set(found), len(found) - len(set(found))
    yield len(acknowledged) == KILLED_EVENTS, f"{KILLS} kills: {len(acknowledged):,} events acknowledged"
    yield not lost, f"lost: {len(lost)}"
    yield twice == 0, f"there twice: {twice}"


def body_of(event):
    return json.dumps(event).encode()


def cpu_seconds(process):
    """CPU time of a process, user and system."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
