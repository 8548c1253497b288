"""What a server must stand, measured from outside: switches under load, rubbish, and clients that stall.

    make serve-storm                                     three minutes
    make serve-storm SERVE_STORM_ARGS='--seconds 10'     shorter

1. A release is installed and rolled back every two seconds, while eight clients ask without a pause: no error, and each
   answer is that of the version which it names.
2. 10,000 mutated requests: nothing but 4xx where they are refused, and at most 20 MB more memory afterwards.
3. Slow and stuck clients: the p99 of others stays below twice what it is at a server without them, in the median of
   some rounds. 10,000 connections and bodies of 60 MB: bounded, and answered afterwards.
4. A version is withdrawn: 410 within two seconds of the install.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from serve_storm.stalling import CLIENTS_THAT_STALL, ahead_of_others, rounds, stalled
from support.servers.model_server import ModelClient, until
from support.servers.request_storm import mutated, statuses

from sealift.store.contents import generations
from sealift.store.upkeep.rollback import rollback
from sealift.testing import ToyModel, toy_store

CLIENTS = 8
SWITCH_EVERY_S = 2.0
MOST_MEMORY_MB = 20.0
MOST_TIMES = 2.0
ROUNDS = 7
REQUESTS_A_ROUND = 3000
MOST_SECONDS = 2.0
CONNECTIONS = 10_000
# The answer for "a" tells the version.
ANSWERS = {"1.0.0": "one", "1.1.0": "two"}


def toy(version):
    return ToyModel(version=version, texts=True, classes=("one", "two"), answers={"a": ANSWERS[version]})


@contextmanager
def server(toys, name="s"):
    path = toys.path / name
    command = [
        sys.executable,
        "-c",
        "from sealift.cli import main; main()",
        "serve",
        "--socket",
        path,
        "--threads",
        "1",
    ]
    environment = {**os.environ, **toys.environment}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(path.exists)
        until(lambda: ModelClient(path).get("/v2/health/ready").status == 200)
        yield process.pid, path
        assert process.poll() is None, "the server died"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def memory_mb(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def switches(toys, path, seconds):
    """Switch under load; the problems, the answers by version, and how often it was switched."""
    toys.install({"toy": toy("1.1.0")})
    store, found, wrong, end = toys.store, Counter(), [], threading.Event()

    def ask():
        client = ModelClient(path)
        while not end.is_set():
            try:
                reply = client.texts("toy", "a")
                version = reply.document["model_version"]
                if reply.outputs()["predict"] != [ANSWERS[version]]:
                    wrong.append(reply.body)
                found[version] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it counts
                wrong.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    ends, count = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        time.sleep(SWITCH_EVERY_S)
        now = generations.active_number(store.layout)
        numbers = generations.numbers(store.layout)
        rollback(store, None, to=next(one for one in reversed(numbers) if one != now), now=datetime.now(UTC))
        if count % 5 == 4:
            # A whole install as well, of a release with a model more.
            toys.install({f"more-{count}": toy("1.0.0")})
        count += 1
    end.set()
    for thread in threads:
        thread.join()
    return wrong, found, count


def crowd(path):
    """Connect 10,000 times, as far as this process may; gives how many were tried."""
    held = []
    for _ in range(CONNECTIONS):
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(10)
        with suppress(OSError):
            one.connect(str(path))
        held.append(one)
        if len(held) > 800:
            held.pop(0).close()
    return held


def stalls(toys):
    """A line about the p99 of a client beside others that stall, and whether it is within bounds."""
    with ahead_of_others() as ahead, server(toys, "alone") as (_, alone), server(toys, "beside") as (_, beside):
        found = rounds(alone, beside, ROUNDS, REQUESTS_A_ROUND)
    times = sorted(one.times for one in found)
    middle = statistics.median(times)
    alone_ms, beside_ms = (statistics.median(column) for column in zip(*found, strict=True))
    line = (
        f"p99 of a client: {beside_ms:.2f} ms beside {CLIENTS_THAT_STALL} that stall, {alone_ms:.2f} ms at a server without; "
        f"{middle:.2f} times (median of {ROUNDS} rounds, {times[0]:.2f} to {times[-1]:.2f})"
    )
    return line if ahead else f"{line}, among other processes", middle < MOST_TIMES


def withdrawal_s(toys, path):
    """Seconds from the end of an install that takes the active version back to the first 410."""
    client = ModelClient(path)
    version = client.texts("toy", "a").document["model_version"]
    toys.withdraw("toy", version)
    ended = time.monotonic()
    until(lambda: client.get(f"/v2/models/toy/versions/{version}").status == 410)
    return time.monotonic() - ended


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, default=10_000)
    asked = parser.parse_args()
    broken = 0

    def report(line, kept):
        nonlocal broken
        print(line + ("" if kept else "  BROKEN"), flush=True)
        broken += not kept

    with toy_store(models={"toy": toy("1.0.0")}) as toys, server(toys) as (pid, path):
        wrong, found, count = switches(toys, path, asked.seconds)
        answers = ", ".join(f"{number:,} by {version}" for version, number in sorted(found.items()))
        report(f"{count} switches under {CLIENTS} clients: {answers}; {len(wrong)} errors {wrong[:2] or ''}", not wrong)
        statuses(path, mutated(500, seed=7))
        before = memory_mb(pid)
        seen = statuses(path, mutated(asked.requests, seed=8))
        more = memory_mb(pid) - before
        odd = {status: number for status, number in seen.items() if status not in (0, 200) and not 400 <= status < 500}
        report(f"{asked.requests:,} mutated requests: {dict(sorted(seen.items()))}; {more:+.1f} MB", not odd)
        report(f"  memory after them: {more:+.1f} MB of {MOST_MEMORY_MB:.0f}", more <= MOST_MEMORY_MB)
        report(*stalls(toys))
        with stalled(path):
            before = memory_mb(pid)
            held = crowd(path)
            more = memory_mb(pid) - before
            status = ModelClient(path).texts("toy", "a").status
        report(f"{CONNECTIONS:,} connections: {more:+.1f} MB, then {status}", more <= MOST_MEMORY_MB and status == 200)
        for one in held:
            one.close()
        before = memory_mb(pid)
        large = [ModelClient(path).infer("toy", b" " * 60_000_000).status for _ in range(5)]
        more = memory_mb(pid) - before
        report(f"bodies of 60 MB: {large}, {more:+.1f} MB", large == [413] * 5 and more <= 2 * MOST_MEMORY_MB)
        soon = withdrawal_s(toys, path)
        report(f"a withdrawn version: 410 {soon:.2f} s after its install", soon <= MOST_SECONDS)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
