"""Graphs whose weights lie where nobody signed them: refused before anything reads them."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from support.hostile.graphs import ADD, RELU, X, Y, files, graph, outside

from sealift.errors import MalformedError
from sealift.model import Model
from sealift.model.runtime.external_data import external_tensors

LOCATIONS = [
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "weights.bin",
    "./weights.bin",
    "link/weights.bin",
    "link",
    "model.onnx.data",
    "./model.onnx.data",
    "MODEL.ONNX.DATA",
    "model.onnx.data.1",
    "model.onnx",
    "model.json",
    "/proc/self/mem",
    "/proc/self/environ",
    "/dev/zero",
    "file:///etc/passwd",
    "*/_ORT_MEM_ADDR_/*",
    "",
    ".",
    "\u2024\u2024/x",
]


@pytest.mark.parametrize("location", LOCATIONS, ids=ascii)
def test_weights_in_a_file_that_nobody_signed(location, tmp_path, monkeypatch):
    """Also where such a file lies in the directory that the application stands in."""
    monkeypatch.chdir(tmp_path)
    for name in ("weights.bin", "model.onnx.data", "model.onnx", "model.json"):
        np.full(4, 7, np.float32).tofile(name)
    (tmp_path / "link").symlink_to(tmp_path)
    made = graph(ADD, weights=[outside(location)])
    with pytest.raises(MalformedError, match="lies in"):
        Model.from_files(files(made))


def test_weights_at_an_address_in_memory():
    made = graph(ADD, weights=[outside("*/_ORT_MEM_ADDR_/*", offset="4096")])
    with pytest.raises(MalformedError, match="_ORT_MEM_ADDR_"):
        Model.from_files(files(made))


def test_weights_in_a_shard_of_the_model():
    data = np.array([1, 2, 3, 4], np.float32).tobytes()
    model = Model.from_files({**files(graph(ADD, weights=[outside("model.onnx.data")])), "model.onnx.data": data})
    assert model.run({"x": np.zeros((1, 4), np.float32)})["y"].tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("offset", "length"), [("0", "1000"), ("-4", "16"), ("4096", "16"), (str(2**63), "16"), ("x", "16")]
)
def test_weights_beyond_their_shard(offset, length):
    made = graph(ADD, weights=[outside("model.onnx.data", offset=offset, length=length)])
    with pytest.raises(MalformedError, match="tensor 'w' of the graph"):
        Model.from_files({**files(made), "model.onnx.data": bytes(16)})


def _hidden():
    """External tensors in every other place of a graph."""
    tensor = outside("weights.bin")
    inner = helper.make_graph([helper.make_node("Identity", ["w"], ["o"])], "inner", [], [Y], [tensor])
    sparse = onnx.SparseTensorProto(values=tensor, indices=numpy_helper.from_array(np.arange(4)), dims=[4])
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    several = helper.make_node("Several", [], ["w"], domain="com.evil")
    several.attribute.append(onnx.AttributeProto(name="t", type=onnx.AttributeProto.TENSORS, tensors=[tensor]))
    several_sparse = helper.make_node("Several", [], ["w"], domain="com.evil")
    several_sparse.attribute.append(
        onnx.AttributeProto(name="t", type=onnx.AttributeProto.SPARSE_TENSORS, sparse_tensors=[sparse])
    )
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    several_graphs = helper.make_node("Several", [], ["y"], domain="com.evil")
    several_graphs.attribute.append(onnx.AttributeProto(name="g", type=onnx.AttributeProto.GRAPHS, graphs=[inner]))
    function = helper.make_function("com.evil", "F", ["x"], ["y"], [constant, ADD], [helper.make_opsetid("", 18)])
    defaults = helper.make_function(
        "com.evil",
        "F",
        ["x"],
        ["y"],
        [ADD],
        [helper.make_opsetid("", 18)],
        attribute_protos=[onnx.AttributeProto(name="d", type=onnx.AttributeProto.TENSOR, t=tensor)],
    )
    training = helper.make_model(helper.make_graph([RELU], "g", [X], [Y]), opset_imports=[helper.make_opsetid("", 18)])
    training.training_info.add(algorithm=inner)
    in_sparse = helper.make_graph([ADD], "g", [X], [Y])
    in_sparse.sparse_initializer.append(sparse)
    return {
        "a constant": graph(constant, ADD),
        "a sparse constant": graph(helper.make_node("Constant", [], ["w"], sparse_value=sparse), ADD),
        "a list of tensors": graph(several, ADD),
        "a list of sparse tensors": graph(several_sparse, ADD),
        "a branch": graph(branch),
        "a list of graphs": graph(several_graphs),
        "a function": graph(helper.make_node("F", ["x"], ["y"], domain="com.evil"), functions=[function]),
        "a default of a function": graph(helper.make_node("F", ["x"], ["y"], domain="com.evil"), functions=[defaults]),
        "training": training.SerializeToString(),
        "a sparse initializer": helper.make_model(
            in_sparse, opset_imports=[helper.make_opsetid("", 18)]
        ).SerializeToString(),
    }


HIDDEN = _hidden()


@pytest.mark.parametrize("place", HIDDEN)
def test_weights_outside_are_found_wherever_they_hide(place):
    with pytest.raises(MalformedError, match="another file"):
        external_tensors(HIDDEN[place], {"weights.bin": 1000})


def test_two_places_for_one_tensor():
    tensor = outside("model.onnx.data")
    tensor.external_data.add(key="location", value="weights.bin")
    with pytest.raises(MalformedError, match="location"):
        external_tensors(graph(ADD, weights=[tensor]), {"model.onnx.data": 1000})
