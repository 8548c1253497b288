"""Parsers of models: descriptions, golden examples, graphs, tokenizers, pickles, and rows for them."""

import contextlib
import io
import json
import pickle
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from support.hostile.tokenizer_files import small as small_tokenizer
from support.release.channel_simulator import toy_files

from sealift.errors import Error
from sealift.model.documents import golden
from sealift.model.documents.description import ModelDescription
from sealift.model.frontend import document as frontend
from sealift.model.frontend.tokenizer.check import check_tokenizer
from sealift.model.runtime.external_data import external_tensors
from sealift.model.runtime.header import read_header
from sealift.rows.source import Source
from sealift.testing import ToyModel
from sealift_bundler.source.pickles import open_pickle

if sys.version_info >= (3, 14):
    pass
else:
    pass


FRONTEND = json.dumps(
    {
        "schema": frontend.SCHEMA,
        "counters": [
            {
                "analyzer": "word",
                "lowercase": True,
                "ngram_range": [1, 2],
                "token_pattern": r"(?u)\b\w\w+\b",
                "vocabulary": ["a", "b"],
                "binary": False,
                "stop_words": ["the"],
            }
        ],
    }
).encode()

SPARSE_FRONTEND = json.dumps(
    {
        "schema": frontend.KINDS_SCHEMA,
        "frontends": [
            json.loads(FRONTEND)["counters"][0]
            | {"kind": "counter", "layout": "sparse", "term_values": 2, "row_values": 3}
        ],
    }
).encode()

TOKENIZER_FRONTEND = json.dumps(
    {
        "schema": frontend.KINDS_SCHEMA,
        "frontends": [
            {
                "kind": "tokenizer",
                "file": "tokenizer.json",
                "digest": "sha256:" + "0" * 64,
                "max_tokens": 16,
                "embedding_rows": 4,
                "prefix": True,
                "inputs": {"ids": "input_ids"},
            }
        ],
    }
).encode()

# A tensor whose values are in `model.onnx.data`, in a graph of nothing else.
EXTERNAL = b"\x08\x08:\x1f*\x1dj\x1b\n\x08location\x12\x0fmodel.onnx.dataB\x04\n\0\x10\x12"

KINDS = ("columns", "tensors")


@cache
def _descriptions() -> tuple[ModelDescription, ...]:
    """The toy, as if it took a matrix, columns and named tensors."""
    document = json.loads(toy_files()["model.json"])
    matrix = ModelDescription.parse(toy_files()["model.json"])
    return (matrix, *(ModelDescription.parse(json.dumps(document | {"interface": kind}).encode()) for kind in KINDS))


def golden_of_model(data: bytes) -> None:
    """Golden examples against each kind of model."""
    for description in _descriptions():
        with contextlib.suppress(Error):
            golden.parse(data, description)
    golden.parse(data)


def model_json(data: bytes) -> None:
    ModelDescription.parse(data)


def golden_json(data: bytes) -> None:
    golden.parse(data)


def tokenizer_json(data: bytes) -> None:
    check_tokenizer(data, "tokenizer.json")


def frontend_json(data: bytes) -> None:
    frontend.parse(data)


def rows_of_every_format(data: bytes) -> None:
    """Read rows as a matrix model and as a text model take them, in small batches."""
    for description, kinds in ((rows_model("matrix"), ("csv", "json", "jsonl")), (rows_model("text"), ("csv", "txt"))):
        for kind in kinds:
            with tempfile.NamedTemporaryFile() as file:
                file.write(data)
                file.flush()
                # What was read before the refusal does not matter here.
                with contextlib.suppress(Error), Source(Path(file.name), kind).batches(description, 3) as batches:
                    assert all(batch.count for batch in batches)


@cache
def rows_model(interface: str) -> ModelDescription:
    described = ModelDescription.parse(ToyModel().files("toy")["model.json"])
    return described._replace(interface=interface)


def graph(data: bytes) -> None:
    read_header(data)
    external_tensors(data, {"model.onnx.data": 4096, "model.onnx.data.1": 64})


@cache
def good_graph() -> bytes:
    """A graph with external tensors in every place that the walk looks at."""
    from onnx import TensorProto, helper

    def tensor(name: str, location: str) -> TensorProto:
        made = TensorProto(name=name, data_type=1, dims=[2, 2], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location), ("offset", "16"), ("length", "16")):
            made.external_data.add(key=key, value=value)
        return made

    inner = helper.make_graph([], "inner", [], [], [tensor("i", "model.onnx.data")])
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=inner, value=tensor("t", "model.onnx.data"))]
    function = helper.make_function("own", "F", [], ["x"], nodes, [helper.make_opsetid("", 18)])
    initializers = [tensor("a", "model.onnx.data"), tensor("b", "model.onnx.data.1")]
    made = helper.make_model(helper.make_graph(nodes, "g", [], [], initializers), functions=[function])
    return bytes(made.SerializeToString())


def pickles(data: bytes) -> None:
    """Open a pickle as the child does; its bytes are a model's, and may call nothing."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "m.pkl"
        path.write_bytes(data)
        open_pickle(path)


@cache
def _estimator() -> Any:
    rows = [[0.0, 1.0], [1.0, 0.5], [2.0, 0.0]]
    return make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2)).fit(rows, ["a", "b", "a"])


def _joblib(value: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


# Each target, and good inputs for it, from which a fuzzer departs.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "model_json": (model_json, lambda: [toy_files()["model.json"]]),
    "golden_json": (golden_json, lambda: [toy_files()["golden.json"]]),
    "golden_of_model": (golden_of_model, lambda: [toy_files()["golden.json"]]),
    "frontend_json": (
        frontend_json,
        lambda: [b'{"schema":"sealift.frontend/1"}', FRONTEND, SPARSE_FRONTEND, TOKENIZER_FRONTEND],
    ),
    "tokenizer_json": (tokenizer_json, lambda: [small_tokenizer()]),
    "rows_of_every_format": (
        rows_of_every_format,
        lambda: [b'text\n"a\nb"\n\xef\xbb\xbfc\r\n', b"[[1,2],[3,4.5]]", b"[1,2]\n\n[3,null]\n", b"x,y\n1,\n"],
    ),
    "graph": (graph, lambda: [toy_files()["model.onnx"], EXTERNAL, good_graph()]),
    "pickles": (
        pickles,
        lambda: [pickle.dumps(_estimator(), protocol) for protocol in (0, 2, 4)] + [_joblib(_estimator())],
    ),
}
