"""Ask `sealift serve` with clients that others wrote: tritonclient, KServe's, and the Go program of the page.

Each of the Python clients lives in an environment of its own, made from its lock file: tritonclient some 100 MB, KServe
some 400. Go is Debian's.
"""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from functional.serving.test_serving_clients import SOCKET, TRIAGE, blocks, said
from support.machine.lock_environment import environment
from support.servers.model_server import serving

from sealift.testing import ToyGraphs, ToyModel, toy_store

ASKED = ["Crash on start", "Add dark mode", "ä"]
EXPECTED = ["bug", "feature", "question"]

TRITON = """
import json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1])
titles, found = json.loads(sys.argv[2]), {}
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("issue-triage", "1.0.0")
assert client.get_server_metadata()["name"] == "sealift"
assert [one["name"] for one in client.get_model_repository_index()] == ["graphs", "graphs~one", "issue-triage"]
metadata = client.get_model_metadata("issue-triage")
for binary in (True, False):
    title = http.InferInput("title", [len(titles)], "BYTES")
    title.set_data_from_numpy(np.array(titles, dtype=object), binary_data=binary)
    comments = http.InferInput("comments", [len(titles)], "INT64")
    comments.set_data_from_numpy(np.arange(len(titles)), binary_data=binary)
    # Named outputs, and all of them, which come as bytes.
    wanted = [http.InferRequestedOutput(one["name"], binary_data=binary) for one in metadata["outputs"]]
    for outputs in (wanted, None):
        result = client.infer("issue-triage", [title, comments], request_id="7", outputs=outputs)
        labels = [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy("predict").tolist()]
        found[f"{binary} {outputs is None}"] = labels
        assert np.allclose(result.as_numpy("predict_proba").sum(axis=1), 1), result.as_numpy("predict_proba")
        assert result.get_response()["id"] == "7"
text = http.InferInput("text", [1], "BYTES")
text.set_data_from_numpy(np.array(["a"], dtype=object))
assert client.infer("graphs~one", [text]).as_numpy("predict").tolist() == [b"no"]
try:
    client.infer("issue-triage", [title])
except InferenceServerException as error:
    found["error"] = str(error.message())
print(json.dumps(found))
"""

KSERVE = """
import asyncio, json, sys
import httpx
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig

titles, path, address = json.loads(sys.argv[2]), sys.argv[3], sys.argv[1]

async def ask(transport):
    config = RESTConfig(protocol="v2", transport=transport, timeout=30)
    client = InferenceRESTClient(config)
    base = "http://localhost" if transport else f"http://{address}"
    assert await client.is_server_live(base) and await client.is_server_ready(base)
    assert await client.is_model_ready(base, "issue-triage")
    inputs = [
        InferInput("title", [len(titles)], "BYTES", data=titles),
        InferInput("comments", [len(titles)], "INT64", data=list(range(len(titles)))),
    ]
    answer = await client.infer(base, InferRequest("issue-triage", inputs), model_name="issue-triage")
    return next(one.data for one in answer.outputs if one.name == "predict")

both = {"tcp": asyncio.run(ask(None)), "socket": asyncio.run(ask(httpx.AsyncHTTPTransport(uds=path)))}
print(json.dumps(both))
"""


def ask(python: Path, program: str, *arguments: str) -> dict[str, object]:
    done = subprocess.run([python, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    go = shutil.which("go")
    if go is None:
        sys.exit("go is not installed, so this cannot say anything; run `.ci/debian-packages clients` as root")
    wrong = 0

    def report(name: str, found: object, expected: object) -> None:
        nonlocal wrong
        print(f"{name}: {'ok' if found == expected else f'expected {expected}, got {found}'}", flush=True)
        wrong += found != expected

    models = {"issue-triage": TRIAGE, "graphs": ToyGraphs({"one": ToyModel()})}
    with (
        toy_store(models=models) as toys,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        serving(toys.store, more=[tcp]) as client,
    ):
        address = f"127.0.0.1:{tcp.getsockname()[1]}"
        titles = json.dumps(ASKED)
        found = ask(environment("tritonclient"), TRITON, address, titles)
        for kind in ("True False", "True True", "False False", "False True"):
            report(f"tritonclient, binary and all outputs: {kind}", found[kind], EXPECTED)
        report("tritonclient, a refusal", "column 'comments' is missing" in str(found["error"]), True)
        both = ask(environment("kserve"), KSERVE, address, titles, str(client.path))
        report("KServe's client over TCP", both["tcp"], EXPECTED)
        report("KServe's client over the socket", both["socket"], EXPECTED)
        (program,) = blocks("go")
        file = toys.path / "triage.go"
        file.write_text(program.replace(SOCKET, str(client.path)))
        done = subprocess.run([go, "run", file], capture_output=True, text=True, check=False, timeout=300)
        report("the Go program of the page", (done.returncode, done.stdout), (0, said("go run triage.go")))
        file.write_text(program.replace(SOCKET, str(client.path)).replace('"comments"', '"other"'))
        done = subprocess.run([go, "run", file], capture_output=True, text=True, check=False, timeout=300)
        report("the Go program, a refusal", "400 input: column 'comments'" in done.stderr, True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
