"""What is asked over the socket is answered as in Python: the request of every golden example gives its response."""

import json

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support.servers.model_server import serving

import sealift
from sealift.model.documents import golden
from sealift.model.documents.description import ModelDescription
from sealift.serving.protocol.tensors import DTYPE_OF, bytes_of_tensor, datatype_of, tensor_of_bytes
from sealift.testing import ToyFiles, ToyGraphs, ToyModel, toy_store
from sealift_bundler import convert

GENERATOR = np.random.default_rng(5)
WORDS = ["crash on start", "add dark mode", "how do I log in", "crash in login", "dark theme please", "start is slow"]


def own_graph():
    """A graph of a string, a half and an integer tensor, none of which is a row."""
    inputs = [
        helper.make_tensor_value_info("text", TensorProto.STRING, ["n"]),
        helper.make_tensor_value_info("half", TensorProto.FLOAT16, [2, "m"]),
        helper.make_tensor_value_info("whole", TensorProto.INT32, []),
    ]
    outputs = [
        helper.make_tensor_value_info("text_out", TensorProto.STRING, ["n"]),
        helper.make_tensor_value_info("half_out", TensorProto.FLOAT16, [2, "m"]),
        helper.make_tensor_value_info("whole_out", TensorProto.INT32, []),
    ]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in ("text", "half", "whole")]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString()


def table():
    return pd.DataFrame(
        {
            "n": GENERATOR.normal(size=60),
            "whole": GENERATOR.integers(0, 9, 60),
            "flag": GENERATOR.random(60) > 0.5,
            "color": GENERATOR.choice(["red", "green", "blue"], 60),
            "title": [WORDS[index % len(WORDS)] for index in range(60)],
        }
    )


def converted(name, model, rows):
    return convert(model, rows, name=name, version="1.0.0").files


def models():
    frame = table()
    labels = (frame["n"] > 0).map({True: "yes", False: "no"})
    mixed = make_column_transformer(
        (StandardScaler(), ["n", "whole"]),
        (OneHotEncoder(handle_unknown="ignore"), ["color"]),
        (TfidfVectorizer(), "title"),
    )
    numbers = GENERATOR.normal(size=(60, 4)).astype(np.float32)
    two = np.column_stack([numbers[:, 0] > 0, numbers[:, 1] > 0]).astype(int)
    texts = [WORDS[index % len(WORDS)] for index in range(60)]
    return {
        "toy": ToyModel(),
        "toy-numbers": ToyModel(
            columns={"a": "float", "b": "str", "c": "bool"}, classes=(1, 2), answers={"x": 2}, key="b"
        ),
        "toy-value": ToyModel(columns={"n": "int"}, classes=None, answers={7: 1.5}, default=-2),
        "toy-texts": ToyModel(texts=True, answers={"a": "yes"}),
        "toy-embedding": ToyModel(texts=True, embedding=3, answers={"a": [1, 2, 3]}),
        "toy-graphs": ToyGraphs({"encoder": ToyModel(texts=True, embedding=2), "decoder": ToyModel()}),
        "toy-files": ToyFiles({"README.md": b"nothing runs"}),
        "own-graph": ToyModel(
            onnx=own_graph(),
            examples={
                "text": np.array(["a", "ä"], dtype=object),
                "half": np.array([[0.5, 1], [2, 3]], np.float16),
                "whole": np.array(7, np.int32),
            },
        ),
        "table": converted("table", make_pipeline(mixed, LogisticRegression()).fit(frame, labels), frame),
        "matrix": converted("matrix", LinearRegression().fit(numbers, numbers[:, 0]), numbers),
        "several": converted("several", MultiOutputClassifier(RandomForestClassifier(3)).fit(numbers, two), numbers),
        "scaler": converted("scaler", StandardScaler().fit(numbers), numbers),
        "texts": converted(
            "texts", make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [t[0] for t in texts]), texts
        ),
    }


@pytest.fixture(scope="module")
def world():
    with toy_store(models=models()) as toys, serving(toys.store) as client:
        yield toys, client


