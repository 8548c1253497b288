"""`sealift bench`: how fast a model answers here, compared with what was recorded when it was built."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sealift.cli.options import chosen_graph, graph_option, json_option, model_argument, store_options, version_option
from sealift_common.columns import table
from sealift_common.console import plain, print_json


@click.command("bench")
@model_argument
@version_option
@graph_option
@click.option("--rows", type=click.IntRange(1, 1_000_000), default=1024, show_default=True, help="Rows per batch.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.01, 3600),
    default=2.0,
    show_default=True,
    help="How long to measure: half for single rows, half for batches.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="Threads of one prediction [default: as ONNX Runtime chooses].",
)
@store_options
@json_option
def command(
    name: str,
    version: str | None,
    graph: str | None,
    rows: int,
    seconds: float,
    threads: int | None,
    store_path: Path,
    trust_path: Path,
    as_json: bool,
) -> None:
    """Time a model on this machine, with the rows of its golden examples.

    The latency is that of a call of `predict` with one row in a running process; loading is not in it. The build
    machine's figures are shown next to them where the release engineer recorded them. Loading is verified as always.
    """
    from sealift.model.documents.description import GOLDEN_FILE
    from sealift.model.trial.benchmark import benchmark
    from sealift.store import Store

    store = Store(store_path, trust=trust_path)
    installed = store.find(name, version)
    model = chosen_graph(store.load(name, str(installed.model.version), threads=threads), graph)
    file = GOLDEN_FILE if graph is None else f"{graph}.{GOLDEN_FILE}"
    golden = store.read(installed, [file])[file]
    measured = benchmark(model, golden, batch_rows=rows, seconds=seconds).document()
    recorded = _recorded(model.description.conversion.get("benchmark"))
    if as_json:
        head = {"model": model.name, "version": model.version, "digest": model.digest, "threads": threads}
        print_json({**head, **({} if graph is None else {"graph": graph}), "here": measured, "recorded": recorded})
        return
    asked = "" if graph is None else f", graph {graph!r}"
    click.echo(f"{plain(model.name)} {plain(model.version)}{asked}, {measured['calls']:,} calls with one row")
    click.echo(table(_rows(measured, recorded), ["", "here", *(["at build"] if recorded else [])]))
    if recorded is None:
        click.echo("nothing was recorded at build; `sealift-bundler add --benchmark` does")


def _recorded(value: Any) -> Mapping[str, Any] | None:
    """Return the recorded figures of `model.json`, or None where they do not have that form."""
    if not isinstance(value, Mapping):
        return None
    latency, machine = value.get("latency_us"), value.get("machine")
    rates = (value.get("rows_per_second"), value.get("batch_rows"))
    if not (isinstance(latency, Mapping) and isinstance(machine, Mapping) and all(type(one) is int for one in rates)):
        return None
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in latency.values())
    return value if numbers else None


def _rows(measured: Mapping[str, Any], recorded: Mapping[str, Any] | None) -> list[list[Any]]:
    columns = [measured] if recorded is None else [measured, recorded]
    rows = [[f"one row, {name}", *(_micro(one["latency_us"].get(name)) for one in columns)] for name in _percentiles()]
    rows.append(["rows per second", *(f"{one['rows_per_second']:,}" for one in columns)])
    rows.append(["in batches of", *(f"{one['batch_rows']:,}" for one in columns)])
    rows.extend([what, *(one["machine"].get(what, "") for one in columns)] for what in ("cpu", "cores", "onnxruntime"))
    return rows


def _percentiles() -> tuple[str, ...]:
    from sealift.model.trial.benchmark import PERCENTILES

    return PERCENTILES


def _micro(value: Any) -> str:
    return "" if value is None else f"{value:,.1f} µs"
