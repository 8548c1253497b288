"""The table of a graph's external tensors: complete, and nothing but the model's own shards."""

import mmap

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.runtime import wire
from sealift.model.runtime.external_data import ExternalTensor, external_tensors

SHARDS = {"model.onnx.data": 4096, "model.onnx.data.1": 64}


def tensor(name="w", dims=(4, 2), kind=TensorProto.FLOAT, **entries):
    made = TensorProto(name=name, data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "model.onnx.data", "offset": 0, **entries}.items():
        if value is not None:
            made.external_data.add(key=key, value=str(value))
    return made


def model(*initializers, nodes=(), functions=()):
    graph = helper.make_graph(list(nodes), "g", [], [], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], functions=list(functions))


def found(*initializers, **more):
    return external_tensors(model(*initializers, **more).SerializeToString(), SHARDS)


def test_every_field_is_read():
    inline = numpy_helper.from_array(np.arange(6), "location")
    got = found(
        inline,
        tensor("a", length=32),
        tensor("b", (3,), TensorProto.BFLOAT16, location="model.onnx.data.1", offset=8, length=6, checksum="x"),
        tensor("c", (3,), TensorProto.INT4, offset=32),
        tensor("d", (), TensorProto.DOUBLE, offset=64),
        tensor("e", (0, 5), offset=4096),
    )
    assert got == (
        ExternalTensor("a", "float32", (4, 2), "model.onnx.data", 0, 32),
        ExternalTensor("b", "", (3,), "model.onnx.data.1", 8, 6),
        ExternalTensor("c", "", (3,), "model.onnx.data", 32, 2),
        ExternalTensor("d", "float64", (), "model.onnx.data", 64, 8),
        ExternalTensor("e", "float32", (0, 5), "model.onnx.data", 4096, 0),
    )


def test_a_map_is_read_like_bytes():
    data = model(tensor()).SerializeToString()
    memory = mmap.mmap(-1, len(data))
    memory[:] = data
    assert external_tensors(memory, SHARDS) == external_tensors(data, SHARDS) != ()


def test_every_type_of_onnx_has_the_width_that_onnx_gives_it():
    for kind in TensorProto.DataType.values():
        if kind in (TensorProto.UNDEFINED, TensorProto.STRING):
            with pytest.raises(MalformedError, match="expected numbers"):
                found(tensor(kind=kind))
            continue
        expected = helper.tensor_dtype_to_np_dtype(kind)
        (got,) = found(tensor(kind=kind, dims=(8,)))
        if got.dtype:
            assert np.dtype(got.dtype) == expected
            assert got.length == 8 * expected.itemsize
        else:
            assert expected.name not in {np.dtype(code).name for code in np.typecodes["All"]}
            assert got.length == len(numpy_helper.from_array(np.zeros(8, expected), "x").raw_data)


def test_tied_weights_may_share_their_place():
    assert len(found(tensor("a"), tensor("b"))) == 2


@pytest.mark.parametrize(
    "location",
    ["", "/etc/passwd", "../model.onnx.data", "./model.onnx.data", "model.onnx.data.2", "model.json", "stray.bin"],
)
def test_a_place_outside_the_model(location):
    with pytest.raises(MalformedError, match="expected one of the model's own shards"):
        found(tensor(location=location, length=32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 31}, "has 31 bytes; expected 32"),
        ({"length": 33}, "has 33 bytes; expected 32"),
        ({"offset": 4065}, "ends at byte 4,097"),
        ({"offset": "99999999999999999999"}, "expected a number of bytes"),
        ({"offset": "-1"}, "expected a number of bytes"),
        ({"offset": "0x10"}, "expected a number of bytes"),
        ({"offset": "²"}, "expected a number of bytes"),
        ({"offset": ""}, "expected a number of bytes"),
        ({"dims": (-1, -8)}, "has the shape"),
        ({"dims": (1 << 62, 1 << 62)}, "has the shape"),
        ({"dims": (1,) * 17}, "at most 16 lengths"),
        ({"prepacked_0": "x|0;8;0"}, "expected each of"),
    ],
)
def test_a_place_that_cannot_be(change, message):
    with pytest.raises(MalformedError, match=message):
        found(tensor(**change))


def test_a_key_twice():
    twice = tensor()
    twice.external_data.add(key="location", value="model.onnx.data.1")
    with pytest.raises(MalformedError, match="at most once"):
        found(twice)


def test_a_name_twice_and_an_overlap():
    with pytest.raises(MalformedError, match="twice"):
        found(tensor("a"), tensor("a", offset=64))
    with pytest.raises(MalformedError, match="overlap at byte 16"):
        found(tensor("a"), tensor("b", offset=16))


def test_the_flag_alone_and_the_entries_alone_both_count():
    flagged = TensorProto(name="location", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    unflagged = tensor(location="stray.bin")
    unflagged.ClearField("data_location")
    for hidden in (flagged, unflagged):
        with pytest.raises(MalformedError, match="own shards"):
            found(hidden)


def _subgraph(value):
    return helper.make_graph([], "inner", [], [], [value])


@pytest.mark.parametrize(
    "attribute",
    [
        {"value": tensor()},
        {"values": [tensor()]},
        {"then_branch": _subgraph(tensor())},
        {"branches": [_subgraph(tensor())]},
        {"sparse": onnx.SparseTensorProto(values=tensor(), indices=tensor("i"), dims=[3])},
    ],
    ids=lambda attribute: next(iter(attribute)),
)
def test_external_data_below_the_main_graph(attribute):
    node = helper.make_node("Any", [], ["x"], **attribute)
    function = helper.make_function("own", "F", [], ["x"], [node], [helper.make_opsetid("", 18)])
    for more in ({"nodes": [node]}, {"functions": [function]}):
        with pytest.raises(MalformedError, match="only of the main graph's initializers"):
            found(**more)


def test_a_sparse_initializer():
    made = model()
    made.graph.sparse_initializer.add(values=tensor(), indices=tensor("i"), dims=[3])
    with pytest.raises(MalformedError, match="only of the main graph's initializers"):
        external_tensors(made.SerializeToString(), SHARDS)


def test_a_message_in_two_parts():
    """Parsers merge them: one part alone looks harmless."""
    data = model(tensor()).SerializeToString()
    with pytest.raises(MalformedError, match="several parts"):
        external_tensors(data + data, SHARDS)


def test_a_graph_too_deep():
    inner = _subgraph(tensor())
    for _ in range(LIMITS.graph_depth // 3 + 1):
        inner = helper.make_graph([helper.make_node("If", [], [], then_branch=inner)], "g", [], [])
    with pytest.raises(LimitError, match="deep"):
        external_tensors(helper.make_model(inner).SerializeToString(), SHARDS)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_graph_cut_short(cut):
    data = model(tensor()).SerializeToString()
    with pytest.raises(MalformedError, match=r"not an ONNX model|own shards|has the offset"):
        external_tensors(data[:-cut], SHARDS)


def test_millions_of_numbers_are_passed_over(monkeypatch):
    """A forest's arrays are not walked number by number: that would take seconds."""
    read = []
    varint = wire.varint
    monkeypatch.setattr(wire, "varint", lambda *place: read.append(place) or varint(*place))
    node = helper.make_node("Trees", ["location"], ["y"], thresholds=np.zeros(100_000, np.float32).tolist())
    assert len(found(tensor(), nodes=[node])) == 1
    assert len(read) < 200
