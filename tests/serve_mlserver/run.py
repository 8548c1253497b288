"""What a request costs `sealift serve` and MLServer, side by side in one run.

Both serve one model of one store, on loopback TCP, to the same clients with the same requests; their answers are
compared first. They take turns, so that what else the machine does meets both, and the median of the rounds counts.
What is compared is the processor time of the server's processes, as the kernel counts it.

MLServer is set up as fast as it goes here: no worker processes, which would add a hop to each request, no compression,
no debugging, and no line of log for each request.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.answering.bench_serving import TICKS_A_SECOND, files, load, request
from support.machine.lock_environment import ROOT, environment
from support.servers.model_server import until

from sealift.testing import toy_store

CLIENTS = (1, 8, 32)
MOST_TIMES = 0.5
ROUTE = "/v2/models/triage/infer"
_RUNTIME = Path(__file__).with_name("triage.py")


def free_ports(count):
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in held]


def ask(port, method, route, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, route, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


@contextmanager
def running(name, port, command, environ, folder):
    """A server in a session of its own, from when it is ready."""
    with (folder / f"{name}.log").open("w+") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:

            def ready():
                if process.poll() is not None:
                    log.seek(0)
                    sys.exit(f"{name} ended:\n{log.read()[-3000:]}")
                return ask(port, "GET", "/v2/models/triage/ready")[0] == 200

            until(ready, 120)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def processor_s(session):
    """Of every process of a session, and of those that ended and were waited for."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS_A_SECOND


@contextmanager
def ours(toys, folder):
    (port,) = free_ports(1)
    start = "from sealift.cli import main; main()"
    command = [sys.executable, "-c", start, "serve", "--tcp", f"127.0.0.1:{port}", "--threads", "1"]
    with running("sealift", port, command, {**os.environ, **toys.environment}, folder) as pid:
        yield pid, port


@contextmanager
def theirs(toys, folder):
    python = environment("mlserver")
    place = folder / "mlserver"
    place.mkdir()
    port, grpc, metrics = free_ports(3)
    settings = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "parallel_workers": 0,
        "gzip_enabled": False,
    }
    (place / "settings.json").write_text(json.dumps(settings))
    (place / "model-settings.json").write_text(json.dumps({"name": "triage", "implementation": "triage.Triage"}))
    (place / "triage.py").write_bytes(_RUNTIME.read_bytes())
    paths = os.pathsep.join(str(ROOT / part) for part in ("loader", "common"))
    environ = {**os.environ, **toys.environment, "PYTHONPATH": paths}
    command = [python, "-m", "mlserver.cli.main", "start", place]
    with running("mlserver", port, command, environ, folder) as pid:
        yield pid, port


def outputs(port):
    status, body = ask(port, "POST", ROUTE, request())
    assert status == 200, body
    return {
        one["name"]: (one["datatype"], [size for size in one["shape"] if size != 1], one["data"])
        for one in json.loads(body)["outputs"]
    }


def cost_us(server, clients, seconds):
    """Microseconds of processor time of one request."""
    pid, port = server
    before = processor_s(pid)
    answers = load(lambda: socket.create_connection(("127.0.0.1", port)), ROUTE, clients, seconds)
    return (processor_s(pid) - before) / answers * 1e6


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args()
    broken = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        toy_store(Path(folder) / "toys", models={"triage": files()}) as toys,
        ours(toys, Path(folder)) as one,
        theirs(toys, Path(folder)) as other,
    ):
        found, expected = outputs(one[1]), outputs(other[1])
        if found != expected:
            print(f"the servers answer differently: {found}, MLServer {expected}")
            return 1
        for clients in CLIENTS:
            for server in (one, other):
                cost_us(server, clients, 1.0)
            rounds = [
                (cost_us(one, clients, asked.seconds), cost_us(other, clients, asked.seconds))
                for _ in range(asked.rounds)
            ]
            ratios = sorted(mine / other_us for mine, other_us in rounds)
            ratio = statistics.median(ratios)
            mine, mlserver = (statistics.median(column) for column in zip(*rounds, strict=True))
            line = (
                f"{clients:2} clients: {mine:6,.0f} µs a request, MLServer {mlserver:6,.0f}; {ratio:.2f} times "
                f"(median of {asked.rounds}, {ratios[0]:.2f} to {ratios[-1]:.2f})"
            )
            kept = ratio <= MOST_TIMES
            print(line + ("" if kept else f"  MORE THAN {MOST_TIMES}"), flush=True)
            broken += not kept
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
