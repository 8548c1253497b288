"""`sealift show`: everything that a model says of itself."""

from pathlib import Path
from typing import Any

import click

from sealift.cli.options import json_option, model_argument, store_options, version_option
from sealift_common.columns import table
from sealift_common.console import plain, print_json
from sealift_common.wording import human

_TAKES = {
    "text": "a list of texts",
    "columns": "a table with the columns below",
    "matrix": "rows of numbers, in the order of the columns below",
    "tensors": "named tensors, the inputs below",
}


@click.command("show")
@model_argument
@version_option
@store_options
@json_option
def command(name: str, version: str | None, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Show a model's inputs, outputs, proof of conversion, files and card; checks its files first."""
    from sealift.model.documents.description import ModelDescription
    from sealift.store import Store
    from sealift.store.contents import files

    store = Store(store_path, trust=trust_path)
    found = store.find(name, version)
    files.check_files(store.layout, found.manifest)
    contents = store.read(found, ["model.json", "CARD.md"])
    description = ModelDescription.parse(contents["model.json"])
    card = contents.get("CARD.md", b"").decode("utf-8", "replace")
    document = {
        "name": found.model.name,
        "version": str(found.model.version),
        "digest": found.manifest.digest,
        "path": str(store.layout.current / name),
        "directory": str(found.path),
        "size": found.manifest.size,
        "descriptor": dict(found.manifest.descriptor),
        "kind": description.kind,
        "formats": dict(description.formats),
        "graphs": list(description.graphs),
        "task": description.task,
        "methods": list(description.methods),
        "rung": description.rung,
        "inputs": [{"name": i.name, "dtype": i.dtype, "shape": list(i.shape)} for i in description.inputs],
        "columns": [column.name for column in description.columns],
        "column_kinds": {column.name: column.kind for column in description.columns},
        "may_be_missing": [column.name for column in description.columns if column.missing is not None],
        "interface": description.interface,
        "outputs": [
            {"name": o.name, "dtype": o.dtype, "shape": list(o.shape), "role": o.role} for o in description.outputs
        ],
        "classes": list(description.classes.values) if description.classes else None,
        "source": dict(description.source),
        "parity": dict(description.parity),
        "requires": {"onnxruntime": description.requires.onnxruntime},
        "files": [{"name": f.name, "size": f.plain.size, "digest": f.plain.digest} for f in found.manifest.files],
        "card": card,
    }
    if as_json:
        print_json(document)
        return
    _print(document)


def _print(document: dict[str, Any]) -> None:
    click.echo(plain(f"{document['name']} {document['version']}   {document['descriptor'].get('title', '')}".rstrip()))
    click.echo(f"digest   {document['digest']}")
    click.echo(f"path     {document['path']}")
    if document["kind"] == "files":
        click.echo("kind     files, carried and not run; proven are their bytes and where they come from, no answers")
        _print_files(document)
        return
    if document["kind"] == "graphs":
        click.echo(f"graphs   {', '.join(document['graphs'])}; each answers run, and is proven, by itself")
        _print_files(document)
        return
    click.echo(f"task     {document['task']}; answers {', '.join([*document['methods'], 'run'])}")
    click.echo(f"takes    {_TAKES.get(document['interface'], document['interface'])}")
    if document["classes"] is not None:
        click.echo(plain(f"classes  {', '.join(map(str, document['classes']))}"))
    click.echo(plain(f"licenses {', '.join(document['descriptor'].get('licenses', [])) or 'not stated'}"))
    click.echo(plain(f"proof    {document['rung']}: {_short(document['parity'])}"))
    click.echo()
    tensors = [
        [kind, t["name"], t["dtype"], " x ".join(map(str, t["shape"])), t.get("role", "")]
        for kind in ("inputs", "outputs")
        for t in document[kind]
    ]
    click.echo(table([[kind[:-1], *rest] for kind, *rest in tensors], ["", "tensor", "dtype", "shape", "role"]))
    click.echo()
    if document["columns"] and document["interface"] != "text":
        missing = set(document["may_be_missing"])
        columns = [[name, kind, "yes" if name in missing else "no"] for name, kind in document["column_kinds"].items()]
        click.echo(table(columns, ["column", "kind", "may be missing"]))
        click.echo()
    rows = [[f["name"], human(f["size"]), f["digest"][:19]] for f in document["files"]]
    click.echo(table(rows, ["file", "size", "digest"]))
    _print_card(document)


def _print_files(document: dict[str, Any]) -> None:
    click.echo(plain(f"licenses {', '.join(document['descriptor'].get('licenses', [])) or 'not stated'}"))
    click.echo()
    rows = [
        [f["name"], document["formats"].get(f["name"], ""), human(f["size"]), f["digest"][:19]]
        for f in document["files"]
    ]
    click.echo(table(rows, ["file", "format", "size", "digest"]))
    _print_card(document)


def _print_card(document: dict[str, Any]) -> None:
    if document["card"]:
        click.echo()
        for line in document["card"].rstrip().split("\n"):
            click.echo(plain(line.replace("\t", "    ")))


def _short(parity: dict[str, Any]) -> str:
    rows, wrong, ties = (parity.get(key, "?") for key in ("rows", "labels_wrong", "ties"))
    return (
        f"{rows} rows compared with {parity.get('reference', 'the original')}: {wrong} labels wrong, {ties} exact ties"
    )
