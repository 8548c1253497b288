"""MLflow's own server, from an environment of its own, with a folder for its files; and what only it wants done."""

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit


@contextmanager
def mlflow_server(python: Path, folder: Path):
    """Run `mlflow server` of the environment whose Python is given; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    folder.mkdir()
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*map(str, command), *stores], stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            _wait(process, url, folder / "log")
            yield url
        finally:
            # Its workers too, which outlive it otherwise.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def _wait(process, url, log):
    until = time.monotonic() + 180
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if _ask(url, "GET", "/health")[0] == 200:
                # The first call imports libraries and makes the database, which takes longer than a client waits.
                call(url, "experiments/search", {"max_results": 1})
                return
        except (HTTPException, OSError):
            time.sleep(0.3)
    raise AssertionError(log.read_text()[-3000:])


def call(url, route, document):
    """One POST to a route of MLflow."""
    status, data = _ask(url, "POST", f"/api/2.0/mlflow/{route}", json.dumps(document).encode())
    assert status == 200, data
    return json.loads(data)


def _ask(url, method, path, body=None):
    connection = HTTPConnection(urlsplit(url).netloc, timeout=180)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
