"""The files of a model version: one rule for their names, for recipes, `add`, `pack`, `verify` and `install` alike.

A version has Sealift's own files (a graph, its weights, documents of fixed names), of which none may be missing and
none may stand where `model.json` does not explain it, and side files: any plain name that is not kept for the former.
Pure.
"""

import re
from collections.abc import Collection

from sealift.errors import MalformedError
from sealift.model.documents.description import (
    FILE_NAME,
    FILES,
    FRONTEND_FILE,
    GOLDEN_FILE,
    GRAPH_FILE,
    GRAPHS,
    ModelDescription,
)
from sealift_common.oci.layout import is_file_name, of_graph, own_name

SIGNATURE_FILE = "model.sig"
_WEIGHTS = r"(?:([a-z0-9][a-z0-9_-]*)\.)?model\.onnx\.data(?:\.([1-9][0-9]*))?"
# Kept in any case of letters, and behind the name of a graph: what Sealift reads, or may come to read.
_KEPT = r"(?:[a-z0-9_-]+\.)?(?:model\.onnx(?:\..*)?|(?:model|golden|frontend)\.json)"
# Told apart by these, most names need no pattern, whose compilation takes longer than all the names of a model.
_ALONE = frozenset([FILE_NAME, GRAPH_FILE, GOLDEN_FILE, FRONTEND_FILE])
_KEPT_ENDS = (FILE_NAME, GOLDEN_FILE, FRONTEND_FILE)
_SHARD = f"{GRAPH_FILE}.data"


def is_kept(name: str) -> bool:
    """Return whether a name is kept for Sealift's own files, `model.sig` aside."""
    folded = name.casefold()
    if folded in _ALONE:
        return True
    if GRAPH_FILE not in folded and not folded.endswith(_KEPT_ENDS):
        return False
    return re.fullmatch(_KEPT, folded, re.ASCII) is not None


def shard(name: str) -> "re.Match[str] | None":
    """Match the name of a shard of weights: its graph, or None, and its number, or None for the first."""
    return re.fullmatch(_WEIGHTS, name, re.ASCII) if _SHARD in name else None


def is_side_file(name: str) -> bool:
    """Return whether a file of this name is there for applications: the rest is read by Sealift itself."""
    return not is_kept(name) and name != SIGNATURE_FILE


def problem_of(name: str) -> str | None:
    """Say why a side file cannot have this name; None where it can."""
    if not is_file_name(name):
        return (
            "is not a plain name; expected one like 'tokenizer.json': letters, digits, '.', '_', '-' and '+', "
            "no folder, no point first or last, no device of Windows"
        )
    if is_kept(name) or name.casefold() == SIGNATURE_FILE:
        return "is a name that Sealift keeps for its own files; give the file another one"
    return None


def is_graph_file(name: str) -> bool:
    """Return whether ONNX Runtime reads this file: a graph, or a shard of weights."""
    return own_name(name).startswith(GRAPH_FILE)


def files_of_graph(names: Collection[str], graph: str) -> dict[str, str]:
    """Return the files of one of several graphs: the name that it has alone, by the name that it has here.

    Shards keep theirs, for the graph names them so.
    """
    found = {name: own for name in names if (own := of_graph(name)) is not None and own[0] == graph}
    return {name: name if shard(name) else own[1] for name, own in found.items()}


def check_file_set(description: ModelDescription, names: Collection[str], what: str) -> None:
    """Check that a version holds what its `model.json` needs, and none of Sealift's own files beside.

    Args:
        description: The parsed `model.json`.
        names: The names of all files of the version.
        what: The model, for error messages.

    Raises:
        MalformedError: a file is missing, a shard of the weights is missing, or a name is not one for a side file.
    """
    if description.kind == FILES:
        _check_files(description, names, what)
    elif description.kind == GRAPHS:
        _check_graphs(description, names, what)
    else:
        optional = {FRONTEND_FILE} if description.uses_frontend else set()
        _check_side_files(_rest(names, "", {GRAPH_FILE, FILE_NAME, GOLDEN_FILE} | optional, what), what)


def _rest(names: Collection[str], prefix: str, required: Collection[str], what: str) -> set[str]:
    """Check the files of one graph; return the other names."""
    missing = sorted(set(required) - set(names))
    if missing:
        raise MalformedError(f"model {what!r} lacks {missing[0]!r}; expected {sorted(required)}")
    matches = [match for match in map(shard, names) if match and (match[1] or "") == prefix]
    numbers = sorted(int(match[2] or 0) for match in matches)
    if numbers != list(range(len(numbers))):
        raise MalformedError(f"model {what!r} lacks a shard of its weights; it has {sorted(m[0] for m in matches)}")
    return set(names) - set(required) - {match[0] for match in matches}


def _check_graphs(description: ModelDescription, names: Collection[str], what: str) -> None:
    if FILE_NAME not in names:
        raise MalformedError(f"model {what!r} lacks {FILE_NAME!r}")
    rest = set(names) - {FILE_NAME}
    for graph in description.graphs:
        rest = _rest(rest, graph, {f"{graph}.{name}" for name in (GRAPH_FILE, FILE_NAME, GOLDEN_FILE)}, what)
        # Whether it needs one is for its own description to say.
        rest -= {f"{graph}.{FRONTEND_FILE}"}
    _check_side_files(rest, what)


def _check_files(description: ModelDescription, names: Collection[str], what: str) -> None:
    if FILE_NAME not in names:
        raise MalformedError(f"model {what!r} lacks {FILE_NAME!r}")
    missing = sorted(set(description.formats) - set(names))
    if missing:
        raise MalformedError(f"model {what!r} lacks {missing[0][:120]!r}, which model.json names")
    _check_side_files(set(names) - {FILE_NAME}, what)


def _check_side_files(names: Collection[str], what: str) -> None:
    for name in sorted(set(names) - {SIGNATURE_FILE}):
        if is_kept(name):
            raise MalformedError(f"model {what!r} holds {name[:120]!r}, which model.json does not explain")
        if problem := problem_of(name):
            raise MalformedError(f"model {what!r} holds {name[:120]!r}, which {problem}")
