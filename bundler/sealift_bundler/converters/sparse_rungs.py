"""The first rungs for text: float64, unless its tables are large and float32 answers as well."""

from collections.abc import Callable, Iterable

from sealift_bundler.converters import Candidate, NeedsLaterRung, Rung

# Of a graph. A table of float64 for each of a million columns and 8 classes has as much.
_LARGE_BYTES = 64 << 20


def sparse_rungs(build: Callable[..., Candidate]) -> Iterable[Rung]:
    """Yield the rungs on which text goes to the graph without zeros.

    Args:
        build: makes a candidate of a `dtype`.
    """
    large: list[Candidate] = []

    def small() -> Candidate:
        candidate = build(dtype="float64")
        if len(candidate.graph) <= _LARGE_BYTES:
            return candidate
        large.append(candidate)
        raise NeedsLaterRung(f"its tables have {len(candidate.graph) >> 20:,} MiB in float64; float32 is tried first")

    yield Rung("frontend-sparse-float64", small)
    if large:
        yield Rung("frontend-sparse-float32", lambda: build(dtype="float32"), narrow=True)
        yield Rung("frontend-sparse-float64", lambda: large[0])
