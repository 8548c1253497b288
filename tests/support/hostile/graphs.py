"""Graphs and the model around them, as a malicious signer would make them."""

import json

import numpy as np
from onnx import TensorProto, helper
from support.release.channel_simulator import renamed, toy_files

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
        "examples": [
            {"request": {"inputs": [v2_tensor("x", rows)]}, "response": {"outputs": [v2_tensor("y", answered)]}}
        ],
    }
    encoded = {"model.json": json.dumps(document).encode(), "golden.json": json.dumps(golden).encode()}
    return {"model.onnx": graph_bytes, **encoded, **more}


def v2_tensor(name, array):
    return {"name": name, "datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}


def write(directory, content):
    for name, data in content.items():
        (directory / name).write_bytes(data)
    return directory


def outside(location, name="w", **more):
    """A tensor whose values are in a file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "length": "16", **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


ADD = helper.make_node("Add", ["x", "w"], ["y"])


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
