"""Golden examples that are generated: rows that nobody wrote, for every kind of model, proven like any others."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from support.models.texts_and_table import ADDRESS, LABELS, TEXTS, text_model

from sealift.model.documents.golden import parse
from sealift_bundler import ConversionError, ParityError, SourceError, convert
from sealift_bundler.converters.onnx import ReadyMade
from sealift_bundler.proof import ladder
from sealift_bundler.proof.golden import making

GENERATOR = np.random.default_rng(0)


def rows_of(conversion):
    (example,) = parse(conversion.files["golden.json"], conversion.description)
    return example.inputs


def test_generated_rows_are_proven_like_any():
    conversion = convert(text_model(), TEXTS)
    assert conversion.parity["edge_rows"]["generated"] == {"rows": 64, "labels_wrong": 0, "ties": 0}
    conversion = convert(text_model(), TEXTS, golden=["dark mode"])
    assert conversion.parity["edge_rows"]["golden"] == {"rows": 1, "labels_wrong": 0, "ties": 0}


def test_generated_rows_that_disagree_are_a_refusal(monkeypatch):
    real = ladder.ExampleMaker._generated

    def wrong(self, candidate):
        """The original answers one of the generated rows with the other label."""
        made = real(self, candidate)
        labels = made.proof[0].answers["predict"]
        labels[5] = "bug" if labels[5] == "feature" else "feature"
        return made

    monkeypatch.setattr(ladder.ExampleMaker, "_generated", wrong)
    with pytest.raises(ParityError, match=r"generated row 5 \[.*\]: predict expected"):
        convert(text_model(), TEXTS)


def test_every_label_is_shown_where_rows_can_be_found():
    texts = [f"word{'abcdefghij'[place % 10]} of many" for place in range(60)]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)).fit(texts, np.arange(60) % 10)
    conversion = convert(model, texts)
    assert (conversion.golden.labels, conversion.golden.labels_shown) == (10, 10)


def test_rare_labels_come_before_more_of_the_same():
    answers = {"predict": np.array(["a"] * 8 + ["b", "c"])}
    chosen = making._balanced(np.arange(10), answers, 4, ("a", "b", "c"))
    assert chosen.tolist() == [0, 1, 8, 9]
    assert making._balanced(np.arange(10), answers, 3, ()).tolist() == [0, 4, 9]


def test_a_model_of_no_words_is_generated_of_public_ones():
    conversion = convert(text_model(HashingVectorizer(n_features=2**8)), TEXTS)
    assert conversion.golden.source == "generated"
    assert conversion.golden.rows > 30


def test_a_name_in_the_vocabulary_does_not_leave_twice():
    texts = [f"{text}, says kowalska" for text in TEXTS]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, LABELS)
    conversion = convert(model, texts)
    assert conversion.golden.labels_shown == 2
    assert b"kowalska" in conversion.files["frontend.json"]
    assert b"kowalska" not in conversion.files["golden.json"]


def test_where_public_words_show_one_label_the_vocabulary_is_used():
    texts = ["dark cold wind and rain today", "zyzzyva quagga"] * 10
    conversion = convert(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, LABELS[:20]), texts)
    assert conversion.golden.labels_shown == 2
    assert b"quagga" in conversion.files["golden.json"]


def test_a_model_of_pairs_of_words_gets_pairs():
    vectorizer = TfidfVectorizer(ngram_range=(2, 2))
    conversion = convert(text_model(vectorizer), TEXTS)
    assert (conversion.golden.rows, conversion.golden.labels_shown) == (64, 2)


def test_a_counted_column_of_a_table_makes_rows_generated():
    table = pd.DataFrame({"title": TEXTS, "size": np.arange(40.0)})
    columns = make_column_transformer((TfidfVectorizer(), "title"), (StandardScaler(), ["size"]))
    conversion = convert(make_pipeline(columns, LogisticRegression()).fit(table, LABELS), table)
    assert conversion.golden.line.startswith("golden.json: 64 generated rows of 2 columns travel, with 2 of 2 labels")
    assert not set(rows_of(conversion)["title"]) & set(TEXTS)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_a_matrix_can_be_generated(dtype):
    rows = (GENERATOR.normal(size=(80, 3)) * 1e6).astype(dtype)
    model = RandomForestClassifier(5, random_state=0).fit(rows, rows[:, 0] > 0)
    conversion = convert(model, rows, golden="generated")
    made = rows_of(conversion)["rows"]
    assert (made.dtype, made.shape) == (np.dtype(dtype), (64, 3))
    assert not set(made.ravel().tolist()) & set(rows.ravel().tolist())
    assert convert(model, rows).golden.source == "samples"


def test_a_regression_and_an_unfitting_generated_row():
    rows = GENERATOR.normal(size=(40, 2))
    conversion = convert(Ridge().fit(rows, rows[:, 0]), rows, golden="generated")
    assert (conversion.golden.rows, conversion.golden.labels) == (64, 0)

    def fussy(values):
        if (values > 0.5).any():
            raise ValueError("too much")
        return values

    few = np.minimum(rows, 0.49)
    few[0, 0] = 0.4999
    model = make_pipeline(FunctionTransformer(fussy), Ridge())
    with pytest.raises(ConversionError):  # a function of one's own has no converter
        convert(model.fit(few, few[:, 0]), few, golden="generated")


def test_a_model_that_takes_no_generated_row_is_refused_by_name():
    table = pd.DataFrame({"kind": ["a", "b"] * 10})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table, [0, 1] * 10)
    assert set(rows_of(convert(model, table, golden="generated"))["kind"]) == {"a", "b"}
    # The only categories are findings, and the encoder takes no other.
    table = pd.DataFrame({"kind": [ADDRESS, "x." + ADDRESS] * 10})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table, [0, 1] * 10)
    with pytest.raises(ConversionError, match=r"none of the rows that were generated.*golden = \"FILE\""):
        convert(model, table)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_boosters_are_generated_with_the_categories_of_their_graph(library):
    module = pytest.importorskip(library)
    table = pd.DataFrame({"size": GENERATOR.normal(size=120), "kind": ["red", "green", "blue"] * 40})
    labels = ((table["size"] > 0) ^ (table["kind"] == "red")).astype(int)
    if library == "catboost":
        model = module.CatBoostClassifier(iterations=5, cat_features=["kind"], verbose=0, allow_writing_files=False)
    else:
        table["kind"] = table["kind"].astype("category")
        name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[library]
        options = {"enable_categorical": True} if library == "xgboost" else {"verbose": -1, "min_child_samples": 1}
        model = getattr(module, name)(n_estimators=5, **options)
    conversion = convert(model.fit(table, labels), table, golden="generated")
    assert conversion.golden.line.startswith("golden.json: 64 generated rows of 2 columns travel, with 2 of 2 labels")
    made = rows_of(conversion)
    assert set(made["kind"]) == {"red", "green", "blue"}
    assert not set(made["size"].tolist()) & set(table["size"].tolist())


def ready_made(dtype="float32"):
    from onnx import TensorProto, helper

    kind = {"float32": TensorProto.FLOAT, "string": TensorProto.STRING}[dtype]
    source = helper.make_tensor_value_info("x", kind, ["rows", 2])
    target = helper.make_tensor_value_info("y", kind, ["rows", 2])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [source], [target])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ReadyMade.of_bytes(model.SerializeToString())


def convert_ready(rows, dtype="float32", golden=None):
    return convert(ready_made(dtype), rows, golden=golden)


def test_a_ready_made_graph_of_numbers():
    rows = {"x": GENERATOR.normal(size=(20, 2)).astype(np.float32)}
    assert convert_ready(rows).golden.line.startswith("golden.json: 20 sample rows of 1 tensor travel (nothing was")
    conversion = convert_ready(rows, golden="generated")
    assert conversion.golden.line == "golden.json: 64 generated rows of 1 tensor travel; no sample row does"
    assert not set(rows_of(conversion)["x"].ravel().tolist()) & set(rows["x"].ravel().tolist())
    invented = {"x": np.array([[1, 2]], dtype=np.float32)}
    assert rows_of(convert_ready(rows, golden=invented))["x"].tolist() == [[1, 2]]


def test_a_ready_made_graph_of_texts_is_generated():
    conversion = convert_ready({"x": np.array([["secret", "of one"]], dtype=object)}, "string")
    assert "tensor 'x' is text" in conversion.golden.line
    assert b"secret" not in conversion.files["golden.json"]


def test_recorded_answers_have_no_generated_rows():
    rows = np.ones((4, 2), dtype=np.float32)
    recorded = {"x": rows, "y": rows}
    assert convert_ready(recorded).golden.source == "samples"
    with pytest.raises(SourceError, match="the samples hold recorded answers, and generated rows have none"):
        convert_ready(recorded, golden="generated")
    own = convert_ready(recorded, golden={"x": 2 * rows[:2], "y": 2 * rows[:2]})
    assert (own.golden.rows, rows_of(own)["x"].max()) == (2, 2)
    wrong = {"x": 2 * rows[:2], "y": 3 * rows[:2]}
    with pytest.raises(ParityError, match="golden"):
        convert_ready(recorded, golden=wrong)


def test_a_graph_of_one_fixed_shape_is_generated_whole():
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rows = {"x": np.array([[0.25, -1.75, 3.125]], dtype=np.float32)}
    conversion = convert(ReadyMade.of_bytes(model.SerializeToString()), rows, golden="generated")
    made = rows_of(conversion)["x"]
    assert (made.shape, conversion.golden.rows) == ((1, 3), 1)
    assert not set(made.ravel().tolist()) & set(rows["x"].ravel().tolist())


def test_answers_of_worst_rows_stay_where_samples_stay():
    rows = GENERATOR.normal(size=(40, 2))
    model = Ridge().fit(rows, rows[:, 0])
    assert {"expected", "got"} <= set(convert(model, rows).parity["worst_rows"][0])
    assert not {"expected", "got"} & set(convert(model, rows, golden="generated").parity["worst_rows"][0])
