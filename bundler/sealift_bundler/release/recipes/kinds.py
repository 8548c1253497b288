"""What a recipe of each kind says: one model, several graphs that belong together, or files. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealift.limits import LIMITS
from sealift.model.documents.description import FILES, GRAPH_FILE, GRAPHS, MODEL
from sealift.model.documents.kinds import is_graph_name
from sealift_common.oci.layout import is_file_name

KINDS = (MODEL, GRAPHS, FILES)
REQUIRED_OF = {
    MODEL: ("name", "version", "source", "samples"),
    GRAPHS: ("name", "version", "graphs", "samples"),
    FILES: ("name", "version", "files"),
}
_NOT_OF = {
    MODEL: ("graphs",),
    GRAPHS: ("source", "holdout", "frontend"),
    FILES: (
        "source",
        "samples",
        "graphs",
        "frontend",
        "golden",
        "holdout",
        "import",
        "trust_globals",
        "parity",
        "convert",
    ),
}
_WHY_NOT = {
    MODEL: "it has one source",
    GRAPHS: "each graph has a source and samples of its own, under [graphs] and [samples]",
    FILES: "nothing is converted",
}


@dataclass(frozen=True)
class GraphRecipe:
    """One of several graphs: its source, its samples and whose rows travel, as of a whole recipe."""

    source: Path
    samples: Path
    golden: str | Path | None = None


def problem_of_kind(document: Mapping[str, Any], kind: str) -> tuple[str, str] | None:
    """Return the key that does not go with the kind of a recipe, and why; None where all do."""
    if kind not in KINDS:
        return "kind", f"'kind' is {kind!r}; expected one of {', '.join(map(repr, KINDS))}"
    wrong = next((key for key in _NOT_OF[kind] if key in document), None)
    return None if wrong is None else (wrong, f"{wrong!r} does not go with the kind {kind!r}: {_WHY_NOT[kind]}")


def problem_of_graphs(sources: Mapping[str, Any], samples: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the name of a graph that is wrong, and why; None where all are right. Paths are not looked at."""
    if not 0 < len(sources) <= LIMITS.graphs_per_model:
        return "graphs", f"[graphs] names {len(sources)}; expected 1 to {LIMITS.graphs_per_model} graphs"
    for name, source in sources.items():
        if not is_graph_name(name):
            return name, f"graph {name[:80]!r} is not a name; expected [a-z0-9][a-z0-9_-]*, at most 64 characters"
        if not is_file_name(f"{name}.{GRAPH_FILE}"):
            return (
                name,
                f"graph {name!r} is a device of Windows, where its files could not be opened; name it otherwise",
            )
        if name not in samples:
            return name, f"graph {name!r} has no samples; add samples.{name} = …"
        for value in (source, samples[name]):
            if not isinstance(value, str) or not value:
                return name, f"{name!r} is {value!r:.80}; expected a path"
    return None
