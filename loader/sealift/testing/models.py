"""A toy model as an application's test describes it, and the files of a model directory that follow from it."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import UsageError
from sealift.model.documents.description import (
    COLUMN_KINDS,
    FILE_NAME,
    FILES,
    GOLDEN_FILE,
    GRAPH_FILE,
    GRAPHS,
    LATEST_SCHEMA,
    METHOD_OF_ROLE,
    MISSING_TEXT,
    ModelDescription,
)
from sealift.model.documents.file_set import problem_of
from sealift.model.documents.kinds import is_graph_name
from sealift.model.runtime.compatibility import numbers
from sealift.model.weights.check import format_of
from sealift.testing.documents import golden_json, model_json, to_json
from sealift.testing.graph import Value, lookup_graph
from sealift.testing.own_graph import own_graph_files

# The class that is answered gets this probability; the others share the rest.
_SURE = 0.9
_LARGEST = sys.float_info.max
_FILLER: Mapping[str, Value] = {"str": "text", "float": 0.5, "int": 1, "bool": True}


@dataclass(frozen=True)
class ToyModel:
    """A model whose answers a test decides: it looks up one column.

    It is a real ONNX graph with real golden examples, and loads, refuses rows and answers as any other model does.

    Attributes:
        version: SemVer.
        columns: the columns that it takes, with their kind: `str`, `float`, `int` or `bool`.
        classes: the labels, all texts or all integers, in the order of `predict_proba`; None for a regression model.
        answers: values of the first column (or of `key`), and what `predict` answers for each: a class, or a number.
            Numbers are compared as float32.
        default: the answer for every other value; None means the first class, or 0.0.
        key: the column that is looked up; None means the first.
        texts: whether it takes a list of texts in place of a table; then there is one column, of texts.
        embedding: how many numbers `transform` gives for each row, instead of an answer of `predict`; `answers` and
            `default` are then sequences of so many, and there are no classes. None means that it predicts.
        side_files: files beside the graph, by name: `model.file(name)`.
        onnx: a graph of your own, instead of all but `version`: the model then has `run`, with the graph's tensors.
        examples: for `onnx`: named tensors to record as golden examples; they are answered by that graph itself.
    """

    version: str = "1.0.0"
    columns: Mapping[str, str] = field(default_factory=lambda: {"text": "str"})
    classes: Sequence[str] | Sequence[int] | None = ("no", "yes")
    answers: Mapping[Any, Any] = field(default_factory=dict)
    default: Any = None
    key: str | None = None
    texts: bool = False
    embedding: int | None = None
    side_files: Mapping[str, bytes] = field(default_factory=dict)
    onnx: bytes | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)

    def files(self, name: str) -> dict[str, bytes]:
        """Return the files of the model directory under `name`.

        Raises:
            UsageError: the parts do not fit each other; the message says which.
        """
        own = self._own_files(name)
        return {**own, **_checked_side_files(name, self.side_files)}

    def _own_files(self, name: str) -> dict[str, bytes]:
        if self.onnx is not None:
            return own_graph_files(name, self.version, self.onnx, self.examples)
        self._check(name)
        inputs = self._inputs()
        key = self.key or next(iter(self.columns))
        tensor = next(one for one in inputs if key in one["columns"])
        known, tables = list(self.answers), self._tables()
        graph = lookup_graph(
            [(one["name"], one["dtype"], len(one["columns"])) for one in inputs],
            (tensor["name"], tensor["columns"].index(key)),
            known,
            [(output, table) for output, (_role, table) in tables.items()],
        )
        unknown = self._unknown(key)
        # Both booleans may be known; the default then has no example.
        rows = known if unknown in known else [*known, unknown]
        request = {
            "rows" if self.texts else column: _column([*rows] if column == key else [_FILLER[kind]] * len(rows), kind)
            for column, kind in self.columns.items()
        }
        response = {METHOD_OF_ROLE[role]: table[: len(rows)] for role, table in tables.values()}
        return {
            GRAPH_FILE: graph,
            FILE_NAME: self._description(name, inputs, tables),
            GOLDEN_FILE: golden_json(request, response),
        }

    def _check(self, name: str) -> None:
        key = self.key or next(iter(self.columns), None)
        if key is None or key not in self.columns:
            raise UsageError(f"toy model {name!r} has the columns {list(self.columns)}; expected {key!r} among them")
        odd = next((kind for kind in self.columns.values() if kind not in COLUMN_KINDS), None)
        if odd is not None:
            raise UsageError(f"toy model {name!r} has a column of kind {odd!r}; expected one of {sorted(COLUMN_KINDS)}")
        if self.texts and list(self.columns.values()) != ["str"]:
            raise UsageError(f"toy model {name!r} takes texts, and has the columns {dict(self.columns)}; expected one")
        if self.embedding is None:
            self._check_answers(name)
        else:
            self._check_vectors(name)
        for value in self.answers:
            fits = isinstance(value, str) if self.columns[key] == "str" else _is_number(value) and not math.isnan(value)
            if not fits:
                raise UsageError(
                    f"toy model {name!r} looks up {value!r} in column {key!r} of kind {self.columns[key]!r}"
                )
        if self.columns[key] != "str" and len(set(np.array(list(self.answers), np.float32).tolist())) < len(
            self.answers
        ):
            raise UsageError(f"toy model {name!r} looks up numbers in column {key!r} that are equal as float32")

    def _check_answers(self, name: str) -> None:
        if self.classes is not None and (not self.classes or not (_all(self.classes, str) or _all(self.classes, int))):
            raise UsageError(f"toy model {name!r} has classes {self.classes!r}; expected texts, or integers")
        for answer in [*self.answers.values(), self._default()]:
            if answer not in self.classes if self.classes is not None else not _is_number(answer):
                expected = f"one of {list(self.classes)}" if self.classes is not None else "a number"
                raise UsageError(f"toy model {name!r} answers {answer!r}; expected {expected}")

    def _check_vectors(self, name: str) -> None:
        for vector in [*self.answers.values(), self._default()]:
            if np.ndim(vector) != 1 or len(vector) != self.embedding or not all(map(_is_number, vector)):
                raise UsageError(
                    f"toy model {name!r} answers {vector!r:.120}; expected a sequence of {self.embedding} numbers"
                )

    def _default(self) -> Any:
        if self.default is not None:
            return self.default
        if self.embedding is not None:
            return [0.0] * self.embedding
        return 0.0 if self.classes is None else self.classes[0]

    def _unknown(self, key: str) -> Value:
        """A value that the model does not know, for the golden example of its default."""
        kind = self.columns[key]
        if kind == "str":
            return next(text for text in chain(["other"], map("other {}".format, count())) if text not in self.answers)
        if kind == "bool":
            return next((value for value in (True, False) if value not in self.answers), True)
        return next(float(number) for number in count() if number not in self.answers)

    def _inputs(self) -> list[dict[str, Any]]:
        texts = [column for column, kind in self.columns.items() if kind == "str"]
        numbers = [column for column in self.columns if column not in texts]
        return [
            {"name": name, "dtype": dtype, "columns": columns}
            for name, dtype, columns in (("texts", "string", texts), ("numbers", "float64", numbers))
            if columns
        ]

    def _tables(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Each output's role, and its answers in the order of the known values; the default comes last."""
        chosen = [*self.answers.values(), self._default()]
        if self.embedding is not None:
            return {"embedding": ("transformed", np.array(chosen, dtype=np.float32))}
        if self.classes is None:
            return {"value": ("values", np.array(chosen, dtype=np.float64))}
        places = [list(self.classes).index(answer) for answer in chosen]
        labels = np.array(self.classes, dtype=object if isinstance(self.classes[0], str) else np.int64)[places]
        count = len(self.classes)
        table = np.full((len(chosen), count), 1.0 if count == 1 else (1 - _SURE) / (count - 1), dtype=np.float32)
        if count > 1:
            table[np.arange(len(chosen)), places] = _SURE
        return {"label": ("label", labels), "probabilities": ("probabilities", table)}

    def _description(self, name: str, inputs: list[dict[str, Any]], tables: Mapping[str, tuple[str, Any]]) -> bytes:
        def column(column: str) -> dict[str, Any]:
            kind = self.columns[column]
            return {"name": column, "kind": kind, "missing": MISSING_TEXT if kind == "str" else "nan"}

        document: dict[str, Any] = {
            "inputs": [
                {**one, "shape": ["rows", len(one["columns"])], "columns": [column(own) for own in one["columns"]]}
                for one in inputs
            ],
            "outputs": [
                {
                    "name": output,
                    "dtype": "string" if table.dtype.kind == "O" else table.dtype.name,
                    "shape": ["rows", *table.shape[1:]],
                    "role": role,
                    "returns": table.dtype.name,
                }
                for output, (role, table) in tables.items()
            ],
        }
        if self.embedding is not None:
            return model_json(name, self.version, "transformation", self._interface, document)
        if self.classes is not None:
            dtype = "object" if isinstance(self.classes[0], str) else "int64"
            document["classes"] = {"dtype": dtype, "values": list(self.classes)}
        task = "regression" if self.classes is None else "classification"
        return model_json(name, self.version, task, self._interface, document)

    @property
    def _interface(self) -> str:
        return "text" if self.texts else "columns"


