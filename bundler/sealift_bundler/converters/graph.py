"""Write an ONNX graph node by node; every tensor is [rows, width] unless said otherwise.

Also what a finished graph needs of the machine: its locales.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sealift.model.documents.description import Dimension, TensorInput, TensorOutput

OPSETS = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 8
LOWEST_ONNXRUNTIME = "1.17.0"
ML = "ai.onnx.ml"

ELEMENT_TYPE = {
    "bool": TensorProto.BOOL,
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "string": TensorProto.STRING,
    **{
        f"{sign}int{bits}": getattr(TensorProto, f"{sign.upper()}INT{bits}")
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
DTYPE_OF_ELEMENT = {element: dtype for dtype, element in ELEMENT_TYPE.items()}


# Operators that put numbers elsewhere and leave them as they are.
_MOVES = frozenset(["Concat", "Gather", "Reshape"])


class Graph:
    """A graph under construction; `dtype` is that of its floating-point arithmetic, "float32" or "float64"."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        # Tensors of the graph's own dtype whose numbers the original holds in float32.
        self.single: set[str] = set()
        self.opsets = dict(OPSETS)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names = 0

    def name(self, hint: str) -> str:
        """Make a name that no other tensor has."""
        self._names += 1
        return f"{hint}_{self._names}"

    def add(self, operator: str, *inputs: str, domain: str = "", name: str | None = None, **attributes: Any) -> str:
        """Add a node of one output and return the output's name, which is also the node's unless that has a `name`."""
        output = self.name(operator.lower())
        # Attributes that are None are absent, as in the operator's own default.
        given = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(operator, list(inputs), [output], name=name or output, domain=domain, **given)
        self._nodes.append(node)
        data = inputs if operator == "Concat" else inputs[:1]
        if operator in _MOVES and self.single.issuperset(data):
            self.single.add(output)
        return output

    def add_many(self, operator: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node of several outputs and return their names."""
        names = [self.name(operator.lower()) for _ in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=names[0], **attributes))
        return names

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add a constant tensor, once for equal values; `dtype` defaults to the graph's own."""
        array = np.asarray(value)
        array = array.astype(dtype or (self.dtype if array.dtype.kind == "f" else array.dtype))
        content = repr(array.tolist()) if array.dtype.kind in "OU" else array.tobytes().hex()
        key = hashlib.sha256(f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}{content}".encode()).hexdigest()
        if key not in self._constants:
            if array.dtype.kind in "OU":
                flat = [str(text).encode() for text in array.ravel()]
                tensor = helper.make_tensor("", TensorProto.STRING, array.shape, flat)  # type: ignore[arg-type] # onnx types bytes as numbers
            else:
                tensor = numpy_helper.from_array(np.ascontiguousarray(array))
            tensor.name = self.name("constant")
            self._constants[key] = tensor
        return self._constants[key].name

    def cast(self, tensor: str, dtype: str) -> str:
        """Cast a tensor to a NumPy dtype."""
        return self.add("Cast", tensor, to=ELEMENT_TYPE[dtype])

    def widened(self, tensor: str) -> str:
        """Give a float32 tensor the graph's own dtype; what computes with it can see that the original's is float32."""
        wide = tensor if self.dtype == "float32" else self.cast(tensor, self.dtype)
        self.single.add(wide)
        return wide

    @contextmanager
    def as_single(self, *tensors: str) -> Iterator[list[str]]:
        """Compute in float32 inside of a `with`, where the original does: where all it computes with is float32.

        Args:
            tensors: All that is computed with.

        Yields:
            The tensors as float32 where each of them is that in the original, otherwise as they are. Take the result
            out of the block by `widened` in the first case.
        """
        if self.dtype == "float32" or not tensors or not self.single.issuperset(tensors):
            yield list(tensors)
            return
        own, self.dtype = self.dtype, "float32"
        try:
            yield [self.cast(tensor, "float32") for tensor in tensors]
        finally:
            self.dtype = own

    def inline(self, model: onnx.ModelProto, bindings: dict[str, str]) -> dict[str, str]:
        """Put another model's graph into this one.

        Args:
            model: Its opsets must not be newer than this graph's.
            bindings: The tensor of this graph for each of its inputs.

        Returns:
            The tensor of this graph for each of its outputs.
        """
        prefix = f"{self.name('inlined')}_"
        inner = onnx.GraphProto()
        inner.CopyFrom(model.graph)
        _rename(inner, prefix)
        for name, tensor in bindings.items():
            self._nodes.append(helper.make_node("Identity", [tensor], [prefix + name], name=prefix + name))
        self._constants |= {constant.name: constant for constant in inner.initializer}
        self._nodes.extend(inner.node)
        for opset in model.opset_import:
            self.opsets[opset.domain] = max(opset.version, self.opsets.get(opset.domain, 0))
        return {output.name: prefix + output.name for output in model.graph.output}

    def finish(self, inputs: Sequence[TensorInput], outputs: Sequence[TensorOutput], tensors: Sequence[str]) -> bytes:
        """Name the outputs and serialize; nodes and constants that no output needs are left out.

        Args:
            inputs: The graph's inputs as `model.json` describes them.
            outputs: The graph's outputs as `model.json` describes them.
            tensors: For each output, the tensor of this graph that it is.
        """
        for output, tensor in zip(outputs, tensors, strict=True):
            self._nodes.append(helper.make_node("Identity", [tensor], [output.name], name=f"output_{output.name}"))
        needed = {output.name for output in outputs}
        nodes = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                nodes.append(node)
                needed.update(node.input)
                # A graph inside a node takes what it likes from this one, without saying so.
                needed.update(name for inner in _inner_nodes(node) for name in inner.input)
        graph = helper.make_graph(
            nodes[::-1],
            "sealift",
            [_value_info(tensor.name, tensor.dtype, tensor.shape) for tensor in inputs],
            [_value_info(tensor.name, tensor.dtype, tensor.shape) for tensor in outputs],
            [tensor for tensor in self._constants.values() if tensor.name in needed],
        )
        used = {inner.domain for node in nodes for inner in (node, *_inner_nodes(node))} | {""}
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets.items() if domain in used]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="sealift", ir_version=IR_VERSION)
        # Serialised deterministically, so that the same model gives the same digest.
        serialized: bytes = model.SerializeToString(deterministic=True)
        return serialized


