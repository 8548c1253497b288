"""Files of a model that disclose something invented."""

import json
from typing import Any

import onnx
from onnx import TensorProto, helper

from sealift_bundler.disclosure import (
    Finding,
)

MAIL = "maria.kowalska@invented.example"


TOKEN = "glpat-" + "Inv3nted" + "N0tR3al" + "T0ken7Xy"


Told = list[tuple[str, str, int, str]]


def told(findings: tuple[Finding, ...]) -> Told:
    return [(one.kind, one.file, one.count, one.place) for one in findings]


def frontend(terms: list[str], analyzer: str = "word", *, counters: int = 1, **more: Any) -> dict[str, bytes]:
    counter = {"analyzer": analyzer, "vocabulary": terms, "stop_words": None, **more}
    return {
        "frontend.json": json.dumps(
            {"counters": [{"analyzer": "word", "vocabulary": []}] * (counters - 1) + [counter]}
        ).encode()
    }


def golden(**columns: list[Any]) -> dict[str, bytes]:
    inputs = [{"name": name, "shape": [len(data)], "data": data} for name, data in columns.items()]
    answer = {"name": "predict", "shape": [2], "data": ["bug", MAIL]}
    return {
        "golden.json": json.dumps(
            {"examples": [{"request": {"inputs": inputs}, "response": {"outputs": [answer]}}]}
        ).encode()
    }


def described(columns: list[dict[str, Any]], **more: Any) -> dict[str, bytes]:
    tensor = {"name": "strings", "columns": columns}
    return {"model.json": json.dumps({"inputs": [tensor], **more}).encode()}


def graph(nodes: list[onnx.NodeProto], *constants: onnx.TensorProto, **texts: str) -> dict[str, bytes]:
    value = [helper.make_tensor_value_info(name, TensorProto.STRING, ["rows", 2]) for name in ("strings", "y")]
    made = helper.make_model(helper.make_graph(nodes, "made", value[:1], value[1:], list(constants)))
    for key, text in texts.items():
        setattr(made, key, text)
    return {"model.onnx": made.SerializeToString()}
