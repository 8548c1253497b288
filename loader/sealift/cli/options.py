"""Options that several subcommands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from sealift.store.contents.layout import DEFAULT_STORE, DEFAULT_TRUST
from sealift_common.console import typed
from sealift_common.names import is_model_name

if TYPE_CHECKING:
    from sealift.model import Model

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?(?:([kMGT])(i?))?B?", re.ASCII)
# Libraries, threads and a small graph.
_LEAST_MEMORY_BYTES = 500_000_000

store_option = click.option(
    "--store",
    "store_path",
    envvar="SEALIFT_STORE",
    default=DEFAULT_STORE,
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path, readable=False),
    help="Directory of the store.",
)
trust_option = click.option(
    "--trust",
    "trust_path",
    envvar="SEALIFT_TRUST",
    default=DEFAULT_TRUST,
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path, readable=False),
    help="Directory of the pinned root.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
tmpdir_option = click.option(
    "--tmpdir",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=None,
    help="Directory for temporary files [default: inside the store].",
)
bundle_argument = click.argument(
    "bundle", metavar="FILE...|ADDRESS", type=click.Path(readable=False), nargs=-1, required=True
)


def parse_size(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read a number of bytes, with a unit or without: `700MB`, `4GB`, `1.5GiB`."""
    if value is None:
        return None
    found = _SIZE.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not understood; expected for example 700MB, 4GB or 1.5GiB", ctx, param)
    from decimal import Decimal

    number, unit, binary = found.groups()
    return int(Decimal(number) * (1024 if binary else 1000) ** " kMGT".index(unit or " "))


def _memory(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    size = parse_size(ctx, param, value)
    if size is not None and size < _LEAST_MEMORY_BYTES:
        raise click.BadParameter(f"{value!r} is too little for ONNX Runtime itself; expected 500MB or more", ctx, param)
    return size


self_test_memory_option = click.option(
    "--self-test-memory",
    "self_test_memory_bytes",
    callback=_memory,
    default=None,
    metavar="SIZE",
    help="What a model may allocate in its self-test on top of its weights [default: 4GiB, or most of what is free].",
)


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--store` and `--trust`."""
    return store_option(trust_option(command))


def access_options_of(server: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds `--ca-file` and `--plain-http`.

    Args:
        server: to what they apply, as the help says it.
    """
    ca_file = click.option(
        "--ca-file",
        type=click.Path(path_type=Path, readable=False),
        envvar="SEALIFT_CA_FILE",
        show_envvar=True,
        default=None,
        help=f"For {server}: certificates (PEM) to trust in addition to the system's.",
    )
    plain_http = click.option(
        "--plain-http", is_flag=True, help=f"For {server}: allow plain http, also for remote hosts."
    )
    return lambda command: ca_file(plain_http(command))


access_options = access_options_of("a registry")


def complete_models(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the names of active models."""
    from sealift.errors import Error
    from sealift.store import Store

    try:
        names = Store(ctx.params.get("store_path") or None).active().models
    except (Error, OSError):
        return []
    return [name for name in sorted(names) if name.startswith(incomplete)]


def complete_generations(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the numbers of generations, newest first, each with what it holds."""
    from sealift.errors import Error
    from sealift.store import Store
    from sealift.store.contents import generations

    layout = Store(ctx.params.get("store_path") or None).layout
    found = []
    try:
        for number in reversed(generations.numbers(layout)):
            if str(number).startswith(incomplete):
                models = generations.read(layout, number).models.values()
                found.append(CompletionItem(str(number), help=", ".join(map(str, models))))
    except (Error, OSError):
        return found
    return found


def require_reason(option: str, reason: str | None) -> None:
    """Check a reason that goes into the history.

    Raises:
        UsageError: it is empty, or more than one line of text.
    """
    from sealift.errors import UsageError

    if reason is not None and not (reason.strip() and reason.isprintable()):
        raise UsageError(f"{option} needs a reason of one line of text; it goes into the history")


def complete_versions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the installed versions of the model that was named before, newest first."""
    from sealift.errors import Error
    from sealift.store import Store

    name = typed(ctx, "name")
    try:
        models = Store(ctx.params.get("store_path") or None).installed_versions(name) if is_model_name(name) else []
    except (Error, OSError):
        return []
    versions = [str(model.version) for model in sorted(models, reverse=True)]
    return [version for version in versions if version.startswith(incomplete)]


model_argument = click.argument("name", shell_complete=complete_models)
version_option = click.option(
    "--version",
    "version",
    default=None,
    shell_complete=complete_versions,
    help="A version or range; default: the active one.",
)


def complete_graphs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the graphs of the model, and of the version, that were named before."""
    from sealift.errors import Error
    from sealift.store import Store
    from sealift_common.oci.layout import of_graph

    store = Store(ctx.params.get("store_path") or None, trust=ctx.params.get("trust_path") or None)
    try:
        files = store.find(typed(ctx, "name"), ctx.params.get("version")).manifest.files
    except (Error, OSError):
        return []
    graphs = {own[0] for file in files if (own := of_graph(file.name)) is not None}
    return sorted(graph for graph in graphs if graph and graph.startswith(incomplete))


graph_option = click.option(
    "--graph",
    "graph",
    default=None,
    metavar="NAME",
    shell_complete=complete_graphs,
    help="The graph to ask, where the version has several.",
)


def chosen_graph(model: "Model", graph: str | None) -> "Model":
    """Return the graph of this name, or the model itself, where it has one alone.

    Raises:
        UsageError: the model has several graphs, and none was named, or none has this name; or it has one alone.
    """
    from sealift.errors import UsageError

    graphs = model.description.graphs
    if graph is None and not graphs:
        return model
    if graph is None:
        raise UsageError(
            f"{model.name} {model.version} has several graphs; add --graph with one of: {', '.join(graphs)}"
        )
    if not graphs:
        raise UsageError(f"{model.name} {model.version} has one graph alone; leave out --graph")
    return model.graph(graph)