def _value_info(name: str, dtype: str, shape: Sequence[Dimension]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, ELEMENT_TYPE[dtype], list(shape))


def numbers_of(array: Any) -> NDArray[Any]:
    """See a fitted attribute as float64 numbers."""
    return np.asarray(array, dtype=np.float64)


# What StringNormalizer means when it names no locale (onnxruntime, `string_normalizer.cc`, on Linux).
_DEFAULT_LOCALE = "en_US.UTF-8"


def text_locales(graph: bytes) -> tuple[str, ...]:
    """Return the locales of the text operators that change case in a serialized model, sorted.

    ONNX Runtime refuses to change the case of text where the machine lacks the locale.
    """
    found = set()
    for node in _nodes_of(onnx.load_model_from_string(graph).graph):
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "StringNormalizer":
            action = attributes.get("case_change_action")
            sensitive = attributes.get("is_case_sensitive")
            if (action is not None and action.s != b"NONE") or sensitive is None or sensitive.i == 0:
                found.add(attributes["locale"].s.decode() if "locale" in attributes else _DEFAULT_LOCALE)
    return tuple(sorted(found))


def _rename(graph: onnx.GraphProto, prefix: str) -> None:
    """Put a prefix before every name, at any depth: what a graph inside a node takes from outside stays right."""
    for node in graph.node:
        node.name = prefix + node.name
        for names in (node.input, node.output):
            names[:] = [prefix + name if name else "" for name in names]
        for inner in _graphs_in(node):
            _rename(inner, prefix)
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = prefix + value.name
    del graph.value_info[:]


def _nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node of a graph, those of the graphs inside its nodes included."""
    for node in graph.node:
        yield node
        yield from _inner_nodes(node)


def _inner_nodes(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    for inner in _graphs_in(node):
        yield from _nodes_of(inner)


def _graphs_in(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
