"""A model that would answer differently never comes out, and each refusal says what to do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sealift.model.documents.description import Tolerance
from sealift_bundler import ConversionError, ParityError, SourceError, convert
from sealift_bundler.converters import steps
from sealift_bundler.proof import ladder

ROWS = np.random.default_rng(0).normal(size=(60, 3))
TARGET = ROWS[:, 0] > 0


def wrong_by(factor):
    """A StandardScaler converter that is wrong by a factor."""

    def emit(context, estimator, features):
        scale = np.asarray(estimator.scale_) * factor
        tensor = context.graph.add("Div", steps.numbers(context, features, estimator), context.graph.constant(scale))
        return steps.features_of(tensor, len(features))

    return emit


def test_a_broken_converter_never_gets_past_parity(monkeypatch):
    original = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, TARGET)
    assert convert(original, ROWS).rung == "float32"
    monkeypatch.setitem(steps.TRANSFORMERS, StandardScaler, wrong_by(1.001))
    with pytest.raises(ParityError, match=r"does not answer as the original: .*Worst: .* expected .*, got "):
        convert(original, ROWS)


def test_a_score_just_outside_the_tolerance_is_refused_and_a_wider_one_is_recorded(monkeypatch):
    original = make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS, ROWS[:, 0] * 3)
    convert(original, ROWS)
    monkeypatch.setitem(steps.TRANSFORMERS, StandardScaler, wrong_by(1 + 1e-4))
    with pytest.raises(ParityError):
        convert(original, ROWS)


def test_labels_that_agree_do_not_excuse_probabilities_that_do_not(monkeypatch):
    original = DecisionTreeClassifier(max_depth=2).fit(ROWS, TARGET)
    broken = steps.PREDICTORS[DecisionTreeClassifier]

    def emit(context, estimator, features):
        heads = broken(context, estimator, features)
        halved = context.graph.add("Mul", heads["probabilities"], context.graph.constant(0.5))
        return {**heads, "probabilities": halved}

    monkeypatch.setitem(steps.PREDICTORS, DecisionTreeClassifier, emit)
    with pytest.raises(ParityError, match="0 labels and"):
        convert(original, ROWS)


def test_a_converter_that_invents_answers_for_missing_values_is_caught():
    # The tree was proven with NaN only if the original takes NaN; here it does, and must agree on it.
    rows = ROWS.copy()
    rows[::5, 1] = np.nan
    original = DecisionTreeClassifier(max_depth=4, random_state=0).fit(rows, TARGET)
    converted = convert(original, rows).open()
    np.testing.assert_array_equal(converted.predict_proba(rows), original.predict_proba(rows))


def test_a_tolerance_is_recorded():
    original = LinearRegression().fit(ROWS, ROWS[:, 0])
    conversion = convert(original, ROWS, tolerance=Tolerance(1e-3, 1e-4))
    assert conversion.description.tolerance == Tolerance(1e-3, 1e-4)


@pytest.mark.parametrize(
    ("original", "message"),
    [
        (make_pipeline(FunctionTransformer(lambda x: x + 1), LinearRegression()), "'functiontransformer'.*lambda"),
        (make_pipeline(FunctionTransformer(np.sinc), LinearRegression()), "sinc"),
    ],
)
def test_python_code_in_a_step_is_refused_by_name(original, message):
    with pytest.raises(ConversionError, match=message):
        convert(original.fit(ROWS, ROWS[:, 0]), ROWS)


@pytest.fixture
def built(monkeypatch):
    """The rungs that were built, by name."""
    names = []
    build = ladder._build
    monkeypatch.setattr(ladder, "_build", lambda rung: (names.append(rung.name), build(rung))[1])
    return names


def test_a_final_refusal_ends_the_ladder(built):
    original = make_pipeline(StandardScaler(), FunctionTransformer(np.sinc), LinearRegression())
    with pytest.raises(ConversionError, match="cannot be converted: step 'functiontransformer'"):
        convert(original.fit(ROWS, ROWS[:, 0]), ROWS)
    assert built == ["float32"]


def test_a_step_that_needs_a_later_rung_gets_it_and_a_final_refusal_there_ends_the_ladder(built):
    original = make_pipeline(KernelPCA(2, kernel="rbf"), FunctionTransformer(np.sinc), LinearRegression())
    with pytest.raises(ConversionError, match="cannot be converted: step 'functiontransformer'"):
        convert(original.fit(ROWS, ROWS[:, 0]), ROWS)
    assert built == ["float32", "float64"]


def test_any_other_error_of_a_rung_is_no_reason_to_end_the_ladder(built, monkeypatch):
    # Plug-ins raise what they like: a ConversionError, or an error that nobody foresaw.
    original = LinearRegression().fit(ROWS, ROWS[:, 0])
    known = steps.PREDICTORS[LinearRegression]
    for error in (ConversionError("not here"), ZeroDivisionError("oh")):

        def emit(context, estimator, features, error=error):
            if context.narrow:
                raise error
            return known(context, estimator, features)

        monkeypatch.setitem(steps.PREDICTORS, LinearRegression, emit)
        assert convert(original, ROWS).rung == "float64"
    assert built == ["float32", "float64"] * 2


def test_a_custom_tokenizer_is_refused_by_name():
    texts = ["good day", "bad day", "good night", "bad night"]
    original = make_pipeline(CountVectorizer(tokenizer=str.split, token_pattern=None), LogisticRegression())
    with pytest.raises(ConversionError, match=r"'countvectorizer'.*tokenizer is Python code"):
        convert(original.fit(texts, [1, 0, 1, 0]), texts)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (pd.DataFrame({"a": [1.0]}), r"missing \['b'\]"),
        (pd.DataFrame({"a": [1.0], "b": [2.0], "z": [3.0]}), r"not known to the model \['z'\]"),
        (pd.DataFrame({"a": [1.0], "b": [2.0]}).iloc[:0], "no sample rows"),
        (pd.DataFrame({"a": [1.0], "b": pd.to_datetime(["2026-01-01"])}), "'b' has dtype datetime64"),
        (pd.DataFrame({"a": [1.0], "b": [{"x": 1}]}), "'b' mixes text"),
        (np.zeros((3, 5)), r"shape \[3, 5\]; expected \[rows, 2\]"),
    ],
)
def test_samples_that_do_not_fit_are_refused_naming_the_column(samples, message):
    frame = pd.DataFrame({"a": ROWS[:, 0], "b": ROWS[:, 1]})
    with pytest.raises(SourceError, match=message):
        convert(LinearRegression().fit(frame, ROWS[:, 2]), samples)


def test_neighbors_at_equal_distances_are_refused_by_name():
    with pytest.raises(ConversionError, match=r"KNeighborsClassifier.*equal distances"):
        convert(KNeighborsClassifier().fit(np.round(ROWS), TARGET), np.round(ROWS))


def test_a_model_that_is_not_fitted_is_refused():
    with pytest.raises(SourceError, match="not fitted"):
        convert(make_pipeline(StandardScaler(), LogisticRegression()), ROWS)


def test_an_object_that_no_converter_knows_is_refused():
    with pytest.raises(SourceError, match=r"no converter knows a builtins.dict"):
        convert({"weights": [1]}, ROWS)
