"""`sealift predict`: ask a model from the shell."""

import json
from pathlib import Path
from typing import Any

import click

from sealift.cli.options import json_option, model_argument, store_options


@click.command("predict")
@model_argument
@click.option(
    "--input",
    "source",
    required=True,
    type=click.Path(path_type=Path, readable=False),
    help="Rows: .csv, .json, .jsonl or .txt.",
)
@click.option("--version", "version", default=None, help="A version or range; default: the active one.")
@click.option("--proba", is_flag=True, help="Print probabilities beside the labels.")
@store_options
@json_option
def command(
    name: str, source: Path, version: str | None, proba: bool, store_path: Path, trust_path: Path, as_json: bool
) -> None:
    """Answer the rows of a file: one line per row, or one JSON document."""
    from sealift.model.rows import read_rows
    from sealift.store import Store

    model = Store(store_path, trust=trust_path).load(name, version)
    rows = read_rows(source, model.description)
    answers = _answers(model, rows, proba)
    if as_json:
        # No indentation: answers may be many.
        click.echo(json.dumps({"model": model.name, "version": model.version, "digest": model.digest, **answers}))
        return
    names = list(answers)
    if len(names) > 1:
        click.echo("\t".join(names))
    for row in zip(*answers.values(), strict=True):
        click.echo("\t".join(_cell(value) for value in row))


def _answers(model: Any, rows: Any, proba: bool) -> dict[str, list[Any]]:
    methods = model.description.methods
    if not methods:
        return {output: array.tolist() for output, array in model.run(rows).items()}
    first = "predict" if "predict" in methods else methods[0]
    answers = {first: getattr(model, first)(rows).tolist()}
    if proba:
        answers["predict_proba"] = model.predict_proba(rows).tolist()
    return answers


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
