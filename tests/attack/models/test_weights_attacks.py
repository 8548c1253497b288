"""Weights in files of their own: what runs is what was hashed, also when somebody writes the store afterwards."""

import json
import os

import numpy as np
import onnx
import pytest
import rfc8785
from onnx import TensorProto, helper

from sealift.errors import CorruptError, MalformedError, SelfTestError
from sealift.model import Model
from sealift.model.trial.process import run_in_child

WIDTH = 1024
ROWS = 1024  # 4 MiB a shard: large enough to be sealed


def weights_model(name="big", version="1.0.0", shards=2, *, location=None, dtype=TensorProto.FLOAT, scale=1):
    """y = the sum over shards of w[index]; golden examples included."""
    generator = np.random.default_rng(7)
    files, initializers, nodes, total = {}, [], [], np.zeros((2, WIDTH), np.float32)
    index = np.array([0, ROWS - 1])
    for number in range(shards):
        shard = "model.onnx.data" + (f".{number}" if number else "")
        values = (generator.integers(-9, 9, (ROWS, WIDTH)) * scale).astype(np.float32)
        total += values[index]
        data = values.astype(helper.tensor_dtype_to_np_dtype(dtype)).tobytes()
        files[shard] = data
        tensor = TensorProto(name=f"w{number}", data_type=dtype, dims=[ROWS, WIDTH], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location or shard), ("offset", 0), ("length", len(data))):
            tensor.external_data.add(key=key, value=str(value))
        initializers.append(tensor)
        nodes.append(helper.make_node("Gather", [f"w{number}", "index"], [f"g{number}"]))
        nodes.append(helper.make_node("Cast", [f"g{number}"], [f"f{number}"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Sum", [f"f{number}" for number in range(shards)], ["y"]))
    graph = helper.make_graph(
        nodes,
        "big",
        [helper.make_tensor_value_info("index", TensorProto.INT64, ["rows"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", WIDTH])],
        initializers,
    )
    files["model.onnx"] = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8
    ).SerializeToString()
    request = {"name": "index", "datatype": "INT64", "shape": [2], "data": index.tolist()}
    answer = {"name": "y", "datatype": "FP32", "shape": [2, WIDTH], "data": total.ravel().tolist()}
    documents = {
        "model.json": {
            "schema": "sealift.model/1",
            "name": name,
            "version": version,
            "task": "tensors",
            "interface": "tensors",
            "inputs": [{"name": "index", "dtype": "int64", "shape": ["rows"]}],
            "outputs": [
                {"name": "y", "dtype": "float32", "shape": ["rows", WIDTH], "role": "raw", "returns": "float32"}
            ],
            "requires": {"onnxruntime": "1.17.0", "ir_version": 8, "opsets": {"ai.onnx": 18}},
            "tolerance": {"atol": 0.0, "rtol": 0.0},
            "source": {},
            "conversion": {"rung": "ready-made"},
            "parity": {},
        },
        "golden.json": {
            "schema": "sealift.golden/1",
            "examples": [{"request": {"inputs": [request]}, "response": {"outputs": [answer]}}],
        },
    }
    for file, document in documents.items():
        files[file] = rfc8785.dumps(json.loads(json.dumps(document)))
    return files


def everything(model):
    return model.run({"index": np.arange(ROWS)})["y"]


@pytest.fixture
def installed(channel, instance, tmp_path):
    channel.add("big", "1.0.0", weights_model())
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "big.tar"))
    return instance


def shard_of(instance, name="model.onnx.data.1"):
    return instance.store_path / "models/big/1.0.0" / name


def test_weights_overwritten_under_a_running_model(installed):
    """No page of these weights was touched between loading and overwriting; a mapping of the file would show it."""
    model = installed.store.load("big")
    for name in ("model.onnx.data", "model.onnx.data.1"):
        path = shard_of(installed, name)
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
    expected = everything(Model.from_files(weights_model()))
    assert np.array_equal(everything(model), expected)
    assert np.array_equal(everything(installed.store.load("big")), expected)
    del model
    with pytest.raises(CorruptError, match="was changed in the store"):
        installed.store.load("big")


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"y" + data[1:]])
def test_a_shard_of_another_content(change, installed, refused):
    path = shard_of(installed)
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(change(data))
    with refused(CorruptError):
        installed.store.load("big")


def test_a_shard_swapped_for_a_link(installed, refused, tmp_path):
    path = shard_of(installed)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with refused(CorruptError, "cannot be opened"):
        installed.store.load("big")


@pytest.mark.parametrize("place", ["stray.bin", "model.json", "../outside.bin", "/etc/hostname"])
def test_a_graph_that_names_a_stray_file(place, tmp_path, monkeypatch):
    """ONNX Runtime takes the file from the working directory; we refuse before it is asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stray.bin").write_bytes(bytes(ROWS * WIDTH * 4))
    files = weights_model(shards=1, location=place)
    with pytest.raises(MalformedError, match="expected one of the model's own shards"):
        Model.from_files(files)
    del files["model.onnx.data"]
    with pytest.raises(MalformedError, match="expected one of the model's own shards: none"):
        Model.from_files(files)


def test_onnxruntime_itself_takes_the_stray_file(tmp_path, monkeypatch):
    """The reason for the check above. If this fails, ONNX Runtime has become stricter: keep the check."""
    import onnxruntime

    monkeypatch.chdir(tmp_path)
    (tmp_path / "stray.bin").write_bytes(np.full(ROWS * WIDTH, 5, np.float32).tobytes())
    files = weights_model(shards=1, location="stray.bin")
    session = onnxruntime.InferenceSession(files["model.onnx"])
    assert np.all(session.run(None, {"index": np.array([1])})[0] == 5)


def test_a_model_with_a_stray_location_is_never_packed_past_the_self_test(tmp_path):
    for name, data in weights_model(shards=1, location="model.json").items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(MalformedError, match="own shards"):
        run_in_child(tmp_path, "big 1.0.0")


def test_the_self_test_maps_weights_and_copies_none(tmp_path):
    """Its memory limit counts private memory: 32 MB of weights pass where there is room for ONNX Runtime alone."""
    for name, data in weights_model(shards=8).items():
        (tmp_path / name).write_bytes(data)
    assert run_in_child(tmp_path, "big 1.0.0").rows == 2
    changed = tmp_path / "model.onnx.data.3"
    changed.write_bytes(bytes(changed.stat().st_size))
    with pytest.raises(SelfTestError, match="differs"):
        run_in_child(tmp_path, "big 1.0.0")


@pytest.mark.parametrize("way", ["buffers", "values", "files"])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8])
def test_every_way_to_hand_over_weights_gives_the_same_answers(way, dtype, monkeypatch):
    from sealift.model.runtime import session

    files = weights_model(dtype=dtype)
    if way != "buffers":
        monkeypatch.setattr(session, "_USE_BUFFERS_SINCE", (999,))
    if way == "files":
        monkeypatch.setattr(session, "_has_numpy_types", lambda _: False)
    model = Model.from_files(files)
    shards = [name for name in files if name.startswith("model.onnx.data")]
    numbers = [np.frombuffer(files[name], helper.tensor_dtype_to_np_dtype(dtype)) for name in shards]
    expected = sum(values.astype(np.float32) for values in numbers).reshape(ROWS, WIDTH)
    del files
    assert np.array_equal(everything(model), expected)


def test_bfloat16_weights(monkeypatch):
    model = Model.from_files(weights_model(dtype=TensorProto.BFLOAT16))
    assert np.array_equal(everything(model), everything(Model.from_files(weights_model())))


def test_answers_outlive_the_model():
    """A graph may answer its weights as they are; the answer must not point into memory that is gone."""
    import gc

    files = weights_model(shards=1)
    graph = onnx.load_from_string(files["model.onnx"])
    graph.graph.node.append(helper.make_node("Identity", ["w0"], ["whole"]))
    graph.graph.output.append(helper.make_tensor_value_info("whole", TensorProto.FLOAT, [ROWS, WIDTH]))
    described = json.loads(files["model.json"])
    described["outputs"].append(
        {"name": "whole", "dtype": "float32", "shape": [ROWS, WIDTH], "role": "raw", "returns": "float32"}
    )
    files |= {"model.onnx": graph.SerializeToString(), "model.json": json.dumps(described).encode()}
    expected = np.frombuffer(files["model.onnx.data"], np.float32).reshape(ROWS, WIDTH).copy()
    answer = Model.from_files(files).run({"index": np.array([0])})["whole"]
    assert not np.shares_memory(answer, np.frombuffer(files["model.onnx.data"], np.float32))
    del files
    gc.collect()
    assert np.array_equal(answer, expected)