ASKED = [
    "toy",
    "toy-numbers",
    "toy-value",
    "toy-texts",
    "toy-embedding",
    "toy-graphs~encoder",
    "toy-graphs~decoder",
    "own-graph",
    "table",
    "matrix",
    "several",
    "scaler",
    "texts",
]


def documents(toys, asked):
    """The description and golden examples of a model, or of one of several graphs."""
    name, _, graph = asked.partition("~")
    prefix = f"{graph}." if graph else ""
    found = toys.store.read(toys.store.find(name), [f"{prefix}golden.json", f"{prefix}model.json"])
    return ModelDescription.parse(found[f"{prefix}model.json"]), found[f"{prefix}golden.json"]


def arrays(reply):
    """The tensors of an answer, JSON or binary."""
    assert reply.status == 200, reply.body
    size = int(reply.headers.get("inference-header-content-length", len(reply.body)))
    place, found = size, {}
    for tensor in json.loads(reply.body[:size])["outputs"]:
        length = tensor.get("parameters", {}).get("binary_data_size")
        if length is None:
            values = [
                np.nan if value is None and tensor["datatype"].startswith("FP") else value for value in tensor["data"]
            ]
            array = np.array(values, dtype=DTYPE_OF[tensor["datatype"]]).reshape(tensor["shape"])
        else:
            data = memoryview(reply.body)[place : place + length]
            array = tensor_of_bytes(tensor["name"], tensor["datatype"], tuple(tensor["shape"]), data)
            place += length
        found[tensor["name"]] = array
    assert place == len(reply.body)
    return found


def assert_same(description, found, expected):
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        if values.dtype.kind == "f":
            tolerance = description.tolerance
            np.testing.assert_allclose(found[name], values, rtol=tolerance.rtol, atol=tolerance.atol)
        else:
            np.testing.assert_array_equal(found[name], values)


def binary_request(inputs):
    """A request whose tensors all come as bytes, and are wanted so."""
    data = [bytes_of_tensor(values) for values in inputs.values()]
    head = {
        "parameters": {"binary_data_output": True},
        "inputs": [
            {
                "name": name,
                "datatype": datatype_of(values.dtype.name),
                "shape": list(values.shape),
                "parameters": {"binary_data_size": len(one)},
            }
            for (name, values), one in zip(inputs.items(), data, strict=True)
        ],
    }
    written = json.dumps(head).encode()
    return b"".join([written, *data]), {"Inference-Header-Content-Length": str(len(written))}


@pytest.mark.parametrize("asked", ASKED)
def test_the_request_of_every_golden_example_gives_its_response(world, asked):
    toys, client = world
    description, document = documents(toys, asked)
    for written, example in zip(json.loads(document)["examples"], golden.parse(document), strict=True):
        reply = client.infer(asked, written["request"])
        assert_same(description, arrays(reply), example.outputs)
        assert (reply.document["model_name"], reply.document["model_version"]) == (asked, "1.0.0")
        assert reply.document.get("id") == written["request"].get("id")
        assert [one["datatype"] for one in sorted(reply.document["outputs"], key=lambda one: one["name"])] == [
            one["datatype"] for one in sorted(written["response"]["outputs"], key=lambda one: one["name"])
        ]


@pytest.mark.parametrize("asked", ASKED)
def test_binary_tensors_give_the_same(world, asked):
    toys, client = world
    description, document = documents(toys, asked)
    for example in golden.parse(document):
        if any(values.dtype == object and None in values.ravel().tolist() for values in example.inputs.values()):
            continue  # bytes cannot say that a text is missing
        assert_same(description, arrays(client.infer(asked, *binary_request(example.inputs))), example.outputs)


