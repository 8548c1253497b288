"""`sealift predict` and `sealift bench` where a version has several graphs, or tensors whose lengths differ."""

import json

import numpy as np
import pytest
from click.shell_completion import ShellComplete
from onnx import TensorProto, helper

from sealift.cli import cli
from sealift.testing import ToyGraphs, ToyModel, toy_store

pytestmark = pytest.mark.usefixtures("opened_here")

QUICK = ["--seconds", "0.01", "--rows", "4"]
STATE = np.arange(8, dtype=np.float32).reshape(2, 1, 4)


def stateful():
    """A graph with a state whose first dimension is not a row, as those that listen to audio have."""
    shapes = {"x": ["n", 3], "state": [2, 1, 4], "rate": []}
    ends = [
        [helper.make_tensor_value_info(prefix + name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
        for prefix in ("", "next_")
    ]
    nodes = [helper.make_node("Identity", [name], [f"next_{name}"]) for name in shapes]
    made = helper.make_model(
        helper.make_graph(nodes, "g", *ends), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    examples = {"x": np.ones((5, 3), np.float32), "state": STATE, "rate": np.float32(16000)}
    return ToyModel(onnx=made.SerializeToString(), examples=examples)


@pytest.fixture
def store(tmp_path, no_replay):
    graphs = {"head": ToyModel(answers={"bad": "yes"}, key="text"), "listener": stateful()}
    (tmp_path / "rows.csv").write_text("text\ngood\nbad\n")
    question = {"x": [[1, 2, 3]], "state": STATE.tolist(), "rate": 8000}
    (tmp_path / "question.json").write_text(json.dumps(question))
    with toy_store(models={"pair": ToyGraphs(graphs), "alone": ToyModel(), "listening": stateful()}) as made:
        yield made


def test_the_named_graph_answers(store, call, tmp_path):
    rows = str(tmp_path / "rows.csv")
    assert call(cli, "predict", "pair", "--graph", "head", "--input", rows) == (0, "no\nyes\n", "")
    status, out, _ = call(cli, "predict", "pair", "--graph", "head", "--input", rows, "--proba", "--json")
    document = json.loads(out)
    assert (status, document["graph"], document["predict"]) == (0, "head", ["no", "yes"])
    assert "graph" not in json.loads(call(cli, "predict", "alone", "--input", rows, "--json")[1])


@pytest.mark.parametrize("command", ["predict", "bench"])
@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("pair", [], "pair 1.0.0 has several graphs; add --graph with one of: head, listener"),
        ("pair", ["--graph", "hed"], "model 'pair' has no graph 'hed'; did you mean 'head'?"),
        ("pair", ["--graph", "zzz"], "model 'pair' has no graph 'zzz'; expected one of: head, listener"),
        ("alone", ["--graph", "head"], "alone 1.0.0 has one graph alone; leave out --graph"),
    ],
)
def test_a_graph_that_is_missing_or_unknown(store, call, tmp_path, command, name, asked, said):
    rows = ["--input", str(tmp_path / "rows.csv")] if command == "predict" else QUICK
    assert call(cli, command, name, *asked, *rows) == (2, "", f"sealift: {said} [usage]\n")


def test_bench_times_the_named_graph(store, call):
    status, out, err = call(cli, "bench", "pair", "--graph", "listener", *QUICK)
    assert (status, err) == (0, "")
    assert out.startswith("pair 1.0.0, graph 'listener', ")
    document = json.loads(call(cli, "bench", "pair", "--graph", "head", *QUICK, "--json")[1])
    assert (document["graph"], document["here"]["batch_rows"]) == ("head", 4)


@pytest.mark.parametrize("asked", [["listening"], ["pair", "--graph", "listener"]])
def test_tensors_whose_lengths_differ(store, call, tmp_path, asked):
    question = ["--input", str(tmp_path / "question.json")]
    for kind in ("tsv", "csv", "jsonl"):
        status, out, err = call(cli, "predict", *asked, *question, "--format", kind)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "differ in their first dimension ('next_x' 1, 'next_state' 2, 'next_rate' 1); print them with" in err
    document = json.loads(call(cli, "predict", *asked, *question, "--json")[1])
    assert (document["next_state"], document["next_rate"]) == (STATE.tolist(), [8000.0])
    status, out, err = call(cli, "bench", *asked, *QUICK, "--json")
    assert (status, err, json.loads(out)["here"]["batch_rows"]) == (0, "", 1)


def test_graphs_are_completed(store):
    complete = ShellComplete(cli, {}, "sealift", "_SEALIFT_COMPLETE")

    def values(*arguments, incomplete=""):
        return [item.value for item in complete.get_completions([*arguments, "--graph"], incomplete)]

    for command in ("predict", "bench"):
        assert values(command, "pair") == ["head", "listener"]
        assert values(command, "pair", "--version", "1.0.0", incomplete="li") == ["listener"]
        assert values(command, "pair", "--version", "2.0.0") == values(command, "alone") == values(command) == []
        assert values(command, "../pair") == []
