"""What the author of an application sees of models: the list, the line, the table of a notebook, the schema of a row."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import sealift
from sealift.testing import ToyGraphs, ToyModel, toy_store

TRIAGE = ToyModel(
    columns={"title": "str", "comments": "int"},
    classes=("<bug>", "feature"),
    answers={"Crash on start": "<bug>"},
    default="feature",
    version="1.4.0",
)
TEXTS = ToyModel(classes=None, answers={"you fool": 1.0}, texts=True)


@pytest.fixture(scope="module")
def toys():
    with toy_store(models={"issue-triage": TRIAGE, "rude": TEXTS, "pair": ToyGraphs({"encoder": TEXTS})}) as made:
        yield made


def test_the_models_that_are_active(toys):
    found = sealift.models()
    assert [(one.name, one.version) for one in found] == [
        ("issue-triage", "1.4.0"),
        ("pair", "1.0.0"),
        ("rude", "1.0.0"),
    ]
    assert [sealift.load(one.name, version=one.version).digest for one in found] == [one.digest for one in found]


def test_an_empty_store_has_no_models(tmp_path):
    with pytest.raises(sealift.NotInstalledError, match="is empty"):
        sealift.models(store=tmp_path)


def test_the_line_names_methods_columns_and_classes(toys):
    assert repr(sealift.load("issue-triage")) == (
        "<sealift.Model issue-triage 1.4.0 (predict, predict_proba); columns 'title', 'comments'; "
        "classes '<bug>', 'feature'>"
    )


def test_many_columns_are_shown_in_part():
    columns = {f"c{number}": "float" for number in range(30)}
    with toy_store(models={"wide": ToyModel(columns=columns, classes=None, answers={1.0: 2.0}, key="c0")}):
        assert "columns 'c0', 'c1', 'c2', 'c3', 'c4', … 30 in all>" in repr(sealift.load("wide"))


def test_a_notebook_shows_a_table_and_runs_nothing_of_the_model(toys):
    page = sealift.load("issue-triage")._repr_html_()
    assert page.startswith("<table><caption>issue-triage 1.4.0</caption>")
    assert "&lt;bug&gt;" in page
    assert "<bug>" not in page
    assert "column &#x27;title&#x27;" in page
    assert sealift.load("pair")._repr_html_().count("<tr>") >= 2


def test_a_row_has_a_schema(toys):
    schema = sealift.load("issue-triage").schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "issue-triage 1.4.0"
    assert (schema["type"], schema["required"]) == ("object", ["title", "comments"])
    assert schema["properties"] == {
        "title": {"type": ["string", "null"]},
        "comments": {"type": ["integer", "null"]},
    }
    assert sealift.load("rude").schema()["type"] == ["string", "null"]


def test_tensors_have_no_schema_of_a_row():
    node = helper.make_node("Add", ["x", "x"], ["double"])
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "double")]
    graph = helper.make_graph([node], "own", tensors[:1], tensors[1:])
    own = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    with toy_store(models={"own": ToyModel(onnx=own, examples={"x": np.ones((1, 2), np.float32)})}):
        model = sealift.load("own")
        assert "takes" in model._repr_html_()
        with pytest.raises(sealift.UsageError, match="takes named tensors: 'x'; only rows with names have a schema"):
            model.schema()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Title": "x", "comments": 1}, r"column 'title' is missing; .*; the rows have 'Title'"),
        ({"title": "x", "coments": 1}, r"column 'comments' is missing; .*; the rows have 'coments'"),
        ({"title": "x", 3: 1}, r"column 'comments' is missing; the model takes"),
    ],
)
def test_a_misspelled_column_is_pointed_at(toys, given, said):
    with pytest.raises(sealift.InputError, match=said):
        sealift.load("issue-triage").predict([given])


def test_thousands_of_names_are_not_compared(toys):
    wide = {f"comment{number}": np.zeros(1) for number in range(3000)}
    with pytest.raises(sealift.InputError, match="column 'comments' is missing; the model takes"):
        sealift.load("issue-triage").predict({"title": ["x"], **wide})


def test_an_example_is_a_row_that_the_model_answers(toys):
    row = sealift.load("issue-triage").example()
    assert row == {"title": "Crash on start", "comments": 1}
    assert sealift.load("issue-triage").predict([row]).tolist() == ["<bug>"]
    assert sealift.load("rude").predict([sealift.load("rude").example()]).tolist() == [1.0]
    assert sealift.load("pair").graph("encoder").example() == "you fool"
    with pytest.raises(sealift.UsageError, match="ask one of its graphs"):
        sealift.load("pair").example()


def test_an_example_of_numbers_and_of_tensors():
    from support.release.channel_simulator import toy_files

    from sealift.model.model import Model

    files = dict(toy_files())
    model = Model.from_files(files)
    assert len(model.example()) == 4
    assert model.predict([model.example()]).shape == (1,)
    del files["golden.json"]
    with pytest.raises(sealift.UsageError, match="has no golden examples here"):
        Model.from_files(files).example()
