"""Read the body of an inference request: JSON, and behind it the bytes of binary tensors."""

import base64
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.limits import LIMITS
from sealift.model.documents.golden import COMPACT
from sealift.serving.protocol.tensors import TEXT, check_shape, shown, tensor_of_bytes, tensor_of_json
from sealift_common.parsing.strict_json import parse

_SIZE = "binary_data_size"
# KServe's client repeats what the path says; the path counts.
_KEYS = frozenset(["id", "parameters", "inputs", "outputs", "model_name", "model_version"])
_INPUT_KEYS = frozenset(["name", "datatype", "shape", "data", "parameters", COMPACT])


@dataclass(frozen=True)
class InferRequest:
    """A request as the client sent it.

    Attributes:
        id: what the answer repeats; None where the client gave none.
        inputs: arrays by name, in the request's order.
        outputs: names of the outputs that are wanted, and whether each comes as bytes; None means all.
        method: "run" where the client asks the graph itself; None otherwise.
        binary: whether outputs come as bytes where nothing else is said.
    """

    id: str | None
    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, bool] | None
    method: str | None
    binary: bool


def parse_request(body: bytes, json_bytes: int | None) -> InferRequest:
    """Parse a request.

    Args:
        body: all of it.
        json_bytes: the length of its JSON, of the header `Inference-Header-Content-Length`; None where all is JSON.

    Raises:
        MalformedError, LimitError: it is not JSON, or of too many parts.
        InputError: it is not of the protocol's form, or a tensor is not what it says of itself.
    """
    if json_bytes is not None and json_bytes > len(body):
        raise InputError(f"Inference-Header-Content-Length is {json_bytes:,}; the body has {len(body):,} bytes")
    document = parse(
        body if json_bytes is None else body[:json_bytes],
        "the request",
        max_size_bytes=LIMITS.serve_body_bytes,
        max_containers=LIMITS.serve_containers,
        max_keys=LIMITS.serve_containers,
        max_values=LIMITS.serve_values,
    )
    _check_object(document, "the request", _KEYS)
    parameters = _parameters(document, "the request")
    binary = parameters.get("binary_data_output", False)
    method = parameters.get("method")
    if type(binary) is not bool or method not in (None, "run"):
        raise InputError("the request's binary_data_output is true or false, and its method is 'run' or absent")
    if "inputs" not in document:
        raise InputError("the request has no inputs; expected at least one tensor")
    identity = document.get("id")
    if not isinstance(identity, str | None):
        raise InputError(f"the request has id {shown(identity):.80}; expected a string")
    behind = memoryview(body)[len(body) if json_bytes is None else json_bytes :]
    return InferRequest(identity, _inputs(document["inputs"], behind), _outputs(document, binary), method, binary)


def _inputs(tensors: Any, behind: memoryview) -> dict[str, NDArray[Any]]:
    if not isinstance(tensors, list) or not tensors:
        raise InputError("the request's inputs are not an array of tensors; expected at least one")
    found: dict[str, NDArray[Any]] = {}
    place = 0
    for tensor in tensors:
        _check_object(tensor, "an input", _INPUT_KEYS)
        name = _name(tensor, "input", found)
        datatype = tensor.get("datatype")
        shape = check_shape(name, tensor.get("shape"), datatype)
        size = _parameters(tensor, f"input {name[:80]!r}").get(_SIZE)
        given = [key for key in ("data", COMPACT) if key in tensor] + ([_SIZE] if size is not None else [])
        if len(given) != 1:
            raise InputError(
                f"input {name[:80]!r} has {' and '.join(given) or 'no data'}; expected one of data, {_SIZE}"
            )
        if "data" in tensor:
            found[name] = tensor_of_json(name, datatype, shape, tensor["data"])
            continue
        if COMPACT in tensor:
            found[name] = tensor_of_bytes(name, datatype, shape, _decoded(name, datatype, tensor[COMPACT]))
            continue
        if type(size) is not int or not 0 <= size <= len(behind) - place:
            raise InputError(
                f"input {name[:80]!r} has {_SIZE} {shown(size):.40}; "
                f"{len(behind) - place:,} bytes are left behind the JSON"
            )
        found[name] = tensor_of_bytes(name, datatype, shape, behind[place : place + size])
        place += size
    if place != len(behind):
        raise InputError(f"{len(behind) - place:,} bytes are left behind the tensors; Inference-Header-Content-Length?")
    return found


def _decoded(name: str, datatype: str, text: Any) -> memoryview:
    """Bytes of a tensor as golden.json of schema /2 writes large ones."""
    if datatype == TEXT or not isinstance(text, str):
        raise InputError(
            f"input {name[:80]!r} has {COMPACT} {shown(text):.40}; expected the bytes of numbers, as a string"
        )
    try:
        return memoryview(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise InputError(f"input {name[:80]!r} holds no base64: {error}") from None


def _outputs(document: dict[str, Any], binary: bool) -> dict[str, bool] | None:
    wanted = document.get("outputs")
    if wanted is None:
        return None
    if not isinstance(wanted, list):
        raise InputError(f"the request's outputs are {shown(wanted):.80}; expected an array of names")
    found: dict[str, bool] = {}
    for output in wanted:
        _check_object(output, "an output", ("name", "parameters"))
        name = _name(output, "output", found)
        parameters = _parameters(output, f"output {name[:80]!r}")
        if parameters.get("classification"):
            raise InputError("'classification' is not offered; 'predict' answers labels, 'predict_proba' their numbers")
        # A client that asks for it reads the answer there, and would find something old.
        if any(key.startswith("shared_memory") for key in parameters):
            raise InputError(f"output {name[:80]!r} is wanted in shared memory, which is not offered")
        own = parameters.get("binary_data", binary)
        if type(own) is not bool:
            raise InputError(f"output {name[:80]!r} has binary_data {shown(own):.80}; expected true or false")
        found[name] = own
    return found or None


def _check_object(value: Any, what: str, keys: Collection[str]) -> None:
    if not isinstance(value, dict):
        raise InputError(f"{what} is {shown(value):.80}; expected an object")
    unknown = next((key for key in value if key not in keys), None)
    if unknown is not None:
        raise InputError(f"{what} has {unknown[:80]!r}; expected {', '.join(sorted(keys))}")


def _parameters(value: dict[str, Any], what: str) -> dict[str, Any]:
    parameters = value.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InputError(f"{what} has parameters {shown(parameters):.80}; expected an object")
    return parameters


def _name(value: dict[str, Any], kind: str, found: Collection[str]) -> str:
    name = value.get("name")
    if not isinstance(name, str):
        raise InputError(f"an {kind} has name {shown(name):.80}; expected a string")
    if name in found:
        raise InputError(f"the request has the {kind} {name[:80]!r} twice")
    return name