@dataclass(frozen=True)
class ToyGraphs:
    """Several graphs in one version: `model.graph(name)` is one of them.

    Attributes:
        graphs: toy models by the names of their graphs; their versions and side files do not matter.
        version: SemVer.
        side_files: files beside the graphs, by name: `model.file(name)`.
    """

    graphs: Mapping[str, ToyModel]
    version: str = "1.0.0"
    side_files: Mapping[str, bytes] = field(default_factory=dict)

    def files(self, name: str) -> dict[str, bytes]:
        """Return the files of the version under `name`.

        Raises:
            UsageError: the parts do not fit each other; the message says which.
        """
        files: dict[str, bytes] = {}
        for graph, toy in self.graphs.items():
            if not is_graph_name(graph):
                raise UsageError(f"toy model {name!r} has a graph {graph!r}; expected [a-z0-9][a-z0-9_-]*")
            own = replace(toy, version=self.version, side_files={}).files(name)
            files |= {f"{graph}.{file}": data for file, data in own.items()}
        parts = [ModelDescription.parse(files[f"{graph}.{FILE_NAME}"]).requires for graph in self.graphs]
        opsets = {domain: max(one.opsets.get(domain, 0) for one in parts) for part in parts for domain in part.opsets}
        document = {
            "schema": LATEST_SCHEMA,
            "kind": GRAPHS,
            "name": name,
            "version": self.version,
            "graphs": sorted(self.graphs),
            "requires": {
                "onnxruntime": max((part.onnxruntime for part in parts), key=numbers, default=""),
                "ir_version": max((part.ir_version for part in parts), default=0),
                "opsets": opsets,
            },
        }
        return {**files, FILE_NAME: to_json(document), **_checked_side_files(name, self.side_files)}


