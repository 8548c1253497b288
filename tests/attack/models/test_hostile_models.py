"""Graphs that a malicious signer would release: refused by class, in this process or by the end of a child."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.hostile import bundles as hostile
from support.release.channel_simulator import renamed, toy_files

from sealift.errors import Error, IncompatibleError, InputError, MalformedError, SelfTestError
from sealift.model import Model
from sealift.model.runtime.external_data import external_tensors
from sealift.model.runtime.header import read_header
from sealift.model.trial.process import run_in_child

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
RELU = helper.make_node("Relu", ["x"], ["y"])


def self_test(directory, timeout_s=120, memory_bytes=None):
    """The one place that knows how an install tries a model out."""
    return run_in_child(directory, "toy 1.0.0", timeout_s=timeout_s, memory_bytes=memory_bytes)


def graph(*nodes, inputs=(X,), outputs=(Y,), weights=(), opsets=None, ir_version=8, functions=(), metadata=None):
    made = helper.make_model(
        helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(weights)),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 18}).items()],
        ir_version=ir_version,
        functions=list(functions),
    )
    helper.set_model_props(made, metadata or {})
    return made.SerializeToString()


def files(graph_bytes, *, ir_version=8, opsets=None, inputs=None, outputs=None, answer=None, **more):
    """A model of one tensor in and one out around a graph; the golden answer is that of Relu."""
    rows = np.array([[-1, 2, -3, 4]], dtype=np.float32)
    tensor = {"name": "x", "dtype": "float32", "shape": ["n", 4], "columns": []}
    output = {"name": "y", "dtype": "float32", "shape": ["n", 4], "role": "raw", "returns": "float32"}
    document = json.loads(renamed(toy_files(), "toy", "1.0.0")["model.json"])
    document |= {"interface": "tensors", "task": "tensors", "classes": None}
    document |= {"inputs": inputs or [tensor], "outputs": outputs or [output]}
    document["requires"] |= {"ir_version": ir_version, "opsets": opsets or {"ai.onnx": 18}}
    answered = np.maximum(rows, 0) if answer is None else answer
    golden = {
        "schema": "sealift.golden/1",
        "examples": [{"request": {"inputs": [_v2("x", rows)]}, "response": {"outputs": [_v2("y", answered)]}}],
    }
    encoded = {"model.json": json.dumps(document).encode(), "golden.json": json.dumps(golden).encode()}
    return {"model.onnx": graph_bytes, **encoded, **more}


def _v2(name, array):
    return {"name": name, "datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}


def write(directory, content):
    for name, data in content.items():
        (directory / name).write_bytes(data)
    return directory


@pytest.fixture
def refuse(channel, instance, refused, tmp_path):
    """Sign, install, and assert that the child's refusal leaves nothing."""

    def check(content, match, error=(SelfTestError, MalformedError, IncompatibleError)):
        instance.pin(channel.root_bytes)
        bundle = hostile.sign(channel, tmp_path / "hostile.tar", files=content)
        beside = sorted(os.listdir(tmp_path))
        with refused(error, match):
            instance.install(bundle)
        assert not (instance.store_path / "staging").exists()
        assert not (instance.store_path / "models").exists()
        assert sorted(os.listdir(tmp_path)) == beside

    return check


