"""Make an ONNX Runtime session from verified bytes, without a copy of large weights where ONNX Runtime can.

The graph's external data is checked first (`external_data`). Then, by what this ONNX Runtime offers:

1. It uses the shards' memory as it is (1.31 and newer): nothing is copied, a gigabyte takes milliseconds.
2. Each tensor is given as a value, once for the optimizers and once for the kernels. ONNX Runtime copies it for a
   moment, and works on ours.
3. Types that NumPy does not have, on a runtime without the first way: ONNX Runtime copies whole files.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sealift.errors import IncompatibleError, MalformedError, UsageError
from sealift.model.documents.description import (
    GRAPH_FILE,
    TENSOR_DTYPES,
    Dimension,
    ModelDescription,
    TensorInput,
    TensorOutput,
)
from sealift.model.documents.file_set import shard
from sealift.model.runtime.compatibility import numbers
from sealift.model.runtime.header import GraphHeader, read_header
from sealift.model.runtime.sealed import SealedFile

if TYPE_CHECKING:
    from sealift.model.runtime.external_data import ExternalTensor
    from sealift.model.runtime.sealed import Content

_REASON_CHARS = 400
# Metadata that ONNX Runtime takes for session options where an environment variable lets it: a profile, say,
# is written to the current directory.
_SETTINGS = frozenset(["ort_config"])
_DTYPE_OF_TYPE = {
    f"tensor({ {'float32': 'float', 'float64': 'double'}.get(dtype, dtype) })": dtype for dtype in TENSOR_DTYPES
}
# ONNX Runtime starts as many as it is told, however long that takes; no machine has more cores.
_MOST_THREADS = 1024
_CPU = ("CPUExecutionProvider",)
_USE_BUFFERS = "session.use_external_initializer_file_buffers_directly"
_SPINNING = "session.intra_op.allow_spinning"
_USE_BUFFERS_SINCE = (1, 31)


def make_session(
    description: ModelDescription,
    files: Mapping[str, "Content"],
    threads: int | None,
    providers: Sequence[str] | None = None,
    *,
    spinning: bool = True,
) -> Any:
    """Make the session and check that it takes and gives what `model.json` says.

    The session keeps the memory of the shards alive; nobody may change it.

    Args:
        threads: of one prediction; None leaves it to ONNX Runtime.
        providers: execution providers in order of preference; None means the CPU's.
        spinning: whether idle threads of the session look for work over and over, which answers large inputs sooner and
            takes processor time; if not, they sleep. What is computed, and by how many threads, is the same.

    Raises:
        UsageError: no such execution provider, or no number of threads.
        IncompatibleError: this ONNX Runtime is too old for the graph, or refuses it, or a provider does not start.
        MalformedError: the graph's inputs or outputs are not those of `model.json`, or its external data is not
            in the model's shards.
        LimitError: its external data is beyond the limits.
    """
    from sealift.model.runtime.onnx import onnxruntime

    lowest = description.requires.onnxruntime
    if numbers(onnxruntime.__version__) < numbers(lowest):
        raise IncompatibleError(
            f"model {description.name!r} needs onnxruntime {lowest} or newer; this is {onnxruntime.__version__}"
        )
    wanted = list(providers or _CPU)
    known = onnxruntime.get_available_providers()
    for provider in wanted:
        if provider not in known:
            raise UsageError(f"no execution provider {provider!r} in this onnxruntime; it has {', '.join(known)}")
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= _MOST_THREADS):
        raise UsageError(f"threads is {threads!r:.80}; expected 1 or more, up to {_MOST_THREADS:,}, or None")
    graph = files[GRAPH_FILE]
    shards = {name: memory(content) for name, content in files.items() if shard(name)}
    tensors = _checked_graph(description, graph, {name: len(view) for name, view in shards.items()})
    options = onnxruntime.SessionOptions()
    # Everything below "fatal" would go to the application's stderr; errors come as exceptions.
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if threads is not None:
        options.intra_op_num_threads = threads
    if not spinning:
        options.add_session_config_entry(_SPINNING, "0")
    kept = give_weights(onnxruntime, options, tensors, shards, description.name) if tensors else []
    try:
        session = onnxruntime.InferenceSession(_openable(graph), options, providers=wanted)
    except Exception as error:
        # ONNX Runtime has a dozen exception classes without a common one below RuntimeError.
        reason = _middle_cut(re.sub(r"\s+", " ", str(error)))
        raise IncompatibleError(
            f"onnxruntime {onnxruntime.__version__} refuses model {description.name!r}: {reason}"
        ) from error
    # It would open the graph's path once more, which by then may be that of another file.
    session.disable_fallback()
    session.sealift_weights = kept
    if not set(wanted) <= set(session.get_providers()):
        raise IncompatibleError(
            f"execution providers {wanted} were asked for; onnxruntime started {session.get_providers()}: "
            "the others need libraries or a device that are not here"
        )
    wanted_outputs = {output.name for output in description.outputs}
    outputs = [node for node in session.get_outputs() if node.name in wanted_outputs]
    try:
        _compare("input", session.get_inputs(), description.inputs)
        _compare("output", outputs, description.outputs)
    except UnicodeDecodeError:
        raise MalformedError(f"{GRAPH_FILE} has a tensor whose name is not UTF-8") from None
    return session


def copies_shards() -> bool:
    """Return whether this ONNX Runtime copies the shards of weights, instead of using their memory as it is."""
    from sealift.model.runtime.onnx import onnxruntime

    return numbers(onnxruntime.__version__) < _USE_BUFFERS_SINCE


def _checked_graph(
    description: ModelDescription, graph: "Content", shards: Mapping[str, int]
) -> Sequence["ExternalTensor"]:
    """Check what ONNX Runtime would not; return the tensors that lie in `shards`, names and lengths in bytes."""
    # One mapping for all who look, gone before ONNX Runtime takes memory of its own.
    data = graph.map(whole=True) if isinstance(graph, SealedFile) else bytes(graph)
    _check_header(description, read_header(data))
    # Most graphs are small and hold all their numbers; they need not even the code that reads them.
    if data.find(b"location") < 0:
        return ()
    from sealift.model.runtime.external_data import external_tensors

    return external_tensors(data, shards)


def _check_header(description: ModelDescription, header: GraphHeader) -> None:
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


def memory(content: "Content") -> memoryview:
    """Return the bytes of a file as they lie in memory."""
    return memoryview(content.map() if isinstance(content, SealedFile) else content)


def _openable(graph: "Content") -> str | bytes:
    """Return what InferenceSession opens: by path it keeps no second copy of a large graph."""
    return graph.path if isinstance(graph, SealedFile) else bytes(graph)


def give_weights(
    onnxruntime: Any, options: Any, tensors: Sequence["ExternalTensor"], shards: Mapping[str, memoryview], model: str
) -> list[Any]:
    """Hand over the weights in the best way that there is; return what must live as long as the session.

    Args:
        options: the SessionOptions that the session is then made with.
        tensors: of the graph, as `external_tensors` found them in `shards`.
        model: its name, for errors.

    Raises:
        IncompatibleError: this ONNX Runtime has no way for tensors of these types.
    """
    if numbers(onnxruntime.__version__) >= _USE_BUFFERS_SINCE:
        options.add_session_config_entry(_USE_BUFFERS, "1")
    elif _has_numpy_types(tensors):
        values = [_value(onnxruntime, tensor, shards[tensor.location]) for tensor in tensors]
        names = [tensor.name for tensor in tensors]
        options.add_external_initializers(names, values)
        for name, value in zip(names, values, strict=True):
            options.add_initializer(name, value)
        return [values, shards]
    elif not hasattr(options, "add_external_initializers_from_files_in_memory"):
        raise IncompatibleError(
            f"model {model!r} has weights of a type that onnxruntime {onnxruntime.__version__} cannot take from "
            f"memory; install onnxruntime {'.'.join(map(str, _USE_BUFFERS_SINCE))} or newer"
        )
    buffers = list(shards.values())
    options.add_external_initializers_from_files_in_memory(list(shards), buffers, [len(buffer) for buffer in buffers])
    return buffers


def _has_numpy_types(tensors: Sequence["ExternalTensor"]) -> bool:
    return all(tensor.dtype for tensor in tensors)


def _value(onnxruntime: Any, tensor: "ExternalTensor", shard: memoryview) -> Any:
    import numpy as np

    array = np.frombuffer(shard[tensor.offset : tensor.offset + tensor.length], np.uint8)
    dtype = np.dtype(tensor.dtype)
    if tensor.offset % dtype.itemsize:
        array = array.copy()
    return onnxruntime.OrtValue.ortvalue_from_numpy(array.view(dtype).reshape(tensor.shape))