@dataclass(frozen=True)
class ToyFiles:
    """Files that are carried and not run, as `sealift path` gives them to another program.

    Attributes:
        content: the files by name; what ends in `.safetensors` or `.gguf` has to have a right header.
        version: SemVer.
    """

    content: Mapping[str, bytes]
    version: str = "1.0.0"

    def files(self, name: str) -> dict[str, bytes]:
        """Return the files of the version under `name`.

        Raises:
            UsageError: a name is not one for such a file.
        """
        formats = {file: form for file in self.content if (form := format_of(file)) is not None}
        document = {"schema": LATEST_SCHEMA, "kind": FILES, "name": name, "version": self.version, "formats": formats}
        return {FILE_NAME: to_json(document), **_checked_side_files(name, self.content)}


def _checked_side_files(model: str, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    for name in files:
        if problem := problem_of(name):
            raise UsageError(f"toy model {model!r} has a file {name!r}, which {problem}")
    return files


def _is_number(answer: object) -> bool:
    return isinstance(answer, int | float) and not abs(answer) > _LARGEST  # NaN is one


def _all(values: Sequence[Any], kind: type) -> bool:
    return all(type(value) is kind for value in values)


def _column(values: list[Any], kind: str) -> NDArray[Any]:
    return np.array(values, dtype={"str": "object", "bool": "bool"}.get(kind, "float64"))