@pytest.mark.parametrize("asked", ASKED)
def test_metadata_is_enough_to_ask(world, asked):
    """A request made of the metadata alone is answered with outputs as the metadata says."""
    _, client = world
    said = client.get(f"/v2/models/{asked}").document
    assert said["versions"] == ["1.0.0"]
    assert said["parameters"]["digest"].startswith("sha256:")
    fillers = {"BYTES": "red", "BOOL": True}
    inputs = []
    for tensor in said["inputs"]:
        shape = [2 if size == -1 else size for size in tensor["shape"]]
        known = tensor.get("parameters", {}).get("categories")
        value = known[0] if known else fillers.get(tensor["datatype"], 1)
        inputs.append({**tensor, "shape": shape, "data": [value] * int(np.prod(shape)), "parameters": None})
    reply = client.infer(asked, {"inputs": inputs})
    outputs = {one["name"]: one for one in reply.document["outputs"]}
    assert list(outputs) == [one["name"] for one in said["outputs"]]
    for tensor in said["outputs"]:
        answered = outputs[tensor["name"]]
        assert answered["datatype"] == tensor["datatype"]
        assert len(answered["shape"]) == len(tensor["shape"])
        assert all(size in (-1, has) for size, has in zip(tensor["shape"], answered["shape"], strict=True))
    assert client.get(f"/v2/models/{asked}/ready").document == {"name": asked, "ready": True}


def test_one_method_alone_and_the_graph_itself(world):
    toys, client = world
    example = json.loads(documents(toys, "table")[1])["examples"][0]["request"]
    only = client.infer("table", {**example, "outputs": [{"name": "predict_proba"}]}).document["outputs"]
    assert [one["name"] for one in only] == ["predict_proba"]
    own = client.infer("several", {
        **json.loads(documents(toys, "several")[1])["examples"][0]["request"], "outputs": [{"name": "predict_proba.1"}]
    }).outputs()  # fmt: skip
    assert list(own) == ["predict_proba.1"]
    model = sealift.load("matrix", store=toys.store_path)
    tensor = model.inputs[0]
    run = {"inputs": [{"name": tensor.name, "datatype": "FP32", "shape": [1, 4], "data": [[1, 2, 3, 4]]}]}
    answer = client.infer("matrix", {**run, "parameters": {"method": "run"}}).outputs()
    expected = model.run({tensor.name: np.array([[1, 2, 3, 4]], np.float32)})
    assert answer == {name: values.ravel().tolist() for name, values in expected.items()}
    nothing = client.infer("matrix", {"inputs": [{"name": "rows", "datatype": "FP32", "shape": [0, 4], "data": []}]})
    assert nothing.outputs() == {"predict": []}


def test_what_the_server_says_of_itself(world):
    toys, client = world
    assert client.get("/v2").document["name"] == "sealift"
    assert client.get("/v2/health/live").document == {"live": True}
    assert client.get("/v2/health/ready").document == {"ready": True}
    listed = client.get("/v2/repository/index").document
    # Files are carried, and nothing can ask them.
    assert {one["name"] for one in listed} == {*ASKED, "toy-graphs"}
    assert {one["state"] for one in listed} == {"READY"}
    assert client.ask("POST", "/v2/repository/index", {}).document == listed
    digest = sealift.load("table", store=toys.store_path).digest
    assert client.get("/v2/models/table/versions/1.0.0").document["parameters"]["digest"] == digest
    classes = client.get("/v2/models/table").document["parameters"]["classes"]
    assert classes == ["no", "yes"]


@pytest.mark.parametrize(
    ("method", "route", "refusal"),
    [
        ("GET", "/v2/models/other", (404, "not-installed")),
        ("GET", "/v2/models/toy-files", (404, "not-installed")),
        ("GET", "/v2/models/toy/versions/2.0.0", (404, "not-installed")),
        ("GET", "/v2/models/toy/versions/../..", (404, "unknown-route")),
        ("GET", "/v2/models/toy-graphs~other", (404, "not-installed")),
        ("GET", "/v2/models/toy-graphs~", (404, "not-installed")),
        ("GET", "/v2/models/toy~one", (404, "not-installed")),
        ("GET", "/v2/models/toy-graphs/graphs/encoder", (404, "unknown-route")),
        ("GET", "/v2/models/toy/infer", (405, "method")),
        ("POST", "/v2/health/live", (405, "method")),
        ("GET", "/", (404, "unknown-route")),
        ("GET", "/v2/models", (404, "unknown-route")),
    ],
)
def test_other_routes_are_refused(world, method, route, refusal):
    assert world[1].ask(method, route).refusal == refusal
