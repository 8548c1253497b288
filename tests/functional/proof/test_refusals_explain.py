"""Refusals name the step, show the rows that fail and what went in, and give a remedy that was tried."""

import re

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sealift_bundler import convert
from sealift_bundler.converters.sklearn import SklearnConverter
from sealift_bundler.converters.steps import functions
from sealift_bundler.errors import ConversionError, ParityError
from sealift_bundler.proof import edges
from sealift_bundler.proof.pages.conversion_page import report_html
from sealift_bundler.samples.interfaces import as_samples

GENERATOR = np.random.default_rng(11)
ROWS = GENERATOR.normal(size=(300, 2)) + 4
FRAME = pd.DataFrame(ROWS, columns=["size", "age"])


def refused(steps, rows=FRAME):
    original = make_pipeline(*steps).fit(rows, ROWS[:, 0] * 2)
    with pytest.raises(ParityError) as caught:
        convert(original, rows)
    return str(caught.value)


@pytest.fixture
def off_by_a_little(monkeypatch):
    """A converter whose logarithm is wrong in the fifth digit where it is above log(6)."""

    def log(graph, x):
        right = graph.add("Log", x)
        return graph.add("Where", graph.add("Greater", x, graph.constant(6.0)),
                         graph.add("Mul", right, graph.constant(1.0001)), right)  # fmt: skip

    monkeypatch.setitem(functions.FUNCTIONS, np.log, log)


def test_a_disagreement_names_the_step_and_shows_the_rows(off_by_a_little):
    message = refused(
        [StandardScaler(with_mean=False, with_std=False), FunctionTransformer(np.log), LinearRegression()]
    )
    assert "\n" not in message
    assert "Step 'functiontransformer' (FunctionTransformer) is where it differs first" in message
    shown = re.findall(
        r"row \d+ \[size=.*?age=.*?\]: predict expected .*?, got .*? \(([\d.e+]+) times the tol", message
    )
    assert len(shown) == 3
    assert sorted(map(float, shown), reverse=True) == list(map(float, shown))


def test_the_tolerance_that_is_named_was_tried(off_by_a_little):
    steps = [FunctionTransformer(np.log), LinearRegression()]
    tolerance = re.search(r"--atol (\S+) --rtol (\S+),", refused(steps))
    from sealift.model.documents.description import Tolerance

    original = make_pipeline(*steps).fit(FRAME, ROWS[:, 0] * 2)
    convert(original, FRAME, tolerance=Tolerance(float(tolerance[1]), float(tolerance[2])))


def test_where_no_tolerance_helps_the_other_steps_were_tried(monkeypatch):
    monkeypatch.setitem(functions.FUNCTIONS, np.log, lambda graph, x: graph.add("Log", graph.add("Neg", x)))
    message = refused([FunctionTransformer(np.log), FunctionTransformer(np.nan_to_num), LinearRegression()], ROWS)
    assert "'functiontransformer-1' (FunctionTransformer) is where it differs first" in message
    assert "Tried: the steps behind it convert and agree" in message


def test_no_value_of_a_row_is_in_what_travels(off_by_a_little):
    conversion = convert(
        make_pipeline(StandardScaler(), LinearRegression()).fit(FRAME, ROWS[:, 0]), FRAME.assign(age=1234.5678)
    )
    assert b"1234.567" not in conversion.files["model.json"]


def test_every_labeled_number_is_that_quantity():
    original = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, ROWS[:, 0] > 4)
    parity = convert(original, ROWS).parity
    worst = max(row["error"] for row in parity["worst_rows"])
    assert parity["largest_absolute_error"] >= worst > 0
    assert parity["largest_relative_error"] > 0
    assert 0 < parity["largest_share_of_tolerance"] < 1


def test_no_golden_example_says_why_and_what_to_give():
    rows = np.repeat([[1.0, 1.0]], 40, axis=0)
    original = LogisticRegression().fit(np.array([[0.0, 0.0], [2.0, 2.0]]), [0, 1])
    with pytest.raises(ConversionError, match=r"Of 40 rows, 40 have two labels that are nearly equally likely, .*give"):
        convert(original, rows)


@pytest.mark.parametrize("labels", [2, 3, "text"])
def test_the_own_export_of_catboost_is_taken(labels, tmp_path, opened_here):
    rows = ROWS.astype(np.float32)
    target = np.digitize(rows[:, 0], [3.5, 4.5][: 2 if labels == 3 else 1])
    target = np.array(["a", "b"])[target] if labels == "text" else target
    original = CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False).fit(rows, target)
    original.save_model(str(tmp_path / "m.onnx"), format="onnx")
    conversion = convert(tmp_path / "m.onnx", {"features": rows[:50]})
    found = conversion.open().run({"features": rows[50:]})
    np.testing.assert_allclose(found["probabilities"], original.predict_proba(rows[50:]), atol=1e-6)
    np.testing.assert_array_equal(found["label"], original.predict(rows[50:]).ravel())
    # Nothing but the graph itself answered.
    page = report_html(conversion)
    assert "nothing to compare with" in page
    assert "Proven" not in page
    assert "<svg" not in page
    assert conversion.parity["compared"] is False
    recorded = {"features": rows[:50], "probabilities": original.predict_proba(rows[:50]).astype(np.float32),
                "label": original.predict(rows[:50]).ravel()}  # fmt: skip
    page = report_html(convert(tmp_path / "m.onnx", recorded))
    assert "Proven" in page
    assert "<svg" in page


def test_edge_rows_are_bounded_and_the_report_says_of_how_many():
    rows = GENERATOR.normal(size=(60, 400))
    conversion = convert(LinearRegression().fit(rows, rows[:, 0]), rows)
    bounded = conversion.parity["edge_rows"]
    assert sum(found["rows"] for found in bounded.values()) < 10_000
    assert bounded["thresholds"]["rows"] >= 400
    assert bounded["thresholds"]["possible"] == 400 * 48
    page = report_html(conversion)
    assert f"{bounded['thresholds']['rows']:,}" in page
    assert "19,200" in page


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "Float32"])
def test_an_original_is_asked_a_bounded_number_of_times(dtype, monkeypatch):
    monkeypatch.setattr(edges, "_MOST_ASKS", 20)
    rows = pd.DataFrame((GENERATOR.normal(size=(60, 30)) * 9).round(), columns=[f"c{n}" for n in range(30)])
    rows = rows.astype(dtype)
    asked = []

    class Counted(LinearRegression):
        def predict(self, given):
            asked.append(len(given))
            return super().predict(given)

    original = Counted().fit(rows, np.arange(60.0))
    samples = as_samples(rows, original, text=False)
    made = edges.edge_rows(samples, SklearnConverter().original(original, samples))
    assert {edge.kind for edge in made} >= {"extremes", "shuffled"}
    # A linear model refuses every missing value, so that halving alone would ask for each column.
    assert 20 <= len(asked) < 40
    assert not any(column.accepts_missing for column in samples.columns)
