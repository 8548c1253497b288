"""Requests that nobody would send on purpose: good ones with bytes flipped, dropped, doubled and spliced, on the wire."""

import json
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CHUNKS = [b"", b"null", b"-1", b"1e999", b"[]", b"{}", b'""', b"9" * 20, b"\xff" * 8, b"\0" * 8, b"\r\n", b"\r\n\r\n"]


def good() -> list[bytes]:
    """Good requests, whole: JSON, binary and those without a body."""
    rows = {"name": "rows", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
    bodies = [json.dumps(one).encode() for one in ({"inputs": [rows]}, {"id": "1", "inputs": [rows], "outputs": []})]
    requests = [_request(body, len(body)) for body in bodies]
    head = {"inputs": [{**rows, "parameters": {"binary_data_size": 10}}], "parameters": {"binary_data_output": True}}
    del head["inputs"][0]["data"]
    written = json.dumps(head).encode()
    body = written + b"\1\0\0\0a\1\0\0\0b"
    requests.append(_request(body, len(body), f"Inference-Header-Content-Length: {len(written)}\r\n"))
    requests += [f"GET {route} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for route in ("/v2", "/v2/models/toy", "/metrics")]
    return requests


def _request(body: bytes, length: int, more: str = "") -> bytes:
    head = f"POST /v2/models/toy/infer HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {length}\r\n\r\n"
    return head.encode() + body


def mutated(count: int, seed: int) -> Iterator[bytes]:
    """Yield requests with some damage each; in half of them only the body is damaged, and its length is right."""
    rng, seeds = random.Random(seed), good()
    for number in range(count):
        request = rng.choice(seeds)
        head, split, body = request.partition(b"\r\n\r\n")
        if number % 2 and body:
            lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
            body = _damaged(body, rng)
            yield b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + split + body
        else:
            yield _damaged(request, rng)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place, length = rng.randrange(len(made) or 1), rng.choice([1, 1, 4, 40])
        chunk = bytes(made[place : place + length])
        made[place : place + length] = rng.choice([*_CHUNKS, chunk * 2, rng.randbytes(length), chunk[::-1]])
    return bytes(made)


def statuses(path: Path, requests: Iterator[bytes]) -> dict[int, int]:
    """Send each over a connection of its own; count the statuses that come back, 0 where nothing does."""
    found: dict[int, int] = {}
    for request in requests:
        with socket.socket(socket.AF_UNIX) as own:
            own.settimeout(30)
            own.connect(str(path))
            answer = b""
            with suppress(BrokenPipeError, ConnectionResetError):
                own.sendall(request)
                own.shutdown(socket.SHUT_WR)
                while data := own.recv(65536):
                    answer += data
            lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
            for line in lines or [b"HTTP/1.1 0"]:
                status = int(line.split()[1])
                found[status] = found.get(status, 0) + 1
    return found
