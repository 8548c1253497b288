"""A sentence encoder of six layers, 384 wide, with 30,522 words: the shape and size of the common one, random weights."""

import json

import numpy as np
import onnx
import rfc8785
from onnx import TensorProto, helper, numpy_helper

WIDTH, INNER, WORDS, LAYERS, HEADS, PLACES = 384, 1536, 30522, 6, 12, 512


class Builder:
    def __init__(self):
        self.generator = np.random.default_rng(0)
        self.initializers, self.nodes = [], []

    def weights(self, name, *shape):
        return self.constant(name, (self.generator.standard_normal(shape) * 0.02).astype(np.float32))

    def constant(self, name, value):
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def linear(self, value, name, rows, columns):
        product = self.node("MatMul", [value, self.weights(f"{name}.weight", rows, columns)], f"{name}.product")
        return self.node("Add", [product, self.weights(f"{name}.bias", columns)], f"{name}.sum")

    def norm(self, value, name):
        inputs = [value, self.weights(f"{name}.scale", WIDTH), self.weights(f"{name}.shift", WIDTH)]
        return self.node("LayerNormalization", inputs, f"{name}.out", axis=-1)

    def head(self, value, name, perm):
        value = self.node("Reshape", [self.linear(value, name, WIDTH, WIDTH), "split"], f"{name}.split")
        return self.node("Transpose", [value], f"{name}.turned", perm=perm)

    def layer(self, value, mask, name):
        query = self.head(value, f"{name}.q", [0, 2, 1, 3])
        key = self.head(value, f"{name}.k", [0, 2, 3, 1])
        scores = self.node("MatMul", [query, key], f"{name}.scores")
        scores = self.node("Mul", [scores, "scale"], f"{name}.scaled")
        scores = self.node("Softmax", [self.node("Add", [scores, mask], f"{name}.masked")], f"{name}.soft", axis=-1)
        mixed = self.node("MatMul", [scores, self.head(value, f"{name}.v", [0, 2, 1, 3])], f"{name}.mixed")
        mixed = self.node("Transpose", [mixed], f"{name}.back", perm=[0, 2, 1, 3])
        mixed = self.node("Reshape", [mixed, "join"], f"{name}.joined")
        added = self.node("Add", [self.linear(mixed, f"{name}.o", WIDTH, WIDTH), value], f"{name}.added")
        value = self.norm(added, f"{name}.norm1")
        inner = self.linear(value, f"{name}.up", WIDTH, INNER)
        erf = self.node("Erf", [self.node("Div", [inner, "root2"], f"{name}.div")], f"{name}.erf")
        inner = self.node("Mul", [inner, self.node("Add", [erf, "one"], f"{name}.erf1")], f"{name}.gelu2")
        inner = self.node("Mul", [inner, "half"], f"{name}.gelu")
        added = self.node("Add", [self.linear(inner, f"{name}.down", INNER, WIDTH), value], f"{name}.added2")
        return self.norm(added, f"{name}.norm2")


def build():
    made = Builder()
    for name, value in {
        "split": np.array([0, 0, HEADS, WIDTH // HEADS]),
        "join": np.array([0, 0, WIDTH]),
        "scale": np.float32((WIDTH // HEADS) ** -0.5),
        "root2": np.float32(2**0.5),
        "one": np.float32(1),
        "half": np.float32(0.5),
        "low": np.float32(-10000),
        "zero": np.array([0]),
        "axis": np.array([1]),
        "axes": np.array([1, 2]),
        "two": np.array([2]),
    }.items():
        made.constant(name, value)
    words = made.node("Gather", [made.weights("words", WORDS, WIDTH), "input_ids"], "looked")
    tokens = made.node("Slice", [made.node("Shape", ["input_ids"], "shape"), "axis", "two"], "tokens")
    places = made.node("Slice", [made.weights("places", PLACES, WIDTH), "zero", tokens], "placed")
    value = made.norm(made.node("Add", [words, places], "embedded"), "norm0")
    mask = made.node("Cast", [made.node("Unsqueeze", ["attention_mask", "axes"], "wide")], "float", to=1)
    mask = made.node("Mul", [made.node("Sub", ["one", mask], "inverse"), "low"], "mask")
    for number in range(LAYERS):
        value = made.layer(value, mask, f"layer{number}")
    made.node("ReduceMean", [value, "axis"], "embedding", keepdims=0)
    inputs = [helper.make_tensor_value_info(name, 7, ["rows", "tokens"]) for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("embedding", 1, ["rows", WIDTH])]
    graph = helper.make_graph(made.nodes, "encoder", inputs, outputs, made.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def files(name, version):
    """The files as Sealift packs them, and the one file that teams ship today."""
    import onnxruntime

    model = build()
    single = model.SerializeToString()
    data = bytearray()
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) >= 1024:
            data += bytes(-len(data) % 4096)
            place, length = len(data), len(tensor.raw_data)
            data += tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "model.onnx.data"), ("offset", place), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
    feeds = {key: np.ones((1, 16), np.int64) for key in ("input_ids", "attention_mask")}
    answer = onnxruntime.InferenceSession(single).run(None, feeds)[0]
    described = {
        "schema": "sealift.model/1",
        "name": name,
        "version": version,
        "task": "tensors",
        "interface": "tensors",
        "inputs": [{"name": key, "dtype": "int64", "shape": ["rows", "tokens"]} for key in feeds],
        "outputs": [
            {"name": "embedding", "dtype": "float32", "shape": ["rows", WIDTH], "role": "raw", "returns": "float32"}
        ],
        "requires": {"onnxruntime": "1.17.0", "ir_version": 8, "opsets": {"ai.onnx": 18}},
        "tolerance": {"atol": 1e-4, "rtol": 1e-4},
        "source": {},
        "conversion": {"rung": "ready-made"},
        "parity": {},
    }
    request = [
        {"name": key, "datatype": "INT64", "shape": [1, 16], "data": value.ravel().tolist()}
        for key, value in feeds.items()
    ]
    response = [{"name": "embedding", "datatype": "FP32", "shape": [1, WIDTH], "data": answer.ravel().tolist()}]
    golden = {
        "schema": "sealift.golden/1",
        "examples": [{"request": {"inputs": request}, "response": {"outputs": response}}],
    }
    packed = {"model.onnx": model.SerializeToString(), "model.onnx.data": bytes(data)}
    packed |= {
        file: rfc8785.dumps(json.loads(json.dumps(document)))
        for file, document in (("model.json", described), ("golden.json", golden))
    }
    onnx.checker.check_model(single)
    return packed, single
