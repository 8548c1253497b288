"""Versions that are no single model: what their `model.json` says, in the form in which everything else is described.

Schema `sealift.model/3`, with a `kind`. Reading is as strict as for a model.
"""

import re

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.documents.description import (
    FILE_NAME,
    FILES,
    GRAPHS,
    MODEL,
    ModelDescription,
    Requirements,
    Tolerance,
    requirements,
)
from sealift.model.documents.fields import Fields
from sealift_common.parsing.strict_json import first_twice

# What a header can be checked of; anything else is carried as it is.
FORMATS = ("gguf", "safetensors")
# In front of the names of its files, so without a point.
_GRAPH = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
# Nothing runs, so no runtime is needed.
_NOTHING_NEEDED = Requirements("0.0", 0, {})


def is_graph_name(name: str) -> bool:
    """Return whether `name` may name one of several graphs: `[a-z0-9][a-z0-9_-]*`, at most 64 characters."""
    return _GRAPH.fullmatch(name) is not None


def description_of_kind(top: Fields) -> ModelDescription:
    """Read the rest of a `model.json` that names a kind.

    Raises:
        MalformedError, LimitError: it is not as the schema demands.
    """
    kind = top.text("kind", allowed=(FILES, GRAPHS))
    name, version = top.text("name"), top.text("version")
    if kind == FILES:
        description = _empty(name, version, kind, _NOTHING_NEEDED)._replace(formats=_formats(top.object("formats")))
    else:
        needed = requirements(top.object("requires"))
        description = _empty(name, version, kind, needed)._replace(graphs=_graphs(top))
    top.close()
    return description


def require_part(whole: ModelDescription, name: str, own: ModelDescription) -> None:
    """Check that what one of several graphs says of itself fits the version that it is a part of.

    Raises:
        MalformedError: it is no model, or of another name or version.
    """
    where = f"'{name}.{FILE_NAME}' of {whole.name!r}"
    if own.kind != MODEL:
        raise MalformedError(f"{where} is of the kind {own.kind!r}; expected a model")
    if (own.name, own.version) != (whole.name, whole.version):
        raise MalformedError(
            f"{where} describes {own.name!r} {own.version!r}; expected {whole.name!r} {whole.version!r}"
        )


def _empty(name: str, version: str, kind: str, requires: Requirements) -> ModelDescription:
    return ModelDescription(
        name=name,
        version=version,
        task=kind,
        interface=kind,
        inputs=(),
        outputs=(),
        classes=None,
        requires=requires,
        tolerance=Tolerance(0.0, 0.0),
        rung="",
        source={},
        conversion={},
        parity={},
        kind=kind,
    )


def _graphs(top: Fields) -> tuple[str, ...]:
    names = top.texts("graphs")
    if len(names) > LIMITS.graphs_per_model:
        raise LimitError(f"model.json names {len(names):,} graphs; expected at most {LIMITS.graphs_per_model}")
    if not names:
        raise top.refuse("names no graph; expected at least one")
    twice = first_twice(names)
    if twice is not None:
        raise top.refuse(f"names the graph {twice[:80]!r} twice")
    wrong = next((name for name in names if not is_graph_name(name)), None)
    if wrong is not None:
        raise top.refuse(f"has a graph of the name {wrong[:80]!r}; expected [a-z0-9][a-z0-9_-]*")
    if list(names) != sorted(names):
        raise top.refuse("names its graphs in another order than that of their names")
    return names


def _formats(fields: Fields) -> dict[str, str]:
    names = fields.keys()
    if len(names) > LIMITS.files_per_model:
        raise LimitError(f"model.json names {len(names):,} files; expected at most {LIMITS.files_per_model:,}")
    found = {name: fields.text(name, allowed=FORMATS) for name in names}
    fields.close()
    return found
