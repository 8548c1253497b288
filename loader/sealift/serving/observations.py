"""What the server counts, in the Prometheus text format. Labels are names of served models, never a client's words."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sealift import __version__
from sealift.errors import Error
from sealift.serving.answering.catalog import Catalog
from sealift.serving.refusals import RefusedError
from sealift.status.metrics import Metric

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Held(NamedTuple):
    """What the server holds now.

    Attributes:
        waiting: requests that wait for a run.
        connections: that are open.
        request_bytes: of requests, in memory.
        answer_bytes: of answers that clients have not taken.
    """

    waiting: int
    connections: int
    request_bytes: int
    answer_bytes: int


class Observations:
    """Counts since the server started."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._runs = 0
        self._run_requests = 0

    def request(self, model: str, status: int, code: str, seconds: float) -> None:
        """Count one request.

        Args:
            model: its name; "" where it asked none that is served.
            status: of HTTP.
            code: the word of its refusal; "" where it was answered.
            seconds: from its head to its answer.
        """
        self._requests[model, status, code] += 1
        buckets = self._buckets.get(model)
        if buckets is None:
            buckets = self._buckets[model] = [0] * (len(_BUCKETS_S) + 1)
        place = next((place for place, most in enumerate(_BUCKETS_S) if seconds <= most), len(_BUCKETS_S))
        buckets[place] += 1
        self._seconds[model] = self._seconds.get(model, 0.0) + seconds

    def run(self, requests: int) -> None:
        """Count one run of a graph, and the requests that it answered."""
        self._runs += 1
        self._run_requests += requests

    def render(self, catalog: Catalog, held: Held) -> str:
        """Return the text of `GET /metrics`."""
        gauges = [
            ("serve_build_info", "Version of Sealift.", (({"version": __version__}, 1.0),)),
            ("serve_waiting_requests", "Requests that wait for a run of their model.", (({}, held.waiting),)),
            ("serve_connections", "Open connections.", (({}, held.connections),)),
            ("serve_request_bytes", "Bytes of requests in memory.", (({}, held.request_bytes),)),
            ("serve_answer_bytes", "Bytes of answers that clients have not taken.", (({}, held.answer_bytes),)),
            ("serve_store_up", "Whether the store could be read when it last changed.", (({}, not catalog.error),)),
            ("serve_model_up", "Whether a model answers; `code` says why it does not.", tuple(_up(catalog))),
            ("serve_model_info", "What answers now.", tuple(_info(catalog))),
            (
                "serve_model_stuck",
                "Whether the version that the store wants cannot be loaded, and the old one answers.",
                tuple(
                    ({"model": one.name, "wanted": one.version or ""}, float(one.stuck is not None)) for one in catalog
                ),
            ),
        ]
        requests = tuple(
            ({"model": model, "status": str(status), "code": code}, float(count))
            for (model, status, code), count in sorted(self._requests.items())
        )
        counters = [
            ("serve_requests_total", "Requests, by model, status and the word of a refusal.", requests),
            ("serve_runs_total", "Runs of graphs.", (({}, self._runs),)),
            ("serve_run_requests_total", "Requests that those runs answered.", (({}, self._run_requests),)),
        ]
        metrics = [Metric(name, says, samples) for name, says, samples in gauges]
        metrics += [Metric(name, says, samples, "counter") for name, says, samples in counters]
        return "".join(metric.text() for metric in metrics) + "".join(self._histogram())

    def _histogram(self) -> Iterator[str]:
        name = "sealift_serve_request_seconds"
        if not self._buckets:
            return
        yield f"# HELP {name} Seconds from the head of a request to its answer.\n# TYPE {name} histogram\n"
        for model, buckets in sorted(self._buckets.items()):
            total = 0
            for most, count in zip((*map(str, _BUCKETS_S), "+Inf"), buckets, strict=True):
                total += count
                yield f'{name}_bucket{{model="{model}",le="{most}"}} {total}\n'
            yield f'{name}_sum{{model="{model}"}} {self._seconds[model]!r}\n'
            yield f'{name}_count{{model="{model}"}} {total}\n'


def _up(catalog: Catalog) -> Iterable[tuple[dict[str, str], float]]:
    for one in catalog:
        code = one.error.code if one.error is not None else ""
        yield {"model": one.name, "wanted": one.version or "", "code": code}, float(not code)


def _info(catalog: Catalog) -> Iterable[tuple[dict[str, str], float]]:
    for one in catalog:
        try:
            now = one.now()
        except (Error, RefusedError):
            continue
        yield {"model": one.name, "wanted": one.version or "", "version": now.version, "digest": now.digest}, 1.0
