"""Write an ONNX graph node by node; every tensor is [rows, width] unless said otherwise."""

import hashlib
from collections.abc import Sequence
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


class Graph:
    """A graph under construction; `dtype` is that of its floating-point arithmetic, "float32" or "float64"."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.opsets = dict(OPSETS)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names = 0

    def name(self, hint: str) -> str:
        """Make a name that no other tensor has."""
        self._names += 1
        return f"{hint}_{self._names}"

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""
        output = self.name(operator.lower())
        # Attributes that are None are absent, as in the operator's own default.
        given = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(operator, list(inputs), [output], name=output, domain=domain, **given)
        self._nodes.append(node)
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
                tensor = helper.make_tensor("", TensorProto.STRING, array.shape, flat)  # type: ignore[arg-type]
            else:
                tensor = numpy_helper.from_array(np.ascontiguousarray(array))
            tensor.name = self.name("constant")
            self._constants[key] = tensor
        return self._constants[key].name

    def cast(self, tensor: str, dtype: str) -> str:
        """Cast a tensor to a NumPy dtype."""
        return self.add("Cast", tensor, to=ELEMENT_TYPE[dtype])

    def inline(self, model: onnx.ModelProto, bindings: dict[str, str]) -> dict[str, str]:
        """Put another model's graph into this one.

        Args:
            model: Its opsets must not be newer than this graph's.
            bindings: The tensor of this graph for each of its inputs.

        Returns:
            The tensor of this graph for each of its outputs.
        """
        prefix = self.name("inlined")
        renamed = dict(bindings)

        def local(name: str) -> str:
            return renamed.setdefault(name, f"{prefix}_{name}") if name else ""

        for tensor in model.graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            copy.name = local(tensor.name)
            self._constants[copy.name] = copy
        for node in model.graph.node:
            inner = onnx.NodeProto()
            inner.CopyFrom(node)
            inner.name = f"{prefix}_{node.name}"
            inner.input[:] = [local(name) for name in node.input]
            inner.output[:] = [local(name) for name in node.output]
            self._nodes.append(inner)
        for opset in model.opset_import:
            self.opsets[opset.domain] = max(opset.version, self.opsets.get(opset.domain, 0))
        return {output.name: local(output.name) for output in model.graph.output}

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
        graph = helper.make_graph(
            nodes[::-1],
            "sealift",
            [_value_info(tensor.name, tensor.dtype, tensor.shape) for tensor in inputs],
            [_value_info(tensor.name, tensor.dtype, tensor.shape) for tensor in outputs],
            [tensor for tensor in self._constants.values() if tensor.name in needed],
        )
        used = {node.domain for node in nodes} | {""}
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
