"""`sealift.testing` as an application's developer uses it: the base install, the real installer, real refusals."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.release.weights import safetensors

import sealift
from sealift.model.documents import golden
from sealift.model.runtime.wire import encode, encode_varint
from sealift.testing import ToyFiles, ToyGraphs, ToyModel, toy_store

TRIAGE = ToyModel(
    columns={"title": "str", "comments": "int"},
    classes=("bug", "feature", "question"),
    answers={"Crash on start": "bug", "Add dark mode": "feature"},
    default="question",
)


@pytest.fixture(scope="module")
def toys():
    with toy_store(models={"issue-triage": TRIAGE}) as made:
        yield made


def test_an_application_loads_the_model_it_was_promised(toys):
    model = sealift.load("issue-triage", version=">=1.0,<2")
    rows = [
        {"title": "Add dark mode", "comments": 3},
        {"title": "Crash on start", "comments": 0},
        {"title": "How?", "comments": 1},
        {"title": None, "comments": None},
    ]
    assert model.predict(rows).tolist() == ["feature", "bug", "question", "question"]
    np.testing.assert_allclose(model.predict_proba(rows)[0], [0.05, 0.9, 0.05], atol=1e-6)
    assert model.classes.tolist() == ["bug", "feature", "question"]
    with pytest.raises(sealift.InputError, match="column 'comments' is missing"):
        model.predict([{"title": "x"}])
    with pytest.raises(sealift.InputError, match="'many'"):
        model.predict([{"title": "x", "comments": "many"}])


def test_the_store_is_a_real_one(toys):
    release = toys.store.release()
    assert (release.channel, [str(model) for model in release.models]) == ("toy", ["issue-triage 1.0.0"])
    found = toys.store.find("issue-triage")
    (found.path / "model.onnx").chmod(0o644)
    good = (found.path / "model.onnx").read_bytes()
    (found.path / "model.onnx").write_bytes(good[:-1] + b"x")
    with pytest.raises(sealift.CorruptError, match="was changed in the store"):
        sealift.load("issue-triage")
    (found.path / "model.onnx").write_bytes(good)
    assert sealift.load("issue-triage").digest == found.manifest.digest


@pytest.mark.parametrize(
    "toy",
    [
        TRIAGE,
        ToyModel(),
        ToyModel(classes=("only",)),
        ToyModel(columns={"a": "float", "b": "str", "c": "bool"}, classes=(1, 2), answers={"x": 2}, key="b"),
        ToyModel(columns={"a": "bool", "b": "float"}, classes=None, answers={True: 1.5}, default=-2),
        ToyModel(columns={"n": "int"}, classes=(3, 5), answers={7: 5, 300: 3}),
        ToyModel(columns={"a": "bool"}, answers={True: "yes", False: "no"}),
    ],
    ids=["texts", "default", "one class", "key", "numbers", "integers", "both booleans"],
)
def test_the_graph_written_by_hand_is_valid_onnx(toy):
    files = toy.files("toy")
    onnx.checker.check_model(onnx.load_model_from_string(files["model.onnx"]), full_check=True)
    (example,) = golden.parse(files["golden.json"])
    model = sealift.Model.from_files(files)
    answers = model.predict(example.inputs)
    assert answers.tolist() == example.outputs["predict"].tolist()
    key = toy.key or next(iter(toy.columns))
    told = dict(zip(example.inputs[key].tolist(), answers.tolist(), strict=True))
    assert {value: told[value] for value in toy.answers} == dict(toy.answers)


def test_numbers_as_protocol_buffers_write_them():
    # The examples of the format's own documentation.
    assert (encode_varint(1), encode_varint(150)) == (b"\x01", b"\x96\x01")
    assert encode(1, 150) == b"\x08\x96\x01"
    assert encode(2, "testing") == b"\x12\x07testing"


def test_a_graph_of_ones_own():
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "double",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
    )
    own = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    rows = np.float32([[1, 2]])
    with toy_store(models={"double": ToyModel(version="2.1.0", onnx=own, examples={"x": rows})}):
        model = sealift.load("double")
        assert (model.version, model.run({"x": rows})["y"].tolist()) == ("2.1.0", [[2.0, 4.0]])
    with pytest.raises(sealift.UsageError, match="cannot run the graph on its examples"):
        ToyModel(onnx=b"\x08\x08").files("broken")


def test_the_files_of_a_converted_model():
    from support.release.channel_simulator import renamed, toy_files

    with toy_store(models={"mine": renamed(toy_files(), "mine", "3.0.0")}):
        assert sealift.load("mine").predict(np.float32([[2, 2, 0, 0]])).tolist() == [1]
    with (
        pytest.raises(sealift.UsageError, match="describe 'toy'; convert it under that name"),
        toy_store(models={"other": toy_files()}),
    ):
        pytest.fail("it was installed")


def test_golden_examples_are_replayed():
    files = ToyModel(answers={"x": "yes"}).files("liar")
    wrong = files["golden.json"].replace(b'"data":["yes","no"]', b'"data":["no","yes"]')
    assert wrong != files["golden.json"]
    with (
        pytest.raises(sealift.SelfTestError, match="predict differs in 2 of 2"),
        toy_store(models={"liar": {**files, "golden.json": wrong}}),
    ):
        pytest.fail("it was installed")


def test_a_new_version_and_a_withdrawal():
    with toy_store(models={"line": ToyModel(classes=None, default=1)}) as toys:
        old = sealift.load("line")
        assert toys.install({"line": ToyModel(version="1.1.0", classes=None, default=2)}).generation == 2
        assert (old.predict([{"text": "x"}]).item(), sealift.load("line").predict([{"text": "x"}]).item()) == (1, 2)
        toys.withdraw("line", "1.1.0", "it was wrong")
        assert sealift.load("line").version == "1.0.0"
        with pytest.raises(sealift.WithdrawnError, match="it was wrong"):
            sealift.load("line", version="1.1.0")
        with pytest.raises(sealift.UsageError, match="in the toy channel already"):
            toys.install({"line": ToyModel(version="1.1.0")})


def test_the_environment_and_the_directory_are_put_back(monkeypatch, tmp_path):
    monkeypatch.setenv("SEALIFT_STORE", "/nowhere")
    monkeypatch.delenv("SEALIFT_TRUST", raising=False)
    seen = []

    def test_of_an_application():
        with toy_store() as toys:
            seen.append(toys.path)
            assert os.environ["SEALIFT_STORE"] == str(toys.store_path)
            assert sealift.load("toy").predict([{"text": "x"}]).tolist() == ["no"]
            raise RuntimeError("the test failed")

    with pytest.raises(RuntimeError, match="the test failed"):
        test_of_an_application()
    assert not seen[0].exists()
    assert os.environ["SEALIFT_STORE"] == "/nowhere"
    assert "SEALIFT_TRUST" not in os.environ
    with toy_store(tmp_path / "kept") as toys:
        pass
    assert toys.store.active().number == 1
    with pytest.raises(sealift.UsageError, match="is not empty"), toy_store(tmp_path / "kept"):
        pytest.fail("another store was made there")


@pytest.mark.parametrize(
    ("toy", "message"),
    [
        (ToyModel(columns={}), "expected None among them"),
        (ToyModel(key="title"), "expected 'title' among them"),
        (ToyModel(columns={"when": "date"}), "kind 'date'; expected one of"),
        (ToyModel(classes=("a", 1)), "expected texts, or integers"),
        (ToyModel(answers={"x": "maybe"}), "answers 'maybe'; expected one of \\['no', 'yes'\\]"),
        (ToyModel(classes=None, default="much"), "answers 'much'; expected a number"),
        (ToyModel(classes=None, default=math.inf), "answers inf; expected a number"),
        (ToyModel(classes=None, default=10**400), "answers 10+; expected a number"),
        (ToyModel(columns={"n": "int"}, answers={10**400: "yes"}), "looks up 10+ in column 'n'"),
        (ToyModel(answers={3: "yes"}), "looks up 3 in column 'text' of kind 'str'"),
        (ToyModel(columns={"n": "int"}, answers={2**24: "no", 2**24 + 1: "yes"}), "equal as float32"),
        (ToyModel(version="1"), "not SemVer"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(toy, message):
    with pytest.raises(sealift.UsageError, match=message) as caught, toy_store(models={"toy": toy}):
        pytest.fail("it was installed")
    assert "\n" not in str(caught.value)


def test_the_base_install_is_enough():
    program = (
        "import sys\n"
        "for name in ('onnx', 'sklearn', 'skl2onnx', 'pandas', 'rfc8785', 'pytest', 'sealift_bundler',\n"
        "             'sealift_keys.ceremony.beginning', 'sealift_keys.ceremony.signing', 'sealift_keys.keyfiles.private', 'sealift_keys.keyfiles.signers'):\n"
        "    sys.modules[name] = None\n"
        "import sealift\n"
        "from sealift.testing import toy_store\n"
        "with toy_store():\n"
        "    print(sealift.load('toy').predict([{'text': 'x'}]).tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("['no']\n", "")


@pytest.mark.parametrize(
    "ask", ["pytest_plugins = ['sealift.testing.fixtures']", "from sealift.testing.fixtures import sealift_store"]
)
def test_an_application_with_fixtures(tmp_path, ask):
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "from sealift.testing import ToyModel\n"
        f"{ask}\n"
        "@pytest.fixture(scope='session')\n"
        "def sealift_models():\n"
        "    return {'issue-triage': ToyModel(classes=('bug', 'feature'), answers={'Crash': 'bug'}, default='feature')}\n"
    )
    (tmp_path / "test_app.py").write_text(
        "import sealift\n"
        "def test_triage(sealift_store):\n"
        "    assert sealift.load('issue-triage').predict([{'text': 'Crash'}]).tolist() == ['bug']\n"
        "def test_it_is_the_same_store(sealift_store):\n"
        "    assert sealift_store.store.active().number == 1\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_pytest_does_not_find_a_plug_in_by_itself():
    from importlib.metadata import entry_points

    assert [one.value for one in entry_points(group="pytest11") if "sealift" in one.value] == []
    assert Path(sealift.__file__).with_name("testing").is_dir()


def test_a_model_that_takes_texts():
    toy = ToyModel(texts=True, classes=("bug", "feature"), answers={"Crash on start": "bug"}, default="feature")
    with toy_store(models={"triage": toy}):
        model = sealift.load("triage")
        assert model.predict(["Crash on start", "", "Ünïcode"]).tolist() == ["bug", "feature", "feature"]
        assert model.description.interface == "text"
        with pytest.raises(sealift.InputError):
            model.predict([3])


def test_a_text_encoder():
    toy = ToyModel(texts=True, classes=None, embedding=3, answers={"cat": [1, 0, 0], "dog": (0, 1, 0.5)})
    with toy_store(models={"encoder": toy}):
        model = sealift.load("encoder")
        assert model.transform(["dog", "cat", "fish"]).tolist() == [[0, 1, 0.5], [1, 0, 0], [0, 0, 0]]
        with pytest.raises(sealift.UsageError, match="has no predict; it has transform, run"):
            model.predict(["dog"])


def test_files_beside_a_toy_and_several_graphs():
    toys = {
        "labelled": ToyModel(side_files={"labels.csv": b"a,b"}),
        "pair": ToyGraphs(
            {"encoder": ToyModel(classes=None, answers={"a": 1.0}), "head": TRIAGE}, side_files={"v.json": b"[]"}
        ),
    }
    with toy_store(models=toys) as store:
        assert sealift.load("labelled").file("labels.csv") == b"a,b"
        pair = sealift.load("pair")
        assert pair.graph("encoder").predict([{"text": "a"}, {"text": "b"}]).tolist() == [1.0, 0.0]
        assert pair.graph("head").predict([{"title": "Crash on start", "comments": 1}]).tolist() == ["bug"]
        assert (pair.files, pair.version) == (("v.json",), "1.0.0")
        store.install({"pair": ToyGraphs({"encoder": ToyModel()}, version="1.1.0")})
        assert sealift.load("pair").version == "1.1.0"


def test_toy_files_are_not_run():
    data = safetensors()
    with toy_store(models={"llm": ToyFiles({"model.safetensors": data, "tokenizer.json": b"{}"})}) as store:
        with pytest.raises(sealift.UsageError, match="which Sealift carries and does not run"):
            sealift.load("llm")
        assert (store.store_path / "current/llm/model.safetensors").read_bytes() == data


@pytest.mark.parametrize(
    ("toy", "said"),
    [
        (ToyModel(texts=True, columns={"a": "str", "b": "str"}), "takes texts, and has the columns"),
        (ToyModel(classes=None, embedding=2, answers={"a": [1]}), r"answers \[1\]; expected a sequence of 2 numbers"),
        (ToyModel(classes=None, embedding=2, answers={"a": 1}), "expected a sequence of 2 numbers"),
        (ToyModel(side_files={"model.json": b""}), "'model.json', which is a name that Sealift keeps"),
        (ToyGraphs({"a.b": ToyModel()}), "has a graph 'a.b'"),
        (ToyFiles({"../x": b""}), "which is not a plain name"),
    ],
)
def test_toys_of_other_kinds_that_do_not_fit(toy, said):
    with pytest.raises(sealift.UsageError, match=said):
        toy.files("m")
