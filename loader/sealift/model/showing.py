"""A model for people who look at it: one line for a prompt, a small table for a notebook, a schema for an editor."""

from html import escape
from typing import Any

from sealift.errors import UsageError
from sealift.model.documents.description import Column, ModelDescription
from sealift.model.engine import RUN, Engine

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_LISTED = 5
_CELL_CHARS = 40
_JSON_TYPE = {"bool": "boolean", "float": "number", "int": "integer", "str": "string"}


def text_of(engine: Engine) -> str:
    """Return the line that `repr` gives: methods, columns, classes; the first few of each."""
    methods = ", ".join(engine.methods) or RUN
    parts = [f"<sealift.Model {engine.name} {engine.description.version} ({methods})"]
    if engine.description.interface == "columns":
        parts.append(f"columns {_few([column.name for column in engine.description.columns])}")
    if engine.description.classes is not None:
        parts.append(f"classes {_few(engine.description.classes.values)}")
    return "; ".join(parts) + ">"


def html_of(engine: Engine) -> str:
    """Return a table for a notebook; every text of the model is escaped."""
    description = engine.description
    rows = [("answers", ", ".join((*engine.methods, RUN))), ("digest", engine.digest)]
    rows += [("takes", _of_interface(description))]
    rows += [(f"column {_cell(column.name)}", _described(column)) for column in _shown_columns(description)]
    if description.classes is not None:
        rows.append(("classes", _few(description.classes.values)))
    head = f"<caption>{escape(description.name)} {escape(description.version)}</caption>"
    lines = [
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in rows
        if value
    ]
    return f"<table>{head}{''.join(lines)}</table>"


def schema_of(description: ModelDescription) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one row, as `predict` takes it in a list of dicts, or of one text.

    Raises:
        UsageError: the model takes a matrix or named tensors, of which a row has no names.
    """
    title = f"{description.name} {description.version}"
    if description.interface == "text":
        return {"$schema": JSON_SCHEMA, "title": title, **_typed(description.columns[0])}
    if description.interface != "columns":
        raise UsageError(
            f"model {description.name!r} takes {_of_interface(description)}; only rows with names have a schema"
        )
    return {
        "$schema": JSON_SCHEMA,
        "title": title,
        "type": "object",
        "properties": {column.name: _typed(column) for column in description.columns},
        "required": [column.name for column in description.columns],
    }


def example_of(engine: Engine) -> Any:
    """Return the first row of the golden examples, as the model takes one; see `Model.example`.

    Raises:
        UsageError: there are none.
        MalformedError: they are not of their form.
    """
    from sealift.model.documents.golden import parse

    if not engine.golden:
        raise UsageError(f"model {engine.name!r} has no golden examples here; ask one of its graphs, if it has several")
    inputs = parse(engine.golden, engine.description)[0].inputs
    if engine.description.interface == "tensors":
        return dict(inputs)
    if engine.description.interface == "columns":
        return {name: values[:1].tolist()[0] for name, values in inputs.items()}
    return next(iter(inputs.values()))[:1].tolist()[0]


def _typed(column: Column) -> dict[str, Any]:
    kind = _JSON_TYPE[column.kind]
    if column.categories is not None:
        return {"enum": [*column.categories, *([None] if column.missing else [])]}
    return {"type": [kind, "null"] if column.missing else kind}


def _described(column: Column) -> str:
    missing = ", may be missing" if column.missing else ""
    if column.categories is not None:
        return f"one of {_few(column.categories)}{missing}"
    return f"{column.kind}{missing}"


def _shown_columns(description: ModelDescription) -> tuple[Column, ...]:
    return description.columns if description.interface == "columns" else ()


def _of_interface(description: ModelDescription) -> str:
    if description.interface == "matrix":
        return f"a matrix of {sum(len(tensor.columns) for tensor in description.inputs)} columns"
    if description.interface == "text":
        return "a list of texts"
    if description.interface == "tensors":
        return "named tensors: " + _few([tensor.name for tensor in description.inputs])
    return f"rows with {len(description.columns)} named columns"


def _few(values: "tuple[Any, ...] | list[Any]") -> str:
    more = f", … {len(values):,} in all" if len(values) > _LISTED else ""
    return ", ".join(_cell(value) for value in values[:_LISTED]) + more


def _cell(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _CELL_CHARS else text[: _CELL_CHARS - 1] + "…"
