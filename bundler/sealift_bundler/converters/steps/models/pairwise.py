"""Probabilities of several classes from those of each pair, by the rounds of LIBSVM's `multiclass_probability`.

The second method of Wu, Lin and Weng, "Probability Estimates for Multi-class Classification by Pairwise Coupling",
JMLR 5 (2004). LIBSVM stops it early, so its answer is that of its rounds and no other solution: they are repeated here.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sealift_bundler.converters.graph import IR_VERSION, OPSETS, Graph

_ROUNDS = 100
_PRECISION = 0.005
# LIBSVM keeps the probability of a pair this far from zero and one.
_LEAST = 1e-7


def coupled(graph: Graph, decisions: str, slopes: Any, offsets: Any, count: int) -> str:
    """Couple the probabilities of pairs.

    Args:
        graph: The graph, of float64.
        decisions: LIBSVM's decisions [rows, pairs], above zero for the first class of the pair.
        slopes: LIBSVM's probA, one for each pair.
        offsets: LIBSVM's probB.
        count: The number of classes.

    Returns:
        float64 [rows, classes].
    """
    power = graph.add("Add", graph.add("Mul", decisions, graph.constant(-np.asarray(slopes)[np.newaxis])),
                      graph.constant(-np.asarray(offsets)[np.newaxis]))  # fmt: skip
    first = graph.add("Clip", graph.add("Sigmoid", power), graph.constant(_LEAST), graph.constant(1.0 - _LEAST))
    second = graph.add("Sub", graph.constant(1.0), first)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    # Beside each other all first ones, all second ones, and a zero for each class and itself.
    zero = graph.add("Mul", graph.add("Gather", first, graph.constant([0]), axis=1), graph.constant(0.0))
    wide = graph.add("Concat", first, second, zero, axis=1)
    place = {pair: index for index, pair in enumerate(pairs)}
    order = [
        place[i, j] if i < j else place[j, i] + len(pairs) if j < i else 2 * len(pairs)
        for i in range(count)
        for j in range(count)
    ]
    flat = graph.add("Gather", wide, graph.constant(order), axis=1)
    shares = graph.add("Reshape", flat, graph.constant([-1, count, count]))
    return graph.inline(_rounds(count), {"shares": shares})["coupled"]


class _Nodes:
    """Nodes of a graph whose constants are its own."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{self._prefix}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: Any, dtype: Any = np.float64) -> str:
        name = f"{self._prefix}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype=dtype), name))
        return name


def _rounds(count: int) -> onnx.ModelProto:
    """A model of the rounds: from the shares of pairs [rows, classes, classes] to probabilities [rows, classes]."""
    outer = _Nodes("outer")
    swapped = outer.add("Transpose", "shares", perm=[0, 2, 1])
    product = outer.add("Neg", outer.add("Mul", "shares", swapped))
    squares = outer.add("Mul", "shares", "shares")
    own = outer.add("ReduceSum", squares, outer.constant([1], np.int64), keepdims=1)
    diagonal = outer.add("Mul", own, outer.constant(np.eye(count)[np.newaxis]))
    outer.add("Add", product, diagonal, output="matrix")
    rows = outer.add("ReduceSum", "shares", outer.constant([2], np.int64), keepdims=0)
    start = outer.add("Add", outer.add("Mul", rows, outer.constant(0.0)), outer.constant(1.0 / count))
    most = outer.constant(max(_ROUNDS, count), np.int64)
    loop = helper.make_node("Loop", [most, "", start], ["coupled"], name="rounds", body=_body(count))
    graph = helper.make_graph(
        [*outer.nodes, loop],
        "coupling",
        [helper.make_tensor_value_info("shares", TensorProto.DOUBLE, ["rows", count, count])],
        [helper.make_tensor_value_info("coupled", TensorProto.DOUBLE, ["rows", count])],
        outer.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSETS[""])], ir_version=IR_VERSION)


def _body(count: int) -> onnx.GraphProto:
    """One round; rows that are near enough keep what they have."""
    body = _Nodes("round")
    product, total = _products(body, "given")
    error = body.add("Abs", body.add("Sub", product, total))
    largest = body.add("ReduceMax", error, body.constant([1], np.int64), keepdims=1)
    done = body.add("Less", largest, body.constant(_PRECISION / count))
    share = "given"
    for place in range(count):
        share, product, total = _step(body, share, product, total, place, count)
    body.add("Where", done, "given", share, output="taken")
    left = body.add("ReduceMax", body.add("Cast", body.add("Not", done), to=TensorProto.INT64), keepdims=0)
    body.add("Cast", left, output="goes_on", to=TensorProto.BOOL)
    return helper.make_graph(
        body.nodes,
        "round",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("given", TensorProto.DOUBLE, ["rows", count]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("taken", TensorProto.DOUBLE, ["rows", count]),
        ],
        body.constants,
    )


def _products(body: _Nodes, share: str) -> tuple[str, str]:
    """The matrix times the probabilities [rows, classes], and that times them [rows, 1]."""
    column = body.add("Unsqueeze", share, body.constant([2], np.int64))
    product = body.add("Squeeze", body.add("MatMul", "matrix", column), body.constant([2], np.int64))
    total = body.add("ReduceSum", body.add("Mul", share, product), body.constant([1], np.int64), keepdims=1)
    return product, total


def _step(body: _Nodes, share: str, product: str, total: str, place: int, count: int) -> tuple[str, str, str]:
    """Change the probability of one class, and make all sum to one again."""
    index = [place]
    mine = body.add("Gather", product, body.constant(index, np.int64), axis=1)
    row = body.add("Squeeze", body.add("Gather", "matrix", body.constant(index, np.int64), axis=1),
                   body.constant([1], np.int64))  # fmt: skip
    own = body.add("Gather", row, body.constant(index, np.int64), axis=1)
    change = body.add("Div", body.add("Sub", total, mine), own)
    scale = body.add("Add", change, body.constant(1.0))
    mark = np.zeros((1, count))
    mark[0, place] = 1.0
    only = body.add("Mul", change, body.constant(mark))
    share = body.add("Div", body.add("Add", share, only), scale)
    twice = body.add("Mul", mine, body.constant(2.0))
    grown = body.add("Mul", change, body.add("Add", body.add("Mul", change, own), twice))
    total = body.add("Div", body.add("Div", body.add("Add", total, grown), scale), scale)
    product = body.add("Div", body.add("Add", product, body.add("Mul", change, row)), scale)
    return share, product, total
