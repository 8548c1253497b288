"""A model.json that is signed and still wrong: refused by its form, with the store unchanged."""

import json

import pytest
from support.hostile.documents import model_json

from sealift.errors import (
    LimitError,
    MalformedError,
    UnsupportedVersionError,
)
from sealift.limits import LIMITS


def test_a_large_model_json(refuse):
    refuse(LimitError, "'model.json'", files={"model.json": model_json() + b" " * LIMITS.json_size_bytes})


def test_a_large_golden_json(refuse):
    refuse(LimitError, "'golden.json'", files={"golden.json": b" " * (LIMITS.golden_size_bytes + 1)})


def _set(*path):
    """Change one place of a document; the last argument is the value, `_set(..., KeyError)` removes it."""
    *keys, value = path

    def change(document):
        place = document
        for key in keys[:-1]:
            place = place[key]
        if value is KeyError:
            del place[keys[-1]]
        else:
            place[keys[-1]] = value

    return change


DESCRIPTIONS = {
    "an unknown schema": _set("schema", "sealift.model/3"),
    "an older schema": _set("schema", "sealift.model/0"),
    "a schema that is a number": _set("schema", 1),
    "another name": _set("name", "other"),
    "another version": _set("version", "1.0.1"),
    "a name with a path": _set("name", "../toy"),
    "no inputs": _set("inputs", []),
    "no outputs": _set("outputs", []),
    "inputs as an object": _set("inputs", {}),
    "an input twice": lambda d: d["inputs"].append(d["inputs"][0]),
    "an output twice": lambda d: d["outputs"].append(d["outputs"][0]),
    "a negative dimension": _set("inputs", 0, "shape", ["rows", -4]),
    "a dimension of zero": _set("outputs", 0, "shape", [0]),
    "a boolean dimension": _set("outputs", 0, "shape", [True]),
    "a dimension that is a float": _set("outputs", 0, "shape", [1.0]),
    "a dimension of 2^31": _set("outputs", 0, "shape", [2**31]),
    "a dimension of 2^63": _set("outputs", 0, "shape", [2**63]),
    "a dimension of 4,000 digits": _set("outputs", 0, "shape", [10**4000]),
    "a dimension without a name": _set("outputs", 0, "shape", [""]),
    "a dimension that is null": _set("outputs", 0, "shape", [None]),
    "a dimension that is a list": _set("outputs", 0, "shape", [[4]]),
    "a thousand dimensions": _set("outputs", 0, "shape", ["n"] * 1000),
    "a scalar input": _set("inputs", 0, "shape", []),
    "an input of three dimensions": _set("inputs", 0, "shape", ["rows", 4, 1]),
    "a column too few": lambda d: d["inputs"][0]["columns"].pop(),
    "no columns": _set("inputs", 0, "columns", []),
    "a text column among numbers": _set("inputs", 0, "columns", 0, "kind", "str"),
    "only text columns in a matrix": lambda d: [c.update(kind="str") for c in d["inputs"][0]["columns"]],
    "a column of an unknown kind": _set("inputs", 0, "columns", 0, "kind", "date"),
    "a column of an object dtype": _set("inputs", 0, "columns", 0, "dtype", "object"),
    "a column of a structured dtype": _set("inputs", 0, "columns", 0, "dtype", "i4,f8"),
    "a column of a huge dtype": _set("inputs", 0, "columns", 0, "dtype", "V1000000000"),
    "a category of another kind": _set("inputs", 0, "columns", 0, "categories", ["a"]),
    "a category that is an object": _set("inputs", 0, "columns", 0, "categories", [{}]),
    "a missing token for numbers": _set("inputs", 0, "columns", 0, "missing", "x"),
    "an unknown dtype": _set("inputs", 0, "dtype", "complex128"),
    "an object dtype": _set("outputs", 0, "returns", "object0"),
    "a dtype that names a type": _set("outputs", 0, "returns", "datetime64[s]"),
    "an unknown role": _set("outputs", 0, "role", "oracle"),
    "an unknown task": _set("task", "world domination"),
    "an unknown interface": _set("interface", "shell"),
    "a front end that is not there": _set("inputs", 0, "frontend", 0),
    "a front end of -1": _set("inputs", 0, "frontend", -1),
    "the interface of text": _set("interface", "text"),
    "classes of another dtype": _set("classes", {"dtype": "int8", "values": [1000]}),
    "negative classes of an unsigned dtype": _set("classes", {"dtype": "uint8", "values": [-1]}),
    "classes beyond 64 bits": _set("classes", {"dtype": "int64", "values": [2**63]}),
    "classes beyond a float": _set("classes", {"dtype": "float32", "values": [1e300]}),
    "classes beyond a double": _set("classes", {"dtype": "float64", "values": [10**400]}),
    "classes that are lists": _set("classes", {"dtype": "object", "values": [["a"]]}),
    "classes of booleans as numbers": _set("classes", {"dtype": "int64", "values": [True]}),
    "a negative tolerance": _set("tolerance", "atol", -1e-9),
    "a tolerance that accepts anything": _set("tolerance", "rtol", 1e300),
    "a tolerance that is true": _set("tolerance", "rtol", True),
    "a tolerance that is text": _set("tolerance", "rtol", "0"),
    "a runtime that is not a version": _set("requires", "onnxruntime", "latest"),
    "a runtime of 5,000 digits": _set("requires", "onnxruntime", "9" * 5000),
    "a runtime in Arabic digits": _set("requires", "onnxruntime", "\u0661.\u0661"),
    "an opset that is text": _set("requires", "opsets", {"": "18"}),
    "an opset that is true": _set("requires", "opsets", {"": True}),
    "an IR version of 2^63": _set("requires", "ir_version", 2**63),
    "a negative IR version": _set("requires", "ir_version", -8),
    "no rung": _set("conversion", {}),
    "a parity that is a list": _set("parity", []),
    "an unknown key": _set("hook", "import os"),
    "an unknown key of an input": _set("inputs", 0, "hook", 1),
    "no requirements": _set("requires", KeyError),
}


@pytest.mark.parametrize("what", DESCRIPTIONS)
def test_model_json(what, refuse):
    document = json.loads(model_json())
    DESCRIPTIONS[what](document)
    changed = json.dumps(document).encode()
    refuse((MalformedError, LimitError, UnsupportedVersionError), files={"model.json": changed})


@pytest.mark.parametrize("name", ["model.json", "golden.json", "model.onnx"])
def test_a_file_that_every_model_needs_is_missing(name, refuse):
    refuse(MalformedError, name.replace(".", r"\."), files={name: None})
