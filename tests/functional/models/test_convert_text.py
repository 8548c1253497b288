"""Text models: somebody else's published one, and every option of the vectorizers."""

from pathlib import Path

import joblib
import numpy as np
import profanity_check
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from sealift.errors import InputError
from sealift_bundler import convert

TEXTS = [
    "the quick brown fox jumps over the lazy dog",
    "naïve café déjà vu à l'été",
    "Übergrößenträger fährt Straßenbahn",
    "İstanbul ILIK",
    "мир и война и мир",
    "東京都 は 日本",
    "emoji 😀 ok",
    "",
    "You are not a nice person at all",
    "have a lovely day my friend",
    "good good good day",
    "bad bad night",
] * 4
LABELS = np.arange(len(TEXTS)) % 3 == 0


@pytest.fixture(scope="module")
def profanity():
    folder = Path(profanity_check.__file__).parent / "data"
    steps = [(part, joblib.load(folder / f"{part}.joblib")) for part in ("vectorizer", "model")]
    return Pipeline(steps)


def test_a_published_text_model_agrees_through_the_front_end(profanity):
    conversion = convert(profanity, TEXTS, name="profanity", version="1.9.1")
    assert conversion.rung == "frontend-sparse-float64"
    assert conversion.description.conversion["attempts"] == [{"rung": "frontend-sparse-float64", "outcome": "proven"}]
    fresh = ["go to hell", "what a lovely day", "ÉTÉ CAFÉ", "", "stupid idiot"]
    converted = conversion.open()
    np.testing.assert_array_equal(converted.predict(fresh), profanity.predict(fresh))
    np.testing.assert_allclose(converted.predict_proba(fresh), profanity.predict_proba(fresh), atol=1e-5)
    assert converted.predict([]).shape == (0,)


@pytest.mark.parametrize(
    "vectorizer",
    [
        TfidfVectorizer(sublinear_tf=True),
        TfidfVectorizer(strip_accents="unicode", norm="l1"),
        TfidfVectorizer(stop_words="english", ngram_range=(1, 2)),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=200),
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), max_features=200, lowercase=False),
        TfidfVectorizer(use_idf=False, norm=None),
        CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b"),
        CountVectorizer(vocabulary=["good", "bad", "good day"], ngram_range=(1, 2)),
        FeatureUnion([("words", TfidfVectorizer()), ("chars", TfidfVectorizer(analyzer="char", ngram_range=(2, 2)))]),
    ],
    ids=lambda vectorizer: repr(vectorizer)[:60],
)
def test_every_vectorizer_option_agrees(vectorizer):
    original = make_pipeline(vectorizer, LogisticRegression()).fit(TEXTS, LABELS)
    conversion = convert(original, TEXTS)
    np.testing.assert_allclose(conversion.open().predict_proba(TEXTS), original.predict_proba(TEXTS), atol=1e-5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("one text", "one string"),
        ([["nested"]], "row 0 is"),
        (["fine", None], "row 1 is missing"),
        (["fine", 3], "row 1 is 3"),
        (["\ud800"], "surrogate"),
    ],
)
def test_rows_that_are_not_texts_are_refused(profanity, rows, message):
    converted = convert(profanity, TEXTS[:12]).open()
    with pytest.raises(InputError, match=message):
        converted.predict(rows)
