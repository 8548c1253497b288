"""The routes: an ASGI application that reads a request, asks a model, and writes its answer.

Small requests are parsed on the event loop, large ones in one thread, one after the other: parsed, a body takes some
ten times its size.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

from sealift import __version__
from sealift.errors import Error, NotInstalledError, UsageError
from sealift.limits import LIMITS
from sealift.logs import logger
from sealift.model.model import Model
from sealift.serving.answering.batcher import Batcher
from sealift.serving.answering.catalog import Catalog
from sealift.serving.answering.question import question_of
from sealift.serving.answering.served import ServedModel
from sealift.serving.bodies import Bodies, DisconnectedError, Receive
from sealift.serving.listening.clients import Clients
from sealift.serving.observations import Held, Observations
from sealift.serving.protocol.infer_request import parse_request
from sealift.serving.protocol.infer_response import Answer, to_json, write_answer
from sealift.serving.protocol.metadata import metadata
from sealift.serving.refusals import NOT_LOADED, RETRY_AFTER_S, RefusedError, refused
from sealift.serving.routes import GRAPH_MARK, Route, route_of

Scope = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[None]]
T = TypeVar("T")

_JSON = b"application/json"
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
_BINARY = b"application/octet-stream"
_JSON_BYTES = b"inference-header-content-length"
_ONCE = frozenset([_JSON_BYTES, b"content-length", b"content-encoding", b"transfer-encoding"])
# What takes longer than some milliseconds to parse or to write.
_LARGE_BYTES = 64 * 1024
_LARGE_VALUES = 10_000
# How often a request that came while the server starts looks for its model.
_LOOK_AGAIN_S = 0.02
_LOG = logger(__name__)


class Reply(NamedTuple):
    """What goes back; `json_bytes` as in `Answer`."""

    status: HTTPStatus
    kind: bytes
    body: bytes
    json_bytes: int | None = None
    close: bool = False


class Application:
    """Answers the Open Inference Protocol.

    Args:
        catalog: what is served.
        deadline_s: how long a request may wait and run.
        clients: who asks.
    """

    def __init__(self, catalog: Catalog, deadline_s: float, clients: Clients) -> None:
        self._catalog = catalog
        self._deadline_s = deadline_s
        self._clients = clients
        self._observations = Observations()
        self._bodies = Bodies()
        # Bytes of answers that wait for a client to take those before them.
        self._behind_bytes = 0
        self._batchers: dict[ServedModel, Batcher] = {}
        self._runs = ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1), "sealift-serve-run")
        self._large = ThreadPoolExecutor(1, "sealift-serve-large")

    def tick(self) -> None:
        """Refuse what waits too long; the server calls this some times a second."""
        for batcher in self._batchers.values():
            batcher.expire()
        served = set(self._catalog)
        for gone in [one for one, batcher in self._batchers.items() if one not in served and not batcher.waiting]:
            del self._batchers[gone]

    def close(self) -> None:
        """End the threads, once every answer is out."""
        for executor in (self._runs, self._large):
            executor.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        model, code = "", ""
        try:
            route = route_of(scope["method"], scope["path"])
            if route.model and route.model in self._catalog.names():
                model = route.model
            reply = await self._reply(route, scope, receive)
        except DisconnectedError:
            return
        except (RefusedError, Error) as error:
            refusal = refused(error)
            reply, code = _refusal(refusal), refusal.code
        except Exception:  # noqa: BLE001 - told to the log
            _LOG.exception("a request failed")
            reply = _refusal(RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "an error of the server's own"))
            code = "internal"
        self._observations.request(model, int(reply.status), code, time.perf_counter() - started)
        size = len(reply.body)
        if size > _LARGE_BYTES:
            self._clients.make_room(self._behind_bytes + size)
        self._behind_bytes += size
        try:
            await _send(reply, send)
        finally:
            self._behind_bytes -= size

    async def _reply(self, route: Route, scope: Scope, receive: Receive) -> Reply:
        if route.action == "infer":
            return await self._infer(route, _head(scope["headers"]), receive)
        if route.action == "metrics":
            waiting = sum(batcher.waiting for batcher in self._batchers.values())
            held = Held(waiting, self._clients.connections, self._bodies.held_bytes, self._clients.unread_bytes)
            text = self._observations.render(self._catalog, held)
            return Reply(HTTPStatus.OK, _TEXT, text.encode())
        if route.action == "ready" and not route.model:
            ready = self._catalog.problem is None
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            return Reply(status, _JSON, to_json({"ready": ready}))
        if route.action == "metadata":
            _, model = await self._loaded(route)
            return Reply(HTTPStatus.OK, _JSON, to_json(metadata(route.name, model.description, model.digest)))
        return Reply(HTTPStatus.OK, _JSON, to_json(self._document(route)))

    def _document(self, route: Route) -> object:
        if route.action == "server":
            return {"name": "sealift", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}
        if route.action == "live":
            return {"live": True}
        if route.action == "index":
            return [state for one in self._catalog for state in _states(one)]
        self._model(route)
        return {"name": route.name, "ready": True}

    def _model(self, route: Route) -> tuple[ServedModel, Model]:
        served = self._catalog.find(route.model, route.version)
        model = served.now()
        if route.graph is None:
            return served, model
        try:
            return served, model.graph(route.graph)
        except UsageError as error:
            raise RefusedError(HTTPStatus.NOT_FOUND, NotInstalledError.code, str(error)) from None

    async def _loaded(self, route: Route) -> tuple[ServedModel, Model]:
        """Find the model; a request that comes while the server starts, as the first one of systemd does, waits."""
        ends = time.monotonic() + min(LIMITS.serve_starting_s, self._deadline_s)
        while True:
            try:
                return self._model(route)
            except RefusedError as refusal:
                if refusal.code != NOT_LOADED or self._catalog.is_complete or time.monotonic() >= ends:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _infer(self, route: Route, headers: Mapping[bytes, bytes], receive: Receive) -> Reply:
        if b"content-encoding" in headers or headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise UsageError("the body has a Content-Encoding or Transfer-Encoding; send it as it is, or chunked")
        json_bytes = _number(headers, _JSON_BYTES)
        body = await self._bodies.read(receive, _number(headers, b"content-length"))
        try:
            # After the body: a model may have been switched, or withdrawn, while it came.
            served, model = await self._loaded(route)
            request = await self._maybe_large(len(body) > _LARGE_BYTES, parse_request, body, json_bytes)
            question = question_of(model.description, request)
            batcher = self._batchers.get(served)
            if batcher is None:
                batcher = self._batchers[served] = Batcher(self._runs, self._observations.run)
            # Those that wait for their clients have nothing to be joined with.
            alone = self._clients.requests - self._bodies.awaited <= 1
            answers = await batcher.ask(model, question, len(body), self._deadline_s, alone=alone)
            large = sum(values.size for values in answers.values()) > _LARGE_VALUES
            answer: Answer = await self._maybe_large(large, write_answer, request, route.name, model.version, answers)
        finally:
            self._bodies.release(len(body))
        kind = _JSON if answer.json_bytes is None else _BINARY
        return Reply(HTTPStatus.OK, kind, answer.body, answer.json_bytes)

    async def _maybe_large(self, large: bool, work: Callable[..., T], *arguments: Any) -> T:
        if not large:
            return work(*arguments)
        executor: Executor = self._large
        return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)


def _states(served: ServedModel) -> Iterator[dict[str, str]]:
    """Yield what the index says of a model, and of each of its graphs, which has a name of its own there."""
    error = served.error
    graphs: tuple[str, ...] = ()
    try:
        now = served.now()
        version, graphs = served.version or now.version, now.description.graphs
    except (Error, RefusedError) as raised:
        version, error = served.version or "", raised
    state = "UNAVAILABLE" if error is not None else "READY"
    for name in (served.name, *(f"{served.name}{GRAPH_MARK}{graph}" for graph in graphs)):
        yield {"name": name, "version": version, "state": state, "reason": str(error or "")}


def _head(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers by name; one that says how a body is to be read stands once."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and name in _ONCE:
            raise UsageError(f"the header {name.decode()} stands twice")
        found[name] = value
    return found


def _number(headers: Mapping[bytes, bytes], name: bytes) -> int | None:
    value = headers.get(name)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 18:
        raise UsageError(f"the header {name.decode()} is {value[:40]!r}; expected a number of bytes")
    return int(value)


def _refusal(error: RefusedError) -> Reply:
    body = json.dumps({"error": str(error), "code": error.code}).encode()
    return Reply(error.status, _JSON, body, close=error.close)


async def _send(reply: Reply, send: Send) -> None:
    headers = [(b"content-type", reply.kind), (b"content-length", b"%d" % len(reply.body))]
    if reply.json_bytes is not None:
        headers.append((_JSON_BYTES, b"%d" % reply.json_bytes))
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    if reply.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(reply.status), "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
