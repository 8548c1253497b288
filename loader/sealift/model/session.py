"""Make an ONNX Runtime session from verified bytes."""

import re
from collections.abc import Mapping
from typing import Any

from sealift.errors import IncompatibleError, MalformedError
from sealift.model.compatibility import numbers
from sealift.model.description import GRAPH_FILE, ModelDescription

_WEIGHTS = f"{GRAPH_FILE}.data"


def make_session(description: ModelDescription, files: Mapping[str, bytes | memoryview], threads: int | None) -> Any:
    """Make the session and check that it takes and gives what `model.json` says.

    Raises:
        IncompatibleError: this ONNX Runtime is too old for the graph, or refuses it.
        MalformedError: the graph's inputs or outputs are not those of `model.json`.
    """
    from sealift.model.runtime import onnxruntime

    lowest = description.requires.onnxruntime
    if numbers(onnxruntime.__version__) < numbers(lowest):
        raise IncompatibleError(
            f"model {description.name!r} needs onnxruntime {lowest} or newer; this is {onnxruntime.__version__}"
        )
    options = onnxruntime.SessionOptions()
    # Everything below "fatal" would go to the application's stderr; errors come as exceptions.
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = threads
    shards = sorted(name for name in files if name.startswith(_WEIGHTS))
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
        reason = re.sub(r"\s+", " ", str(error))[:300]
        raise IncompatibleError(
            f"onnxruntime {onnxruntime.__version__} refuses model {description.name!r}: {reason}"
        ) from error
    _compare("input", [node.name for node in session.get_inputs()], [tensor.name for tensor in description.inputs])
    outputs = {node.name for node in session.get_outputs()}
    for output in description.outputs:
        if output.name not in outputs:
            raise MalformedError(f"{GRAPH_FILE} has no output {output.name!r}; it has {sorted(outputs)}")
    return session


def _compare(what: str, graph: list[str], described: list[str]) -> None:
    if sorted(graph) != sorted(described):
        raise MalformedError(f"{GRAPH_FILE} has the {what}s {sorted(graph)}; model.json says {sorted(described)}")