def test_the_model_around_the_graph_is_a_good_one(channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    report = instance.install(hostile.sign(channel, tmp_path / "good.tar", files=files(graph(RELU))))
    assert report.examples == {"toy:1.0.0": 1}


def outside(location, name="w", **more):
    """A tensor whose values are in a file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "length": "16", **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


ADD = helper.make_node("Add", ["x", "w"], ["y"])
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


FOREIGN = {
    "an unknown domain": graph(
        helper.make_node("Evil", ["x"], ["y"], domain="com.evil"), opsets={"": 18, "com.evil": 1}
    ),
    "an unknown operator": graph(helper.make_node("System", ["x"], ["y"])),
    "Python operators": graph(
        helper.make_node("PyOp", ["x"], ["y"], domain="ai.onnx.contrib"), opsets={"": 18, "ai.onnx.contrib": 1}
    ),
    "a cache of another provider": graph(
        helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", ep_cache_context="../../x", embed_mode=0),
        opsets={"": 18, "com.microsoft": 1},
    ),
    "a function that calls itself": graph(
        helper.make_node("F", ["x"], ["y"], domain="com.evil"),
        opsets={"": 18, "com.evil": 1},
        functions=[
            helper.make_function(
                "com.evil",
                "F",
                ["x"],
                ["y"],
                [helper.make_node("F", ["x"], ["y"], domain="com.evil")],
                [helper.make_opsetid("", 18), helper.make_opsetid("com.evil", 1)],
            )
        ],
    ),
    "an operator set without its operators": graph(RELU, opsets={"": 4}),
    "two nodes of one output": graph(RELU, RELU),
    "a cycle": graph(
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ),
    "an input that nobody gives": graph(helper.make_node("Relu", ["z"], ["y"])),
    "no node": graph(),
    "a tensor shorter than its shape": graph(
        ADD, weights=[TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], raw_data=b"\0")]
    ),
    "a tensor of a negative shape": graph(
        ADD, weights=[TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-4], raw_data=bytes(16))]
    ),
    "a tensor of a huge shape": graph(
        ADD, weights=[TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**31, 2**31, 4], raw_data=bytes(16))]
    ),
    "a tensor of an unknown type": graph(
        ADD, weights=[TensorProto(name="w", data_type=99, dims=[4], raw_data=bytes(16))]
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_graph_that_onnxruntime_refuses(what, tmp_path):
    """In a child, as an install does it: some of these are known to crash other versions."""
    opsets = {"ai.onnx": 18, "com.evil": 1, "com.microsoft": 1, "ai.onnx.contrib": 1}
    with pytest.raises((SelfTestError, IncompatibleError, MalformedError), match=r"(failed|crashed) its self-test"):
        self_test(write(tmp_path, files(FOREIGN[what], opsets=opsets)))


@pytest.mark.parametrize("said", ["what is in it", "less than is in it"])
def test_a_newer_ir_version(said):
    described = 99 if said == "what is in it" else 8
    error = IncompatibleError if described == 99 else MalformedError
    with pytest.raises(error, match="IR version"):
        Model.from_files(files(graph(RELU, ir_version=99), ir_version=described))


@pytest.mark.parametrize("said", ["what is in it", "less than is in it", "nothing"])
def test_newer_operators(said):
    opsets = {"what is in it": {"": 99}, "less than is in it": {"": 18}, "nothing": {"com.evil": 1}}[said]
    error = IncompatibleError if said == "what is in it" else MalformedError
    with pytest.raises(error, match=r"[Oo]pset|imports 'ai\.onnx' 99"):
        Model.from_files(files(graph(RELU, opsets={"": 99}), opsets=opsets))


def test_a_runtime_that_is_not_here():
    content = files(graph(RELU))
    document = json.loads(content["model.json"])
    document["requires"]["onnxruntime"] = "999.0.0"
    with pytest.raises(IncompatibleError, match=r"needs onnxruntime 999\.0\.0 or newer"):
        Model.from_files({**content, "model.json": json.dumps(document).encode()})


def _tensor(**changes):
    return [{"name": "x", "dtype": "float32", "shape": ["n", 4], "columns": []} | changes]


def _output(**changes):
    return [{"name": "y", "dtype": "float32", "shape": ["n", 4], "role": "raw", "returns": "float32"} | changes]


@pytest.mark.parametrize(
    "described",
    [
        {"inputs": _tensor(name="z")},
        {"inputs": [*_tensor(), *_tensor(name="z")]},
        {"inputs": _tensor(dtype="float64")},
        {"inputs": _tensor(dtype="string")},
        {"inputs": _tensor(dtype="float16")},
        {"inputs": _tensor(shape=["n", 5])},
        {"inputs": _tensor(shape=["n"])},
        {"inputs": _tensor(shape=["n", 4, 1])},
        {"inputs": _tensor(shape=[])},
        {"outputs": _output(name="z")},
        {"outputs": [*_output(), *_output(name="z")]},
        {"outputs": _output(dtype="int64")},
        {"outputs": _output(shape=["n", 3])},
        {"outputs": _output(shape=["n", 4, 4])},
    ],
    ids=str,
)
def test_inputs_and_outputs_that_differ(described):
    with pytest.raises(MalformedError, match=r"model\.json says|has the"):
        Model.from_files(files(graph(RELU), **described))


def test_an_output_of_which_the_graph_says_no_shape():
    unsaid = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    for shape in ([], ["n", 4]):
        Model.from_files(files(graph(RELU, outputs=[unsaid]), outputs=_output(shape=shape)))


def test_an_input_that_model_json_does_not_name():
    two = helper.make_node("Add", ["x", "z"], ["y"])
    other = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 4])
    with pytest.raises(MalformedError, match=r"has the inputs \['x', 'z'\]"):
        Model.from_files(files(graph(two, inputs=[X, other])))


def ort_format(tmp_path):
    """The same graph as ONNX Runtime itself saves it: it would load these bytes without a word."""
    script = (
        "import sys\nfrom sealift.model.runtime.onnx import onnxruntime as o\n"
        "s = o.SessionOptions()\ns.optimized_model_filepath = sys.argv[2]\n"
        "s.add_session_config_entry('session.save_model_format', 'ORT')\n"
        "o.InferenceSession(sys.argv[1], s, providers=['CPUExecutionProvider'])\n"
    )
    source, made = tmp_path / "source.onnx", tmp_path / "made.ort"
    source.write_bytes(graph(RELU))
    subprocess.run([sys.executable, "-c", script, str(source), str(made)], check=True, capture_output=True)
    data = made.read_bytes()
    assert data[4:8] == b"ORTM"
    source.unlink()
    made.unlink()
    return data


def test_a_model_in_the_format_of_onnxruntime(refuse, tmp_path):
    refuse(files(ort_format(tmp_path)), "ONNX Runtime's own format")


def _varint(number):
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def _field(number, data):
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _nested(depth):
    """A graph in an attribute of a node of a graph, `depth` times."""
    inner = b""
    for _ in range(depth):
        inner = _field(1, _field(5, _field(6, inner)))
    return b"\x08\x08" + _field(7, inner) + _field(8, b"\x10\x12")


GOOD = graph(RELU)
BYTES = {
    "nothing": b"",
    "one byte": b"\x08",
    "text": b"hello world " * 100,
    "JSON": b'{"model": 1}',
    "a pickle": b"\x80\x05cposix\nsystem\n.",
    "an ELF file": b"\x7fELF\x02\x01\x01" + bytes(100),
    "a zip": b"PK\x03\x04" + bytes(100),
    "zeros": bytes(1000),
    "all ones": b"\xff" * 1000,
    "only an IR version": b"\x08\x08",
    "no operator sets": GOOD[: GOOD.rindex(b"B\x04\n\0\x10")] if b"B\x04\n\0\x10" in GOOD else b"\x08\x08",
    "no graph": b"\x08\x08" + _field(8, b"\x10\x12"),
    "two graphs": GOOD + _field(7, b""),
    "two IR versions": GOOD + b"\x08\x08",
    "one operator set twice": GOOD + _field(8, b"\x10\x12"),
    "one operator set under two names": GOOD + _field(8, _field(1, b"ai.onnx") + b"\x10\x63"),
    "a length beyond the end": GOOD + b"\x3a\xff\xff\xff\x7f",
    "a length of 2^63": GOOD + b"\x3a" + b"\xff" * 8 + b"\x7f",
    "a number that never ends": GOOD + b"\x08" + b"\xff" * 20,
    "a tag of many bytes": GOOD + b"\x88\x80\x80\x80\x80\x80\x00\x08",
    "field number zero": GOOD + b"\x00\x00",
    "an old group": GOOD + b"\x3b\x3c",
    "an end of a group": GOOD + b"\x3c",
    "a graph that is a number": b"\x08\x08\x38\x01" + _field(8, b"\x10\x12"),
    "an IR version that is text": _field(1, b"8") + GOOD,
    "a domain that is not UTF-8": GOOD + _field(8, _field(1, b"\xff")),
}


@pytest.mark.parametrize("what", BYTES)
def test_no_onnx_model(what):
    with pytest.raises(MalformedError, match=r"model\.onnx"):
        Model.from_files(files(BYTES[what]))


def test_a_graph_cut_short_anywhere(capsys):
    """Cut behind a whole field it can still be a message, but then it lacks the graph or its operator sets."""
    for length in range(len(GOOD)):
        with pytest.raises(MalformedError):
            read_header(GOOD[:length])
    whole = toy_files()["model.onnx"]
    for length in range(0, len(whole), 13):
        with pytest.raises((MalformedError, IncompatibleError)):
            Model.from_files(files(whole[:length]))
    with capsys.disabled():
        print(f"\na graph cut at {len(GOOD)} places, another at {len(whole) // 13}")


@pytest.mark.parametrize("depth", [34, 100, 20_000])
def test_nesting_without_end(depth, tmp_path):
    """Deeper than what Protocol Buffers follows; our own walk does not recurse."""
    made = _nested(depth)
    assert read_header(made).opsets == {"ai.onnx": 18}
    with pytest.raises((SelfTestError, IncompatibleError)):
        self_test(write(tmp_path, files(made)))


def test_settings_inside_the_graph(tmp_path, monkeypatch):
    """Where an environment variable lets it, ONNX Runtime would write a profile to the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    made = graph(RELU, metadata={"ort_config": json.dumps({"session_options": {"enable_profiling": 1}})})
    with pytest.raises(MalformedError, match="carries settings"):
        Model.from_files(files(made))
    assert list(tmp_path.iterdir()) == []


def test_metadata_that_only_looks_like_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = ("ep", "session.use_ort_model_bytes_directly", "optimized_model_filepath", "custom_ops_library")
    model = Model.from_files(files(graph(RELU, metadata=dict.fromkeys(keys, "/tmp/evil.so"))))  # noqa: S108 - never opened
    assert model.run({"x": -np.ones((1, 4), np.float32)})["y"].tolist() == [[0, 0, 0, 0]]
    assert list(tmp_path.iterdir()) == []


def _endless():
    """Relu, 2^62 times, until the condition is false, which it never is."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["still"]), helper.make_node("Relu", ["s"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, ["n", 4]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["n", 4]),
        ],
    )
    weights = [numpy_helper.from_array(np.array(2**62), "trips"), numpy_helper.from_array(np.array(True), "go")]
    return graph(helper.make_node("Loop", ["trips", "go", "x"], ["y"], body=body), weights=weights)


@pytest.mark.slow
def test_a_graph_that_never_ends(tmp_path):
    with pytest.raises(SelfTestError, match="did not finish its self-test in 4 s"):
        self_test(write(tmp_path, files(_endless())), timeout_s=4)


def _hungry(constant):
    """100 GB of ones, made while the graph is loaded or while it runs."""
    size = numpy_helper.from_array(np.array([25_000_000_000]), "size")
    one = numpy_helper.from_array(np.array([1], np.float32))
    if constant:
        fill = helper.make_node("ConstantOfShape", ["size"], ["many"], value=one)
        nodes = [fill]
    else:
        nodes = [
            helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
            helper.make_node("Expand", ["top", "size"], ["many"]),
        ]
    total = helper.make_node("ReduceMax", ["many"], ["most"], keepdims=0)
    return graph(*nodes, total, helper.make_node("Add", ["x", "most"], ["y"]), weights=[size])


@pytest.mark.parametrize("constant", [True, False], ids=["constant", "at run time"])
def test_a_graph_that_needs_100_gb(constant, tmp_path):
    with pytest.raises(SelfTestError, match=r"needs more memory than the .* with `--self-test-memory [0-9]+GB`"):
        self_test(write(tmp_path, files(_hungry(constant))))


def test_a_child_that_is_killed_for_its_memory(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -KILL $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(SelfTestError, match="killed, as Linux does where memory runs out"):
        self_test(tmp_path)


def _wants(gigabytes):
    """A graph that makes a tensor of so many gigabytes when it runs."""
    shape = numpy_helper.from_array(np.array([round(gigabytes * 250), 1_000_000], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    return files(graph(*nodes, weights=[shape]))


def test_a_graph_gets_four_gigabytes_although_more_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr("sealift.model.trial.process.free_memory_bytes", lambda: 10**12)
    with pytest.raises(SelfTestError) as caught:
        self_test(write(tmp_path, _wants(8)))
    said = str(caught.value)
    assert "needs more memory than the 4.3 GB that it may allocate here (4.3 GB, and copies of its weights)" in said
    assert said.endswith("allow that with `--self-test-memory 9GB`")
    assert "\n" not in said


def test_a_graph_gets_what_it_is_allowed_and_no_more(tmp_path):
    directory = write(tmp_path, _wants(0.3))
    with pytest.raises(SelfTestError, match=r"than the 200\.0 MB .*`--self-test-memory 1GB`"):
        self_test(directory, memory_bytes=200_000_000)
    assert self_test(directory, memory_bytes=1_000_000_000).rows == 1


def test_a_machine_that_has_less_free_gives_less(tmp_path, monkeypatch):
    monkeypatch.setattr("sealift.model.trial.process.free_memory_bytes", lambda: 10**9)
    with pytest.raises(SelfTestError, match=r"than the 800\.0 MB that it may allocate here \(80% of what is free\)"):
        self_test(write(tmp_path, _wants(1)))


def test_copies_of_a_models_own_weights_do_not_count(tmp_path):
    weights = numpy_helper.from_array(np.zeros((20_000_000, 1), np.float32), "w")
    first = numpy_helper.from_array(np.array([0], np.int64), "i")
    nodes = [
        helper.make_node("Gather", ["w", "i"], ["zero"]),
        helper.make_node("Add", ["x", "zero"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    directory = write(tmp_path, files(graph(*nodes, weights=[weights, first])))
    assert self_test(directory, memory_bytes=200_000_000).rows == 1


@pytest.mark.parametrize("answer", ["{}", '{"memory_bytes": "1"}', '{"memory_bytes": true}', '{"memory_bytes": -1}'])
def test_a_child_whose_voice_was_taken(answer, tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nread question; echo {shlex.quote(answer)}; read question\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(SelfTestError, match="did not answer what it was asked"):
        self_test(tmp_path)


@pytest.mark.parametrize("signal", ["SEGV", "ABRT", "ILL", "BUS", "FPE"])
def test_a_graph_that_crashes_its_process(signal, refuse, tmp_path, monkeypatch):
    script = Path(tmp_path / "crash" / "python")
    script.parent.mkdir()
    # It says what it lacks, nothing, and dies of the model.
    answers = """read question; echo '{"problems": []}'; read question"""
    script.write_text(f"#!/bin/sh\nulimit -c 0\n{answers}\nkill -{signal} $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    refuse(files(graph(RELU)), f"crashed its self-test with SIG{signal}", SelfTestError)


@pytest.mark.parametrize(
    "said", ["", "not JSON", '{"rows": -1.5}', '{"rows": "1"}', "[]", '{"rows": true}', "\\377", '{"rows": 1']
)
def test_a_child_that_says_something_else(said, tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nprintf '%b' {shlex.quote(said)}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(SelfTestError, match="failed its self-test with status 0"):
        self_test(tmp_path)


def test_answers_that_were_changed_before_signing(refuse):
    refuse(files(graph(RELU), answer=np.array([[0, 2, 0, 4.5]], np.float32)), r"differs in 1 of 4 values; at \[0, 3\]")


def test_answers_of_another_shape(refuse):
    refuse(files(graph(RELU), answer=np.array([[0, 2, 0, 4]] * 2, np.float32)), "shape")


def test_another_graph_under_the_same_description(refuse):
    refuse(files(graph(helper.make_node("Neg", ["x"], ["y"]))), "differs in 4 of 4 values", SelfTestError)


def test_a_graph_of_not_a_number(refuse):
    refuse(files(graph(helper.make_node("Log", ["x"], ["y"]))), "differs in", SelfTestError)


@pytest.mark.parametrize("location", ["../../../../etc/passwd", "/etc/passwd", "model.json"])
def test_install_of_weights_outside(location, refuse):
    refuse(files(graph(ADD, weights=[outside(location)])), "lies in")


def test_install_of_an_unknown_operator(refuse):
    opsets = {"ai.onnx": 18, "com.evil": 1}
    refuse(files(FOREIGN["an unknown domain"], opsets=opsets), "no operators of domain 'com.evil'", IncompatibleError)


def test_text_with_a_nul():
    """NumPy and ONNX Runtime agree on it or it is refused; it is never cut short in silence."""
    text = helper.make_tensor_value_info("x", TensorProto.STRING, ["n"])
    out = helper.make_tensor_value_info("y", TensorProto.STRING, ["n"])
    described = {
        "inputs": _tensor(dtype="string", shape=["n"]),
        "outputs": _output(dtype="string", shape=["n"], returns="object"),
    }
    made = graph(helper.make_node("Identity", ["x"], ["y"]), inputs=[text], outputs=[out])
    model = Model.from_files(files(made, **described))
    try:
        assert model.run({"x": np.array(["a\0b"], object)})["y"].tolist() == ["a\0b"]
    except InputError as error:
        assert "NUL" in str(error)  # noqa: PT017 - one of two right answers


def test_half_a_surrogate_pair_in_a_text():
    text = helper.make_tensor_value_info("x", TensorProto.STRING, ["n"])
    out = helper.make_tensor_value_info("y", TensorProto.STRING, ["n"])
    described = {
        "inputs": _tensor(dtype="string", shape=["n"]),
        "outputs": _output(dtype="string", shape=["n"], returns="object"),
    }
    model = Model.from_files(
        files(graph(helper.make_node("Identity", ["x"], ["y"]), inputs=[text], outputs=[out]), **described)
    )
    with pytest.raises(InputError):
        model.run({"x": np.array(["\ud800"], object)})


def test_every_single_byte_of_a_graph(capsys):
    """Each byte in turn set to 0xff: a good model, or one of our refusals, and no other exception."""
    outcomes = {"accepted": 0, "refused": 0}
    for place in range(len(GOOD)):
        changed = GOOD[:place] + b"\xff" + GOOD[place + 1 :]
        try:
            Model.from_files(files(changed))
            outcomes["accepted"] += 1
        except Error:
            outcomes["refused"] += 1
    with capsys.disabled():
        print(f"\n{len(GOOD)} graphs with one byte changed: {outcomes}")
    assert outcomes["refused"] > outcomes["accepted"]
