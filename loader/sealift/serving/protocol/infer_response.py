"""Write the answer to an inference request: JSON, and behind it the bytes of the tensors that are wanted so."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.serving.protocol.infer_request import InferRequest
from sealift.serving.protocol.tensors import bytes_of_tensor, datatype_of_array, json_of_tensor

# Made once: `json.dumps` would make one for every answer. What it writes was made here, and holds no cycle.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)


class Answer(NamedTuple):
    """The body of an answer, and the length of its JSON where bytes stand behind it; None where all is JSON."""

    body: bytes
    json_bytes: int | None


def write_answer(request: InferRequest, name: str, version: str, answers: Mapping[str, NDArray[Any]]) -> Answer:
    """Write the outputs that the request wants, in its order.

    Args:
        name: the model's name, as the client wrote it.
        version: of the model that answered.
        answers: arrays by the names of their outputs.

    Raises:
        InputError: the request wants an output that the model does not have, or JSON cannot hold one.
    """
    wanted = request.outputs if request.outputs is not None else dict.fromkeys(answers, request.binary)
    tensors, behind = [], []
    for output, binary in wanted.items():
        array = answers.get(output)
        if array is None:
            raise InputError(f"the model has no output {output[:80]!r}; it answers {', '.join(answers)}")
        if not binary:
            tensors.append(json_of_tensor(output, array))
            continue
        data = bytes_of_tensor(array)
        behind.append(data)
        head = {"name": output, "datatype": datatype_of_array(array.dtype), "shape": list(array.shape)}
        tensors.append({**head, "parameters": {"binary_data_size": len(data)}})
    document: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": tensors}
    if request.id is not None:
        document["id"] = request.id
    written = to_json(document)
    return Answer(b"".join([written, *behind]), len(written) if behind else None)


def to_json(document: object) -> bytes:
    """Write a document as one line of UTF-8."""
    return _ENCODER.encode(document).encode("utf-8")
