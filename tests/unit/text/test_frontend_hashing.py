"""Hashed terms fall into the columns that scikit-learn gives them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import murmurhash3_32
from support.depth import DEPTH

from sealift.model.frontend import hashing
from sealift.model.frontend.analyzer import Analyzer
from sealift.model.frontend.counter import Hashing, TermCounter
from sealift_bundler import ConversionError, convert

TEXTS = [
    "good good day", "bad night", "été à Orléans", "Übergröße, Straße", "İstanbul ılık", "мир и война", "東京都 日本",  # noqa: RUF001
    "emoji 😀 👩‍👩‍👧", "", "have a lovely day", "\t\n ", "a b c d e f",
] * 4  # fmt: skip


@settings(max_examples=125 * DEPTH)
@given(data=st.binary(max_size=40))
def test_the_hash_is_murmurhash3(data):
    assert hashing.murmurhash3_32(data) == murmurhash3_32(data, seed=0)


@settings(max_examples=50 * DEPTH)
@given(
    texts=st.lists(st.text(max_size=60), min_size=1, max_size=4),
    columns=st.sampled_from([1, 7, 64, 1000]),
    binary=st.booleans(),
    alternate_sign=st.booleans(),
    char=st.booleans(),
)
def test_columns_equal_those_of_scikit_learn(texts, columns, binary, alternate_sign, char):
    kind = {"analyzer": "char", "ngram_range": (1, 3)} if char else {"analyzer": "word", "ngram_range": (1, 2)}
    options = {"n_features": columns, "binary": binary, "alternate_sign": alternate_sign, "norm": None}
    expected = HashingVectorizer(**options, **kind).transform(texts).toarray()
    analyzer = Analyzer(lowercase=True, strip_accents=None, token_pattern=r"(?u)\b\w\w+\b", stop_words=None, **kind)
    counter = TermCounter(analyzer, (), binary, Hashing(columns, alternate_sign))
    np.testing.assert_array_equal(counter.build("float64")(texts), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"n_features": 4096},
        {"n_features": 512, "alternate_sign": False, "norm": "l1"},
        {"n_features": 256, "norm": None, "binary": True, "analyzer": "char_wb", "ngram_range": (2, 3)},
        {"n_features": 1000, "strip_accents": "unicode", "stop_words": "english", "ngram_range": (1, 2)},
    ],
    ids=str,
)
def test_a_hashing_vectorizer_agrees(options):
    labels = np.arange(len(TEXTS)) % 3 == 0
    original = make_pipeline(HashingVectorizer(**options), SGDClassifier(loss="log_loss", random_state=0))
    original.fit(TEXTS, labels)
    conversion = convert(original, TEXTS)
    assert conversion.rung.startswith("frontend")
    np.testing.assert_allclose(conversion.open().predict_proba(TEXTS), original.predict_proba(TEXTS), atol=1e-5)


def test_a_custom_tokenizer_is_refused_by_name():
    original = make_pipeline(HashingVectorizer(n_features=64, tokenizer=str.split, token_pattern=None), SGDClassifier())
    with pytest.raises(ConversionError, match=r"HashingVectorizer.*tokenizer is Python code"):
        convert(original.fit(TEXTS, np.arange(len(TEXTS)) % 2), TEXTS)
