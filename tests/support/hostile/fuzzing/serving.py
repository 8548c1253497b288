"""The parser of requests to the model server."""

import json
import sys
from collections.abc import Callable
from functools import cache

from sealift.model.model import Model
from sealift.serving.answering.question import ask, question_of
from sealift.serving.protocol.infer_request import parse_request
from sealift.serving.protocol.infer_response import write_answer
from sealift.testing import ToyModel

if sys.version_info >= (3, 14):
    pass
else:
    pass


def infer_request(data: bytes) -> None:
    """A request of a served model: two bytes of the length of its JSON, or nothing where all of it is."""
    size = int.from_bytes(data[:2], "little")
    request = parse_request(data[2:], size or None)
    model = _served()
    question = question_of(model.description, request)
    (answers,) = ask(model, [question])
    write_answer(request, "m", "1.0.0", answers)


@cache
def _served() -> Model:
    return Model.from_files(ToyModel(columns={"a": "float", "b": "str"}, key="b").files("m"))


def _requests() -> list[bytes]:
    """A request in JSON, the same nested and with all that is optional, and one whose tensors are bytes."""
    a = {"name": "a", "datatype": "FP32", "shape": [2], "data": [1.5, None]}
    b = {"name": "b", "datatype": "BYTES", "shape": [2], "data": ["x", None]}
    outputs = [{"name": "predict", "parameters": {"binary_data": True}}, {"name": "predict_proba"}]
    full = {"id": "7", "parameters": {"binary_data_output": False}, "inputs": [a, b], "outputs": outputs}
    run = {"name": "texts", "datatype": "BYTES", "shape": [2, 1], "data": [["x"], ["y"]]}
    number = {"name": "numbers", "datatype": "FP32", "shape": [2, 1], "data": [[1], [2]]}
    binary = {
        "inputs": [
            {"name": "a", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}},
            {"name": "b", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 10}},
        ]
    }
    head = json.dumps(binary).encode()
    return [
        *(
            b"\0\0" + json.dumps(document).encode()
            for document in (
                {"inputs": [a, b]},
                full,
                {"inputs": [run, number], "parameters": {"method": "run"}},
            )
        ),
        len(head).to_bytes(2, "little") + head + bytes(16) + b"\1\0\0\0x\1\0\0\0y",
    ]


# Each target, and good inputs for it, from which a fuzzer departs.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "infer_request": (infer_request, _requests),
}
