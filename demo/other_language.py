"""Serve the store's models over a Unix socket, and ask them: every recorded example, then from another language.

    python other_language.py

Exit status 1 when an answer differs from the recorded one, or a client fails.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PATIENCE_S = 60.0
# What can ask, the first that is installed does.
CLIENTS = {"ruby": "ask.rb", "node": "ask.mjs"}


def ask(path: Path, method: str, route: str, body: object = None) -> tuple[int, Any]:
    """Send one request; gives its status and document."""
    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request(method, route, None if body is None else json.dumps(body))
    response = connection.getresponse()
    document = json.loads(response.read())
    connection.close()
    return response.status, document


def differences(path: Path, name: str) -> tuple[int, int]:
    """Post the recorded requests of a model; gives how many values were compared, and how many differ."""
    import sealift

    store = sealift.Store()
    installed = store.find(name)
    tolerance = store.load(name).description.tolerance
    compared = different = 0
    for example in json.loads(store.read(installed, ["golden.json"])["golden.json"])["examples"]:
        status, answer = ask(path, "POST", f"/v2/models/{name}/infer", example["request"])
        found = {one["name"]: one for one in answer["outputs"]} if status == 200 else {}
        for expected in example["response"]["outputs"]:
            compared += len(expected["data"])
            got = found.get(expected["name"], {"data": None, "shape": None})
            if got["shape"] != expected["shape"]:
                different += len(expected["data"])
            elif expected["datatype"].startswith("FP"):
                far = ~np.isclose(got["data"], expected["data"], rtol=tolerance.rtol, atol=tolerance.atol)
                different += int(far.sum())
            else:
                different += sum(one != other for one, other in zip(got["data"], expected["data"], strict=True))
    return compared, different


def main() -> int:
    """Serve, ask, and end."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "serve.sock"
        command = [sys.executable, "-c", "from sealift.cli import main; main()", "serve", "--socket", str(path)]
        with subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL) as server:
            try:
                ends = time.monotonic() + PATIENCE_S
                while not (path.exists() and ask(path, "GET", "/v2/health/ready")[0] == 200):
                    if time.monotonic() > ends or server.poll() is not None:
                        print("the server does not answer")
                        return 1
                    time.sleep(0.05)
                for model in ask(path, "GET", "/v2/repository/index")[1]:
                    compared, different = differences(path, model["name"])
                    print(f"{model['name']} {model['version']}: {compared} recorded values, {different} differences")
                    wrong += different
                wrong += other_language(path)
            finally:
                server.terminate()
    return 1 if wrong else 0


def other_language(path: Path) -> int:
    """Let a client of another language ask, or say what it would need; gives 1 where it fails."""
    for tool, program in CLIENTS.items():
        found = shutil.which(tool)
        if found is not None:
            sys.stdout.flush()
            return int(subprocess.run([found, str(HERE / program), str(path)], check=False).returncode != 0)
    print(f"no client of another language asks here: none of {', '.join(CLIENTS)} is installed (Debian: ruby, nodejs)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
