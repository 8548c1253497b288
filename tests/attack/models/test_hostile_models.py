"""Graphs that a malicious signer would release: refused by class, in this process or by the end of a child."""

import json
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.hostile import bundles as hostile
from support.hostile.graphs import FOREIGN, RELU, X, files, graph, self_test, write
from support.release.channel_simulator import toy_files

from sealift.errors import Error, IncompatibleError, InputError, MalformedError, SelfTestError
from sealift.model import Model
from sealift.model.runtime.header import read_header


def test_the_model_around_the_graph_is_a_good_one(channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    report = instance.install(hostile.sign(channel, tmp_path / "good.tar", files=files(graph(RELU))))
    assert report.examples == {"toy:1.0.0": 1}


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
