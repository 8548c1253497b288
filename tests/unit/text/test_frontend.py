"""The declarative front end equals scikit-learn's analyzer, token for token."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from support.depth import DEPTH

from sealift.errors import MalformedError, UnsupportedVersionError
from sealift.model.frontend import document as frontend

OPTIONS = st.fixed_dictionaries(
    {
        "analyzer": st.sampled_from(["word", "char", "char_wb"]),
        "lowercase": st.booleans(),
        "strip_accents": st.sampled_from([None, "ascii", "unicode"]),
        "token_pattern": st.sampled_from([r"(?u)\b\w\w+\b", r"\b\w+\b", r"[a-z]+(?=\s)", r"(\w)\w*", r"\S+"]),
        "ngram_range": st.sampled_from([(1, 1), (1, 2), (2, 3), (3, 5)]),
        "stop_words": st.sampled_from([None, ["the", "a", "is", "été"], "english"]),
    }
)
WORDS = st.sampled_from(
    [
        "the",
        "The",
        "a",
        "is",
        "été",
        "ÉTÉ",
        "İstanbul",
        "ılık",  # noqa: RUF001
        "мир",
        "東京",
        "😀",
        "ﬁx",
        "e\u0301",
        "\u2003",
        "\t\n",
        "x1",
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join))


@pytest.mark.filterwarnings("ignore:Your stop_words")
@settings(max_examples=100 * DEPTH)
@given(options=OPTIONS, text=TEXTS)
def test_terms_equal_those_of_scikit_learn(options, text):
    vectorizer = CountVectorizer(**options)
    expected = vectorizer.build_analyzer()(text)
    stop_words = vectorizer.get_stop_words() if options["analyzer"] == "word" else None
    analyzer = frontend.Analyzer(**{**options, "stop_words": None if stop_words is None else frozenset(stop_words)})
    assert analyzer.build()(text) == expected


@settings(max_examples=30 * DEPTH)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), binary=st.booleans())
def test_counts_equal_those_of_scikit_learn(texts, binary):
    vectorizer = CountVectorizer(vocabulary=["the", "été", "мир", "the a", "東京"], ngram_range=(1, 2), binary=binary)
    document = {
        "schema": frontend.SCHEMA,
        "counters": [
            {
                "analyzer": "word",
                "lowercase": True,
                "strip_accents": None,
                "token_pattern": r"(?u)\b\w\w+\b",
                "ngram_range": [1, 2],
                "stop_words": None,
                "vocabulary": ["the", "été", "мир", "the a", "東京"],
                "binary": binary,
            }
        ],
    }
    (counter,) = frontend.parse(json.dumps(document).encode())
    np.testing.assert_array_equal(counter.build("float32")(texts), vectorizer.transform(texts).toarray())


def declared(**changes):
    counter = {
        "analyzer": "word",
        "lowercase": True,
        "strip_accents": None,
        "token_pattern": r"\w+",
        "ngram_range": [1, 1],
        "vocabulary": ["a"],
        "binary": False,
    }
    return json.dumps({"schema": frontend.SCHEMA, "counters": [{**counter, **changes}]}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"analyzer": "python"},
        {"strip_accents": "all"},
        {"token_pattern": "("},
        {"token_pattern": "(a)(b)"},
        {"ngram_range": [0, 1]},
        {"ngram_range": [1]},
        {"vocabulary": [1]},
        {"stop_words": [None]},
        {"binary": 1},
        {"tokenizer": "os.system"},
    ],
)
def test_a_declaration_that_breaks_the_schema_is_malformed(changes):
    with pytest.raises(MalformedError, match=r"frontend.json"):
        frontend.parse(declared(**changes))


def test_a_newer_front_end_is_an_unsupported_version():
    with pytest.raises(UnsupportedVersionError, match=r"sealift.frontend/9"):
        frontend.parse(b'{"schema":"sealift.frontend/9","counters":[]}')
