"""`sealift serve` in this process, and a client of the standard library that asks over its socket."""

import asyncio
import http.client
import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealift.serving.answering.catalog import Wanted
from sealift.serving.listening.sockets import UnixSocket
from sealift.serving.server import Service
from sealift.store import Store

PATIENCE_S = 60


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float = PATIENCE_S) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        # With a timeout, a Unix socket whose queue is full refuses at once.
        self.sock.connect(str(self._path))
        self.sock.settimeout(self.timeout)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code."""
        return self.status, self.document.get("code")

    def outputs(self) -> dict[str, Any]:
        assert self.status == 200, self.body
        return {one["name"]: one["data"] for one in self.document["outputs"]}


@dataclass
class ModelClient:
    """Asks a server at a socket, with one connection."""

    path: Path
    service: Service | None = None
    told: list[tuple[str, str]] = field(default_factory=list)
    _connection: UnixConnection | None = None

    def ask(self, method: str, route: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        if self._connection is None:
            self._connection = UnixConnection(self.path)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            self._connection.request(method, route, data, headers or {})
            response = self._connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        except BaseException:
            self.close()
            raise

    def get(self, route: str) -> Reply:
        return self.ask("GET", route)

    def infer(self, model: str, body: Any, headers: dict[str, str] | None = None) -> Reply:
        return self.ask("POST", f"/v2/models/{model}/infer", body, headers)

    def texts(self, model: str, *texts: str | None, **more: Any) -> Reply:
        """Ask a model of texts."""
        rows = {"name": "rows", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}
        return self.infer(model, {"inputs": [rows], **more})

    def another(self) -> "ModelClient":
        return ModelClient(self.path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def until(condition: Any, seconds: float = PATIENCE_S) -> Any:
    """Wait until something is so, and return it."""
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, "it did not become so"
        time.sleep(0.01)
    return found


@contextmanager
def serving(store: Store, *wanted: str, more: Sequence[socket.socket] = (), **options: Any) -> Iterator[ModelClient]:
    """Serve a store's models in a thread of this process, at `more` sockets as well, from when they were tried."""
    told: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        listening = UnixSocket(Path(folder) / "s", None)
        names = [Wanted.parse(text) for text in wanted]
        service = Service(store, names, [listening.socket, *more], tell=lambda *what: told.append(what), **options)
        thread = threading.Thread(target=lambda: asyncio.run(service.run()))
        thread.start()
        client = ModelClient(listening.path, service, told)
        try:
            until(lambda: any(one[1].startswith(("ready", "not ready: ")) for one in told if not one[0]))
            yield client
        finally:
            client.close()
            service.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
