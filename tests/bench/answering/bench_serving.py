"""What a request costs `sealift serve` over the same call in process, with JSON read and written both ways.

The server is a process of its own, and its processor time is what the kernel counts for it: the clients' does not
count. In process the same bytes are read, the same model asked, and the same answer written.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.promises import promise
from support.servers.model_server import ModelClient, until

import sealift
from sealift.testing import toy_store

CLIENTS = (1, 8, 32)
SECONDS = 2.0
ROUNDS = 3
# Times the processor time of the same call in process: promised and aimed at.
TIMES = {1: (2.5, 2.0), 32: (1.2, 1.0)}
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
WORDS = [
    "crash",
    "login",
    "dark",
    "mode",
    "slow",
    "start",
    "theme",
    "button",
    "menu",
    "error",
    "page",
    "token",
    "merge",
    "branch",
    "pipeline",
    "job",
]
TEXT = "the login page is slow and the dark theme has an error in the menu of the merge request"


def files():
    """A model of texts, as an instance classifies issues with."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from sealift_bundler import convert

    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS, 20)) for _ in range(400)]
    labels = ["bug" if "crash" in text or "error" in text else "feature" for text in texts]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()).fit(texts, labels)
    return convert(model, texts, name="triage", version="1.0.0").files


def request():
    rows = {"name": "rows", "datatype": "BYTES", "shape": [1], "data": [TEXT]}
    return json.dumps({"id": "1", "inputs": [rows]}).encode()


def in_process(seconds):
    """Microseconds of processor time of one call, with JSON both ways."""
    model, body = sealift.load("triage", threads=1), request()

    def call():
        document = json.loads(body)
        # The request names no output, so the server answers with every method.
        answers = model.answers(model.description.methods, document["inputs"][0]["data"])
        outputs = [
            {"name": name, "datatype": "FP64", "shape": list(values.shape), "data": values.ravel().tolist()}
            for name, values in answers.items()
        ]
        head = {"id": document["id"], "model_name": model.name, "model_version": model.version}
        return json.dumps({**head, "outputs": outputs}).encode()

    for _ in range(100):
        call()
    started, ends, calls = time.process_time(), time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        for _ in range(50):
            call()
        calls += 50
    return (time.process_time() - started) / calls * 1e6


def load(connect, route, clients, seconds):
    """Ask from so many connections at once, each waiting for its answer; gives the number of answers."""
    body = request()
    head = f"POST {route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    question = head.encode() + body
    counts, failures, end = [0] * clients, [], threading.Event()

    def work(place):
        with connect() as own:
            while not end.is_set():
                own.sendall(question)
                answer = own.recv(65536)
                while not complete(answer):
                    answer += own.recv(65536)
                if not answer.startswith(b"HTTP/1.1 200"):
                    failures.append(answer)
                    return
                counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    end.wait(seconds)
    end.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    return sum(counts)


def complete(answer):
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    return len(body) >= int(lower[start:].split(b"\r\n")[0])


def processor_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def served(pid, connect, route, clients):
    """Microseconds of the server's processor time of one request; the least disturbed of some rounds."""
    load(connect, route, clients, 1.0)
    found = []
    for _ in range(ROUNDS):
        before = processor_s(pid)
        answers = load(connect, route, clients, SECONDS)
        found.append((processor_s(pid) - before) / answers * 1e6)
    return min(found)


def over_socket(path):
    own = socket.socket(socket.AF_UNIX)
    own.connect(str(path))
    return own


def ours(toys):
    """Clients to microseconds of our server."""
    path = toys.path / "s"
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
    process = subprocess.Popen(command, env={**os.environ, **toys.environment}, stdout=subprocess.DEVNULL)
    try:
        until(path.exists)
        until(lambda: ModelClient(path).get("/v2/health/ready").status == 200)
        return {
            clients: served(process.pid, lambda: over_socket(path), "/v2/models/triage/infer", clients)
            for clients in CLIENTS
        }
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def main() -> int:
    kept = True
    with tempfile.TemporaryDirectory() as folder, toy_store(Path(folder) / "toys", models={"triage": files()}) as toys:
        bare = min(in_process(SECONDS / 2) for _ in range(ROUNDS))
        found = ours(toys)
    print(f"in process, JSON both ways: {bare:,.0f} µs of processor time a call")
    for clients, took in found.items():
        print(
            f"served to {clients:2} clients: {took:6,.0f} µs a request, {took / bare:.2f} times in process", flush=True
        )
        if clients in TIMES:
            kept &= promise(f"a request served to {clients} at once: the call in process", took / bare, *TIMES[clients])
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
