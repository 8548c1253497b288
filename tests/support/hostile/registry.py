"""A registry in memory, on loopback, that can be told to lie; it keeps what is pushed, also of half an upload."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<name>[^?]+)")


# Called before the honest answer; True means that the request has been dealt with.
Lie = Callable[["Handler"], bool | None]


class HostileRegistry(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.lie: Lie = lambda _handler: None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what many tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: HostileRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_one(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        if self.server.lie(self):
            return
        if "/blobs/uploads/" in self.path:
            self._upload()
            return
        match = _PATH.match(self.path)
        place = self.server.manifests if match and match["kind"] == "manifests" else self.server.blobs
        name = match["name"] if match else ""
        if self.command == "PUT":
            data = self.rfile.read(int(self.headers["Content-Length"]))
            place[name] = place[digest(data)] = data
            self.say(201)
        elif name not in place:
            self.say(404, json.dumps({"errors": [{"code": "UNKNOWN", "message": "not here"}]}).encode())
        else:
            self._give(place[name])

    def _give(self, data: bytes) -> None:
        headers = {"Docker-Content-Digest": digest(data)}
        found = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
        if found:
            begin = int(found[1])
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self.say(206, data[begin:], **headers)
        else:
            self.say(200, data, **headers)

    def _upload(self) -> None:
        uploads = self.server.uploads
        path, _, query = self.path.partition("?")
        name = path.rpartition("/")[2]
        if self.command == "POST":
            name = str(len(uploads) + 1)
            uploads[name] = b""
            self.say(202, Location=f"{path}{name}")
        elif self.command == "GET":
            self.say(204, Location=path, Range=f"0-{max(len(uploads[name]) - 1, 0)}")
        else:
            left = int(self.headers["Content-Length"])
            while left and (piece := self.rfile.read1(min(left, 65536))):
                uploads[name] += piece
                left -= len(piece)
                if self.server.lie(self):
                    return
            if self.command == "PATCH":
                self.say(202, Location=path, Range=f"0-{len(uploads[name]) - 1}")
                return
            expected = query.removeprefix("digest=").replace("%3A", ":")
            self.server.blobs[expected] = uploads.pop(name)
            assert digest(self.server.blobs[expected]) == expected
            self.say(201)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_one  # noqa: N815 - the names that http.server calls


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@contextmanager
def hostile_registry() -> Iterator[HostileRegistry]:
    with HostileRegistry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def weights(channel):
    """The largest file blob of toy 1.0.0."""
    target = channel.channel.targets().signed.targets["models/toy/1.0.0"]
    manifest = json.loads((channel.channel.blobs_dir / target.hashes["sha256"]).read_bytes())
    return max(manifest["layers"], key=lambda layer: layer["size"])["digest"]


def manifest_of(channel):
    return "sha256:" + channel.channel.targets().signed.targets["models/toy/1.0.0"].hashes["sha256"]


def answers(fragment, answer):
    """Lie to requests for a path that holds `fragment`."""

    def lie(handler):
        if fragment not in handler.path or handler.command == "HEAD":
            return None
        answer(handler)
        return True

    return lie
