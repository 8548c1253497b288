"""Make an ONNX Runtime session from verified bytes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sealift.errors import IncompatibleError, MalformedError
from sealift.model.compatibility import numbers
from sealift.model.description import (
    GRAPH_FILE,
    TENSOR_DTYPES,
    Dimension,
    ModelDescription,
    TensorInput,
    TensorOutput,
)
from sealift.model.graph import read_header, require_inside

_WEIGHTS = f"{GRAPH_FILE}.data"
_REASON_CHARS = 400
# Metadata that ONNX Runtime takes for session options where an environment variable lets it: a profile, say,
# is written to the current directory.
_SETTINGS = frozenset(["ort_config"])
_DTYPE_OF_TYPE = {
    f"tensor({ {'float32': 'float', 'float64': 'double'}.get(dtype, dtype) })": dtype for dtype in TENSOR_DTYPES
}


def make_session(description: ModelDescription, files: Mapping[str, bytes | memoryview], threads: int | None) -> Any:
    """Make the session and check that it takes and gives what `model.json` says.

    Raises:
        IncompatibleError: this ONNX Runtime is too old for the graph, or refuses it.
        MalformedError: the graph is none, refers to files outside the model, or differs from `model.json`.
    """
    from sealift.model.runtime import onnxruntime

    lowest = description.requires.onnxruntime
    if numbers(onnxruntime.__version__) < numbers(lowest):
        raise IncompatibleError(
            f"model {description.name!r} needs onnxruntime {lowest} or newer; this is {onnxruntime.__version__}"
        )
    shards = sorted(name for name in files if name.startswith(_WEIGHTS))
    _check_graph(description, files[GRAPH_FILE], shards)
    options = onnxruntime.SessionOptions()
    # Everything below "fatal" would go to the application's stderr; errors come as exceptions.
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if threads is not None:
        options.intra_op_num_threads = threads
    if shards:
        if not hasattr(options, "add_external_initializers_from_files_in_memory"):
            raise IncompatibleError(
                f"model {description.name!r} has separate weights, which onnxruntime {onnxruntime.__version__} "
                f"cannot take from memory; install a newer onnxruntime"
            )
        buffers = [files[name] for name in shards]
        options.add_external_initializers_from_files_in_memory(shards, buffers, [len(buffer) for buffer in buffers])
    try:
        session = onnxruntime.InferenceSession(
            bytes(files[GRAPH_FILE]), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # ONNX Runtime has a dozen exception classes without a common one below RuntimeError.
        reason = _middle_cut(re.sub(r"\s+", " ", str(error)))
        raise IncompatibleError(
            f"onnxruntime {onnxruntime.__version__} refuses model {description.name!r}: {reason}"
        ) from error
    wanted = {output.name for output in description.outputs}
    try:
        _compare("input", session.get_inputs(), description.inputs)
        _compare("output", [node for node in session.get_outputs() if node.name in wanted], description.outputs)
    except UnicodeDecodeError:
        raise MalformedError(f"{GRAPH_FILE} has a tensor whose name is not UTF-8") from None
    return session


def _check_graph(description: ModelDescription, graph: bytes | memoryview, shards: Sequence[str]) -> None:
    """Check what ONNX Runtime would not: that the graph is one, is what `model.json` says, and stays inside."""
    header = read_header(graph)
    if header.ir_version > description.requires.ir_version:
        raise MalformedError(
            f"{GRAPH_FILE} has IR version {header.ir_version}; model.json says {description.requires.ir_version}"
        )
    described = {domain or "ai.onnx": version for domain, version in description.requires.opsets.items()}
    for domain, version in header.opsets.items():
        if version > described.get(domain, 0):
            raise MalformedError(
                f"{GRAPH_FILE} imports {domain[:80]!r} {version}; model.json says {described.get(domain)!r:.80}"
            )
    settings = sorted(header.metadata & _SETTINGS)
    if settings:
        raise MalformedError(f"{GRAPH_FILE} carries settings for ONNX Runtime in {settings[0]!r}; expected none")
    require_inside(graph, shards)


def _compare(what: str, graph: Sequence[Any], described: Sequence[TensorInput | TensorOutput]) -> None:
    nodes = {node.name: node for node in graph}
    names = sorted(tensor.name for tensor in described)
    if sorted(nodes) != names:
        raise MalformedError(f"{GRAPH_FILE} has the {what}s {sorted(nodes)!r:.200}; model.json says {names!r:.200}")
    for tensor in described:
        node = nodes[tensor.name]
        dtype = _DTYPE_OF_TYPE.get(node.type, node.type)
        if dtype != tensor.dtype:
            raise MalformedError(f"{GRAPH_FILE} {what} {tensor.name[:80]!r} is {dtype}; model.json says {tensor.dtype}")
        # ONNX Runtime gives no dimension for a scalar and for a shape that the graph does not say; it finds out the
        # shapes of outputs by itself, and then knows more than the graph said.
        if node.shape and (what == "input" or tensor.shape) and not _fits(node.shape, tensor.shape):
            raise MalformedError(
                f"{GRAPH_FILE} {what} {tensor.name[:80]!r} has shape {node.shape!r:.80}; "
                f"model.json says {list(tensor.shape)!r:.80}"
            )


def _fits(graph: Sequence[Any], described: Sequence[Dimension]) -> bool:
    return len(graph) == len(described) and all(
        not isinstance(have, int) or not isinstance(want, int) or have == want
        for have, want in zip(graph, described, strict=True)
    )


def _middle_cut(text: str) -> str:
    """Shorten a message of ONNX Runtime, which begins with where and ends with what is wrong."""
    return text if len(text) <= _REASON_CHARS else f"{text[:100]} … {text[100 - _REASON_CHARS :]}"
