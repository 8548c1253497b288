"""Estimators of a team's own: a converter that is registered with skl2onnx gets the last rung, and must prove itself."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF
from sklearn.ensemble import VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.models import own_converters
from support.models.agreement import HELD_BACK, ROWS, TARGET, agrees
from support.models.own_estimators import (
    Above,
    Clipped,
    ClippedCounts,
    ClippedFloat32,
    ClippedInBranch,
    ClippedWrong,
    Halves,
    LabelAlone,
    Lengths,
    OwnKNeighbors,
    OwnPipeline,
    OwnVectorizer,
    Sign,
    Total,
    Unregistered,
)

from sealift_bundler import ConversionError, ParityError, convert
from sealift_bundler.proof import ladder


@pytest.fixture(autouse=True)
def registered():
    own_converters.register()


@pytest.mark.parametrize("step", [Clipped, ClippedFloat32, ClippedInBranch])
def test_a_step_of_our_own_between_known_ones_proves_itself_on_the_last_rung(step):
    original = make_pipeline(StandardScaler(), step(), LogisticRegression()).fit(ROWS, TARGET)
    conversion = convert(original, ROWS)
    assert conversion.rung == "skl2onnx"
    first, last = conversion.description.conversion["attempts"]
    assert first["rung"] == "float32"
    assert f"step '{step.__name__.lower()}' ({step.__name__}): only skl2onnx" in first["outcome"]
    assert last == {"rung": "skl2onnx", "outcome": "proven"}
    assert conversion.parity["rows"] > conversion.parity["caller_rows"] == len(ROWS)
    assert conversion.files["golden.json"] == convert(original, ROWS).files["golden.json"]
    assert b'"predict_proba"' in conversion.files["golden.json"]
    agrees(conversion, original, HELD_BACK)


@pytest.mark.parametrize(
    "original",
    [Clipped(), Sign(), Above(), Halves(), Total(), VotingRegressor([("a", Total()), ("b", LinearRegression())])],
)
def test_an_estimator_of_our_own_is_the_whole_model_or_inside_a_known_one(original):
    target = ROWS[:, 0] if isinstance(original, RegressorMixin) else TARGET
    conversion = convert(original.fit(ROWS, target), ROWS)
    assert conversion.rung == "skl2onnx"
    agrees(conversion, original, HELD_BACK)


def test_a_step_of_our_own_over_a_text_column():
    frame = pd.DataFrame({"city": ["Bern", "Genève", "Zug", "Bern"] * 10, "n": np.arange(40.0)})
    steps = make_column_transformer((Lengths(), ["city"]), (StandardScaler(), ["n"]))
    original = make_pipeline(steps, LinearRegression()).fit(frame, frame["n"])
    agrees(convert(original, frame), original, frame)


def test_a_step_of_our_own_behind_a_vectorizer():
    texts = ["good day", "bad day", "good night", "bad night bad"] * 5
    original = make_pipeline(CountVectorizer(), ClippedCounts(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 5)
    conversion = convert(original, texts)
    assert conversion.rung == "frontend-skl2onnx"
    agrees(conversion, original, [*texts, "goodé day", "", "bad\u00a0night"])


def test_a_registered_converter_that_is_wrong_does_not_get_past_parity():
    original = make_pipeline(StandardScaler(), ClippedWrong(), LogisticRegression()).fit(ROWS, TARGET)
    with pytest.raises(ParityError, match=r"does not answer as the original: .* Rungs tried: float32, skl2onnx"):
        convert(original, ROWS)


@pytest.fixture
def built(monkeypatch):
    """The rungs that were built, by name."""
    names = []
    build = ladder._build
    monkeypatch.setattr(ladder, "_build", lambda rung: (names.append(rung.name), build(rung))[1])
    return names


@pytest.mark.parametrize("step", [Unregistered(), NMF(3, init="nndsvda", max_iter=1000)])
def test_a_step_that_nobody_knows_is_refused_once_with_the_way_out(built, step):
    original = make_pipeline(step, LinearRegression()).fit(np.abs(ROWS), ROWS[:, 0])
    with pytest.raises(ConversionError, match=f"{type(step).__name__}.*neither Sealift nor skl2onnx.*register one"):
        convert(original, np.abs(ROWS))
    assert built == ["float32"]


def test_without_skl2onnx_the_refusal_names_it(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    original = make_pipeline(Clipped(), LinearRegression()).fit(ROWS, ROWS[:, 0])
    with pytest.raises(
        ConversionError, match=r"'clipped' \(Clipped\): .*skl2onnx.* is not installed; install skl2onnx"
    ):
        convert(original, ROWS)
    assert built == ["float32"]


@pytest.mark.parametrize(
    "original",
    [
        make_pipeline(Clipped(), KNeighborsClassifier()),
        OwnPipeline([("scale", StandardScaler()), ("near", KNeighborsClassifier())]),
        OwnKNeighbors(),
    ],
)
def test_what_is_refused_for_ties_is_not_let_in_by_skl2onnx(original):
    rows = np.round(ROWS)
    with pytest.raises(ConversionError, match="equal distances"):
        convert(original.fit(rows, TARGET), rows)


def test_a_vectorizer_is_not_let_in_by_skl2onnx_either():
    texts = ["good day", "bad day", "good night", "bad night bad"] * 5
    original = OwnPipeline([("count", CountVectorizer()), ("model", LogisticRegression())]).fit(texts, [1, 0, 1, 0] * 5)
    with pytest.raises(ConversionError, match=r"it holds a CountVectorizer: ONNX's own tokenizer"):
        convert(original, texts)


def test_a_vectorizer_of_our_own_with_a_converter_of_our_own():
    texts = ["Bern", "Genève", "Zug", "Bern"] * 10
    original = make_pipeline(OwnVectorizer(), LinearRegression()).fit(texts, np.arange(40.0))
    conversion = convert(original, texts)
    assert (conversion.rung, conversion.description.interface) == ("frontend-skl2onnx", "text")
    agrees(conversion, original, [*texts, "", "Genève "])


def test_a_converter_that_leaves_the_probabilities_out_is_refused_by_name():
    with pytest.raises(ConversionError, match=r"'model' \(LabelAlone\): its converter gives the label alone"):
        convert(LabelAlone().fit(ROWS, ROWS[:, 0] > 0), ROWS)


def test_a_converter_that_raises_is_refused_with_its_reason(built):
    original = OwnPipeline([("one", Unregistered()), ("two", LinearRegression())]).fit(ROWS, ROWS[:, 0])
    with pytest.raises(ConversionError, match=r"step 'model' \(OwnPipeline\): skl2onnx cannot convert it \(Missing"):
        convert(original, ROWS)
    assert built == ["float32", "skl2onnx"]
