"""`sealift predict`: ask a model from the shell, with rows of any number."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sealift.cli.answers.answer_writer import FORMATS, AnswerWriter
from sealift.cli.options import chosen_graph, graph_option, model_argument, store_options, version_option

_INPUT_FORMATS = ("csv", "json", "jsonl", "parquet", "txt")


@click.command("predict")
@model_argument
@click.option(
    "--input",
    "source",
    required=True,
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
    help="Rows: .csv, .json, .jsonl, .parquet or .txt; - is standard input.",
)
@click.option(
    "--input-format",
    type=click.Choice(_INPUT_FORMATS),
    default=None,
    help="Format of the rows [default: by suffix; without one: txt for text, json for tensors, else csv].",
)
@version_option
@graph_option
@click.option("--proba", is_flag=True, help="Print probabilities as well as the labels.")
@click.option(
    "--output",
    "output",
    default=None,
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    help="Write the answers to this file, which is replaced at the end [default: -, standard output].",
)
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="tsv", show_default=True, help="Format of the answers."
)
@click.option(
    "--batch-rows",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    help="Rows read and answered at a time; memory does not grow with more rows than that.",
)
@store_options
@click.option("--json", "as_json", is_flag=True, help="Same as --format json; an error is a JSON document, too.")
def command(
    name: str,
    source: Path,
    input_format: str | None,
    version: str | None,
    graph: str | None,
    proba: bool,
    output: Path | None,
    kind: str,
    batch_rows: int,
    store_path: Path,
    trust_path: Path,
    as_json: bool,
) -> None:
    """Answer the rows of a file, one line per row, as they are read.

    CSV, JSON lines, text and Parquet may be of any size; a .json document is read whole, up to 256 MiB. Rows are
    counted from 0. When a row is wrong, the answers of all rows before it are written, and the exit status is 41;
    --format json then writes no answers, because half a JSON document is not valid.
    """
    from sealift.cli.progress import rows_bar
    from sealift.rows.answering import answer_batches
    from sealift.rows.source import Source
    from sealift.store import Store
    from sealift_common.files.output import require_place

    if output == Path("-"):
        output = None
    if output is not None:
        require_place(output, device=True)
    rows = Source(source, input_format)
    size = rows.size
    model = chosen_graph(Store(store_path, trust=trust_path).load(name, version), graph)
    methods = _methods(model, proba)
    rows.format_for(model.description)
    shown = output is not None or not sys.stdout.isatty()
    with (
        rows_bar(size, shown=shown) as progress,
        rows.batches(model.description, batch_rows, read=progress) as batches,
        _writing(output, source, whole=as_json or kind == "json") as write,
    ):
        writer = AnswerWriter(write, model, "json" if as_json else kind, methods, graph)
        for answers in answer_batches(model, batches, methods):
            writer.take(answers)
        writer.end()


def _methods(model: Any, proba: bool) -> list[str]:
    from sealift.model.batches import require_method

    methods = model.description.methods
    first = ["predict" if "predict" in methods else methods[0]] if methods else []
    if proba:
        require_method(model.description, "predict_proba")
        first.append("predict_proba")
    return first


@contextmanager
def _writing(output: Path | None, source: Path, *, whole: bool) -> Iterator[Callable[[str], object]]:
    """Give a function that writes text: every batch to standard output as it comes, or a file that appears at the end.

    After a wrong row, the answers of the rows before it are kept, unless only a whole document counts.
    """
    from sealift.errors import InputError, UsageError
    from sealift_common.files.output import writing

    if output is None:
        yield _print
        return
    if output.exists() and source.exists() and os.path.samefile(output, source):
        raise UsageError(f"--output {str(output)!r} is the input; writing would destroy the rows: give another file")
    refused = None
    with writing(output) as file:
        try:
            yield lambda text: file.write(text.encode("utf-8"))
        except InputError as error:
            if whole:
                raise
            refused = error
    if refused is not None:
        raise refused


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
