"""Which route a path is; pure.

GET  /v2                                      the server
GET  /v2/health/live, /v2/health/ready
GET  /v2/repository/index                     (POST as well, as Triton's clients do)
GET  /v2/models/M[~G][/versions/V]            metadata
GET  /v2/models/M[~G][/versions/V]/ready
POST /v2/models/M[~G][/versions/V]/infer
GET  /metrics

G is one of several graphs. M~G is one segment, as every client and proxy takes a model's name to be; no name of a model
holds a tilde, and no client writes one in another way.
"""

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from sealift.serving.refusals import RefusedError

_FIXED = {
    "/v2": "server",
    "/v2/health/live": "live",
    "/v2/health/ready": "ready",
    "/v2/repository/index": "index",
    "/metrics": "metrics",
}
GRAPH_MARK = "~"
_METHODS = {"infer": ("POST",), "index": ("GET", "POST")}


class Route(NamedTuple):
    """What is asked, and of which model.

    Attributes:
        action: server, live, ready, index, metrics, metadata or infer.
        model: its name; "" where none is asked.
        graph: one of several graphs, or None.
        version: one version, or None.
    """

    action: str
    model: str = ""
    graph: str | None = None
    version: str | None = None

    @property
    def name(self) -> str:
        """The model's name as the protocol has it: that of a graph stands behind its model's."""
        return self.model if self.graph is None else f"{self.model}{GRAPH_MARK}{self.graph}"


# Clients ask for the same few paths again and again.
@lru_cache(maxsize=256)
def route_of(method: str, path: str) -> Route:
    """Find the route.

    Raises:
        RefusedError: there is none, or not for this method.
    """
    route = _route(path.rstrip("/"))
    if route is None:
        raise RefusedError(HTTPStatus.NOT_FOUND, "unknown-route", f"no route {path[:120]!r}; see GET /v2")
    allowed = _METHODS.get(route.action, ("GET",))
    if method not in allowed:
        raise RefusedError(
            HTTPStatus.METHOD_NOT_ALLOWED, "method", f"{path[:120]!r} takes {' or '.join(allowed)}, not {method[:20]}"
        )
    return route


def _route(path: str) -> Route | None:
    if path in _FIXED:
        return Route(_FIXED[path])
    if not path.startswith("/v2/models/"):
        return None
    name, *rest = path.removeprefix("/v2/models/").split("/")
    model, mark, of_several = name.partition(GRAPH_MARK)
    graph = of_several if mark else None
    version = None
    if rest[:1] == ["versions"] and len(rest) > 1:
        version, rest = rest[1], rest[2:]
    action = {(): "metadata", ("ready",): "ready", ("infer",): "infer"}.get(tuple(rest))
    return None if action is None or not model else Route(action, model, graph, version)
