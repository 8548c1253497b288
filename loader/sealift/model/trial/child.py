"""The child process of `selftest_process`: questions and answers are lines of JSON.

    {"requires": {…}}      -> {"problems": […]}
    {"allow": DIRECTORY}   -> {"memory_bytes": N}, which the model there may allocate from now on
    {"replay": DIRECTORY}  -> {"rows": N}
    {"compare": DIRECTORY, "into": FILE}  -> {"outputs": N}, with the answers in FILE
    any of them            -> {"error": TEXT, "code": WORD}

Arguments: the parent's process id, the bytes that a model may allocate on top of copies of its weights, and the bytes
that this process may have in any case.
"""

import json
import mmap
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift.errors import Error, SelfTestError
from sealift.model.documents.description import GOLDEN_FILE, GRAPH_FILE
from sealift.model.documents.file_set import shard
from sealift.model.runtime import compatibility
from sealift_common.oci.layout import own_name
from sealift_common.parent import die_with

if TYPE_CHECKING:
    from sealift.model.model import Model


def main(argv: list[str]) -> int:
    """Answer until the parent closes the pipe."""
    parent, memory_bytes, *most = (int(argument) for argument in argv)
    _contain(parent)
    most_bytes = min([*most, *_inherited_limit()], default=resource.RLIM_INFINITY)
    _allow(memory_bytes, most_bytes)
    for line in sys.stdin:
        answer = _answer(json.loads(line), memory_bytes, most_bytes)
        print(json.dumps(answer), flush=True)  # noqa: T201 - this is the answer
    return 0


def _contain(parent: int) -> None:
    """Die with the parent, and before anything else on this machine when memory runs out."""
    die_with(parent)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _inherited_limit() -> list[int]:
    """The limit of the process that started us, which only root may raise."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    return [] if hard == resource.RLIM_INFINITY else [hard]


def _allow(memory_bytes: int, most_bytes: int) -> int:
    """Bound private memory: mapped weights and libraries are shared, and do not count."""
    allowed = memory_bytes if most_bytes == resource.RLIM_INFINITY else min(memory_bytes, most_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, most_bytes))
    return allowed


def _copied_bytes(directory: Path) -> int:
    """Return what loading the model in `directory` copies of its weights.

    Of a graph with its numbers inside there are for a moment ours, the parser's and the kernels'.
    """
    from sealift.model.runtime.session import copies_shards

    sizes = {path.name: path.stat().st_size for path in directory.iterdir()}
    shards = sum(size for name, size in sizes.items() if shard(name))
    graphs = sum(size for name, size in sizes.items() if own_name(name) == GRAPH_FILE)
    return 3 * graphs + (shards if copies_shards() else 0)


def _answer(question: Mapping[str, Any], memory_bytes: int, most_bytes: int) -> dict[str, Any]:
    try:
        if "requires" in question:
            return {"problems": compatibility.problems(question["requires"])}
        if "allow" in question:
            copied = _copied_bytes(Path(question["allow"]))
            return {"memory_bytes": _allow(memory_bytes + copied, most_bytes)}
        if "compare" in question:
            return {"outputs": _compare(Path(question["compare"]), Path(question["into"]))}
        return {"rows": _replay(Path(question["replay"]))}
    except (Error, OSError) as error:
        return _refusal(str(error), getattr(error, "code", SelfTestError.code))
    except MemoryError:
        return _refusal("MemoryError", SelfTestError.code)


def _refusal(message: str, code: str) -> dict[str, Any]:
    return {"error": " ".join(message.split()), "code": code}


def _replay(directory: Path) -> int:
    from sealift.model.trial.replay import replay

    return sum(replay(model, golden) for _, model, golden in _graphs(directory))


def _compare(directory: Path, into: Path) -> int:
    from sealift.model.trial import comparison

    found = [one for graph, model, golden in _graphs(directory) for one in comparison.compare(model, golden, graph)]
    comparison.write(into, found[: comparison.MOST_OUTPUTS])
    return len(found)


def _graphs(directory: Path) -> Iterator[tuple[str, "Model", bytes]]:
    """Load what lies in `directory`: one model under "", or each of several graphs, with its golden examples."""
    from sealift.model.engine import Engine
    from sealift.model.model import LoadedModel

    files = {path.name: _content(path) for path in directory.iterdir() if path.is_file()}
    # Of a thousand small models, each has threads for some milliseconds, which would spin for most of them.
    engine = Engine.from_files(files, digest="", threads=None, providers=None, spinning=False)
    model = LoadedModel(engine)
    graphs = model.description.graphs
    if not graphs:
        yield "", model, bytes(files.get(GOLDEN_FILE, b""))
    for graph in graphs:
        yield graph, model.graph(graph), bytes(files.get(f"{graph}.{GOLDEN_FILE}", b""))


def _content(path: Path) -> bytes | memoryview:
    if shard(path.name) is None or path.stat().st_size == 0:
        return path.read_bytes()
    # Nobody else can write where this lies, and a second copy of large weights would count as ours.
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
