"""The nodes that a graph of tokens gets behind it: pooling, the length 1, or labels.

They stand in the graph, so that golden examples, other languages and reviewers see them. Each operator here means the
same in every opset from 11 on. The mean is that of sentence-transformers: sum of the vectors of tokens, each times its
mask, divided by the sum of the mask.
"""

from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sealift.model.documents.description import Classes, TensorOutput
from sealift.model.frontend.tokenizer.declared import IDS, MASK
from sealift_bundler.converters.encoders.settings import CLS, MEAN, NONE, TextFrontend
from sealift_bundler.errors import ConversionError

EMBEDDING, LABEL, PROBABILITIES = "embedding", "label", "probabilities"
# Smaller lengths and masks count as these, as in sentence-transformers and PyTorch.
LEAST_MASK, LEAST_LENGTH = 1e-9, 1e-12
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_LOWEST_OPSET = 11
_PREFIX = "sealift/"


class Head(NamedTuple):
    """The whole graph, and what it gives."""

    model: onnx.ModelProto
    outputs: tuple[TensorOutput, ...]
    classes: Classes | None


def pooled_output(model: onnx.ModelProto, pooling: str) -> onnx.ValueInfoProto:
    """Return the output of the graph that pooling, or labels, are made of.

    Raises:
        ConversionError: no output has the form for it.
    """
    rank = 2 if pooling == NONE else 3
    floats: list[onnx.ValueInfoProto] = [
        value for value in model.graph.output if value.type.tensor_type.elem_type in _FLOATS
    ]
    found = [value for value in floats if len(value.type.tensor_type.shape.dim) == rank]
    if found:
        return found[0]
    shapes = {value.name: len(value.type.tensor_type.shape.dim) for value in floats}
    wanted = "one vector a text, [rows, features]" if rank == 2 else "one vector a token, [rows, tokens, features]"
    raise ConversionError(
        f"pooling {pooling!r} needs an output of {wanted}; the graph's outputs have dimensions {shapes!r:.200}: "
        "export another output, or choose another pooling"
    )


def with_head(model: onnx.ModelProto, frontend: TextFrontend, inputs: dict[str, str], width: int) -> Head:
    """Return a copy of a graph with its head.

    Args:
        model: a graph of tokens.
        frontend: what to put behind it.
        inputs: the names of its inputs for "ids", "mask" and "types".
        width: how many numbers the vector of a text has.

    Raises:
        ConversionError: the graph is of an old opset, or has no output for it.
    """
    opset = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)
    if opset < _LOWEST_OPSET:
        raise ConversionError(f"the graph is of opset {opset}; expected {_LOWEST_OPSET} or newer: export it again")
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    output = pooled_output(model, frontend.pooling)
    builder = _Builder(whole)
    vector = builder.node("Cast", [output.name], to=TensorProto.FLOAT)
    if frontend.pooling == MEAN:
        vector = builder.mean(vector, inputs)
    elif frontend.pooling == CLS:
        vector = builder.node("Gather", [vector, builder.constant(np.int64(0))], axis=1)
    if frontend.labels:
        return builder.labels(vector, frontend.labels)
    if frontend.normalize:
        vector = builder.normalized(vector)
    name = builder.output(vector, EMBEDDING, TensorProto.FLOAT, ["rows", width])
    return Head(whole, (TensorOutput(name, "float32", ("rows", width), "transformed", "float32"),), None)


class _Builder:
    """Adds nodes to a graph, under names that it does not have."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._graph = model.graph
        self._taken = {name for node in self._graph.node for name in (*node.input, *node.output)}
        self._taken.update(value.name for value in (*self._graph.input, *self._graph.initializer))
        self._count = 0
        del self._graph.output[:]

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = self._name(f"{_PREFIX}{kind.lower()}_{self._count}")
        self._count += 1
        self._graph.node.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: "np.ndarray | np.generic") -> str:
        """Add a number or some; return their name."""
        name = self._name(f"{_PREFIX}constant_{self._count}")
        self._count += 1
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def output(self, value: str, name: str, kind: int, shape: list[str | int]) -> str:
        """Make an output of a value; return its name."""
        name = self._name(name)
        self._graph.node.append(helper.make_node("Identity", [value], [name], name=name))
        self._graph.output.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def mean(self, vectors: str, inputs: dict[str, str]) -> str:
        """Average the vectors of the tokens that the mask lets through, [rows, tokens, width] to [rows, width]."""
        mask = inputs.get(MASK)
        if mask is None:
            mask = self.node("Equal", [inputs[IDS], inputs[IDS]])
        mask = self.node("Cast", [mask], to=TensorProto.FLOAT)
        row = self._reshaped(mask, 0, 1, -1)
        column = self._reshaped(mask, 0, -1, 1)
        total = self._reshaped(self.node("MatMul", [row, vectors]), 0, -1)
        ones = self.node("Equal", [column, column])
        count = self._reshaped(self.node("MatMul", [row, self.node("Cast", [ones], to=TensorProto.FLOAT)]), 0, -1)
        return self.node("Div", [total, self.node("Max", [count, self.constant(np.float32(LEAST_MASK))])])

    def normalized(self, vector: str) -> str:
        """Divide each vector by its length, [rows, width]."""
        square = self.node("MatMul", [self._reshaped(vector, 0, 1, -1), self._reshaped(vector, 0, -1, 1)])
        length = self.node("Sqrt", [self._reshaped(square, 0, -1)])
        return self.node("Div", [vector, self.node("Max", [length, self.constant(np.float32(LEAST_LENGTH))])])

    def labels(self, scores: str, labels: tuple[str, ...]) -> Head:
        """Name the best of the scores, [rows, labels], and make probabilities of them."""
        count = len(labels)
        best = self.node("ArgMax", [scores], axis=1, keepdims=0)
        names = self.constant(np.array(labels, dtype=object))
        label = self.output(self.node("Gather", [names, best], axis=0), LABEL, TensorProto.STRING, ["rows"])
        softmax = self.node("Softmax", [scores], axis=1)
        probabilities = self.output(softmax, PROBABILITIES, TensorProto.FLOAT, ["rows", count])
        outputs = (
            TensorOutput(label, "string", ("rows",), "label", "object"),
            TensorOutput(probabilities, "float32", ("rows", count), "probabilities", "float32"),
        )
        return Head(self._model, outputs, Classes("object", labels))

    def _reshaped(self, value: str, *shape: int) -> str:
        return self.node("Reshape", [value, self.constant(np.array(shape, dtype=np.int64))])

    def _name(self, wanted: str) -> str:
        while wanted in self._taken:
            wanted += "_"
        self._taken.add(wanted)
        return wanted
