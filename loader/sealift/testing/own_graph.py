"""A model directory for an ONNX graph of the test's own: what it takes and gives is read from the graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sealift.errors import UsageError
from sealift.model.documents.description import FILE_NAME, GOLDEN_FILE, GRAPH_FILE
from sealift.testing.documents import golden_json, model_json

_DTYPE_OF = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool", "string": "string"}


def own_graph_files(name: str, version: str, graph: bytes, examples: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a model of named tensors; its golden examples are what the graph itself answers here.

    Raises:
        UsageError: ONNX Runtime refuses the graph, or it cannot answer `examples`.
    """
    from sealift.model.runtime.onnx import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(graph, sess_options=options, providers=["CPUExecutionProvider"])
        names = [node.name for node in session.get_outputs()]
        feeds = {key: np.asarray(value) for key, value in examples.items()}
        answers = dict(zip(names, session.run(names, feeds), strict=True))
    except Exception as error:
        # ONNX Runtime has a dozen exception classes without a common one below RuntimeError.
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"toy model {name!r}: onnxruntime cannot run the graph on its examples: {reason}") from error
    document = {
        "inputs": [{**_tensor(node), "columns": []} for node in session.get_inputs()],
        "outputs": [{**_tensor(node), "role": "raw", "returns": _returns(node)} for node in session.get_outputs()],
    }
    described = model_json(name, version, "tensors", "tensors", document)
    return {GRAPH_FILE: graph, FILE_NAME: described, GOLDEN_FILE: golden_json(feeds, answers)}


def _dtype(node: Any) -> str:
    kind: str = node.type.removeprefix("tensor(").removesuffix(")")
    return _DTYPE_OF.get(kind, kind)


def _tensor(node: Any) -> dict[str, Any]:
    shape = [size if isinstance(size, int | str) else f"{node.name}_{place}" for place, size in enumerate(node.shape)]
    return {"name": node.name, "dtype": _dtype(node), "shape": shape}


def _returns(node: Any) -> str:
    return "object" if _dtype(node) == "string" else _dtype(node)
