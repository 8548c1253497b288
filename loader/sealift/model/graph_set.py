"""Several graphs in one version, such as encoder and decoder: an engine for each, and one that knows them by name."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from sealift.errors import Error, UsageError
from sealift.model import lifetime
from sealift.model.documents.description import FILE_NAME, ModelDescription
from sealift.model.documents.file_set import check_file_set, files_of_graph
from sealift.model.documents.kinds import require_part
from sealift.model.engine import Engine, side_files_of
from sealift.model.runtime.sealed import Content
from sealift.model.runtime.session import memory
from sealift_common.wording import nearest


class GraphSetEngine(Engine):
    """Engines by the names of their graphs; it answers nothing itself."""

    def __init__(
        self,
        description: ModelDescription,
        engines: Mapping[str, Engine],
        side_files: Mapping[str, bytes],
        digest: str,
    ) -> None:
        named = ", ".join(f"graph({name!r})" for name in engines)
        why = f"model {description.name!r} has several graphs: ask one of them, {named}"
        super().__init__(description, lifetime.Unusable(why), None, side_files, digest)
        self._engines = dict(engines)

    def graph(self, name: str) -> Engine:
        """Return as `Engine.graph`.

        Raises:
            UsageError: there is none of that name.
        """
        found = self._engines.get(name)
        if found is None:
            raise UsageError(
                f"model {self.name!r} has no graph {str(name)[:80]!r}; {nearest(str(name), self._engines)}"
            )
        return found

    @property
    def methods(self) -> tuple[str, ...]:
        """What it is asked with."""
        return tuple(f"graph({name!r})" for name in self._engines)

    def answer(self, method: str | tuple[str, ...], rows: Any) -> Any:
        """Refuse.

        Raises:
            UsageError: always; the message names the graphs.
        """
        return self.session.run(method, rows)

    def refusing(self, refusal: Error | str) -> Engine:
        """Return as `Engine.refusing`; the engines of its graphs refuse as well."""
        other = copy(self)
        other.session = lifetime.Unusable(refusal)
        other._engines = {name: engine.refusing(refusal) for name, engine in self._engines.items()}  # noqa: SLF001 - a copy
        return other


def engine_of_graphs(
    description: ModelDescription,
    files: Mapping[str, Content],
    *,
    digest: str,
    threads: int | None,
    providers: Sequence[str] | None,
    spinning: bool = True,
) -> GraphSetEngine:
    """Make the engines of all graphs; see `Engine.from_files`.

    Raises:
        MalformedError: a graph lacks a file, holds one that its description does not explain, or is of another model.
        sealift.Error: see `Model.from_files`.
    """
    check_file_set(description, files, description.name)
    engines = {}
    for name in description.graphs:
        own = {alone: files[here] for here, alone in files_of_graph(files, name).items()}
        require_part(description, name, ModelDescription.parse(bytes(memory(own[FILE_NAME]))))
        engines[name] = Engine.from_files(own, digest=digest, threads=threads, providers=providers, spinning=spinning)
    return GraphSetEngine(description, engines, side_files_of(files), digest)
