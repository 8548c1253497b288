"""A model of any size, for benches and for tests of long transfers: y = the sum over shards of W_i[index], random weights that do not compress."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import rfc8785
from onnx import TensorProto, helper

WIDTH = 1024
SHARD_BYTES = 256 * 1024 * 1024


def write(directory: Path, name: str, version: str, size_bytes: int, shard_bytes: int = SHARD_BYTES) -> dict[str, Path]:
    """Write the files of a model with about `size_bytes` of weights; returns file name to path."""
    directory.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(size_bytes)
    initializers, nodes, parts, expected = [], [], [], np.zeros((2, WIDTH), np.float32)
    index = np.array([0, 3], np.int64)
    for number, rows in enumerate(_rows(size_bytes, shard_bytes)):
        file = "model.onnx.data" + (f".{number}" if number else "")
        # Random bits, but for two of the exponent, which keep every number finite: as good as incompressible.
        weights = generator.integers(0, 1 << 32, size=(rows, WIDTH), dtype=np.uint32)
        weights &= np.uint32(0x9FFFFFFF)
        weights |= np.uint32(0x20000000)
        # The rows that are asked for lie in [1, 2), so that their sum is exact enough to compare.
        weights[index] = weights[index] & np.uint32(0x007FFFFF) | np.uint32(0x3F800000)
        weights.tofile(directory / file)
        expected += weights.view(np.float32)[index]
        tensor = TensorProto(name=f"w{number}", data_type=TensorProto.FLOAT, dims=[rows, WIDTH])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", 0), ("length", weights.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        initializers.append(tensor)
        nodes.append(helper.make_node("Gather", [f"w{number}", "index"], [f"g{number}"]))
        parts.append(f"g{number}")
    nodes.append(helper.make_node("Sum", parts, ["y"]))
    graph = helper.make_graph(
        nodes,
        "big",
        [helper.make_tensor_value_info("index", TensorProto.INT64, ["rows"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", WIDTH])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, directory / "model.onnx")
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
            "tolerance": {"atol": 1e-4, "rtol": 1e-4},
            "source": {},
            "conversion": {"rung": "ready-made"},
            "parity": {},
        },
        "golden.json": {
            "schema": "sealift.golden/1",
            "examples": [
                {
                    "request": {
                        "inputs": [{"name": "index", "datatype": "INT64", "shape": [2], "data": index.tolist()}]
                    },
                    "response": {
                        "outputs": [
                            {
                                "name": "y",
                                "datatype": "FP32",
                                "shape": list(expected.shape),
                                "data": [float(value) for value in expected.ravel()],
                            }
                        ]
                    },
                }
            ],
        },
    }
    for file, document in documents.items():
        (directory / file).write_bytes(rfc8785.dumps(json.loads(json.dumps(document))))
    return {path.name: path for path in directory.iterdir()}


def _rows(size_bytes: int, shard_bytes: int) -> Iterator[int]:
    left = size_bytes // (WIDTH * 4)
    while left > 0:
        yield min(left, shard_bytes // (WIDTH * 4))
        left -= shard_bytes // (WIDTH * 4)
