"""Counts without zeros: those of scikit-learn's sparse rows, in chunks that stay small, answered in order."""

import json
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.utils import murmurhash3_32
from support.depth import DEPTH

from sealift.errors import LimitError, MalformedError, UnsupportedVersionError
from sealift.model.documents.description import Column, TensorInput
from sealift.model.frontend import chunks, document, hashing
from sealift.model.frontend.analyzer import Analyzer
from sealift.model.frontend.counter import Hashing, TermCounter
from sealift.model.frontend.inputs import check_inputs
from sealift.model.frontend.sorted_feeds import SortedFeeds, SparseInputs
from sealift.model.frontend.sparse import SparseCounter
from sealift.model.frontend.words import WordMemo

WORDS = st.sampled_from(["the", "The", "été", "ÉTÉ", "мир", "東京", "😀", "ﬁx", "x1", "a", "\u2003", "good", "day"])
TEXTS = st.lists(st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=12).map(" ".join)), min_size=1, max_size=12)
LONG_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
KINDS = st.sampled_from(
    [
        {"analyzer": "word", "ngram_range": (1, 1)},
        {"analyzer": "word", "ngram_range": (1, 2)},
        {"analyzer": "char", "ngram_range": (1, 3)},
        {"analyzer": "char_wb", "ngram_range": (2, 4)},
    ]
)


def counter_of(vectorizer, kind):
    analyzer = Analyzer(lowercase=True, strip_accents=None, token_pattern=r"(?u)\b\w\w+\b", stop_words=None, **kind)
    if isinstance(vectorizer, HashingVectorizer):
        return TermCounter(analyzer, (), vectorizer.binary, Hashing(vectorizer.n_features, vectorizer.alternate_sign))
    known = vectorizer.vocabulary_
    return TermCounter(analyzer, tuple(sorted(known, key=known.get)), vectorizer.binary)


def assert_counts(counter, texts, expected, memo_bytes=1 << 20):
    count = SparseCounter(counter, 1, 0).build(memo_bytes)
    for _ in range(2):  # the second time from the memo
        found = count(texts)
        np.testing.assert_array_equal(found.sizes, np.diff(expected.indptr))
        np.testing.assert_array_equal(found.columns, expected.indices)
        np.testing.assert_array_equal(found.counts, expected.data)


@settings(max_examples=60 * DEPTH)
@given(texts=TEXTS, kind=KINDS, binary=st.booleans(), few=st.integers(0, 1 << 12))
def test_counts_are_those_of_a_vocabulary(texts, kind, binary, few):
    vectorizer = CountVectorizer(binary=binary, **kind).fit(
        ["the good day, été à 東京 ﬁx 😀 мир the good x1 day", *texts[:3]]
    )
    expected = vectorizer.transform(texts).tocsr()
    expected.sort_indices()
    assert_counts(counter_of(vectorizer, kind), texts, expected, few)


@settings(max_examples=60 * DEPTH)
@given(
    texts=TEXTS,
    kind=KINDS,
    columns=st.sampled_from([1, 7, 1000, 2**20]),
    binary=st.booleans(),
    alternate_sign=st.booleans(),
)
def test_counts_are_those_of_hashing(texts, kind, columns, binary, alternate_sign):
    vectorizer = HashingVectorizer(n_features=columns, binary=binary, alternate_sign=alternate_sign, norm=None, **kind)
    expected = vectorizer.transform(texts).tocsr()
    expected.sort_indices()
    assert_counts(counter_of(vectorizer, kind), texts, expected)


@settings(max_examples=60 * DEPTH)
@given(data=st.lists(st.text(string.ascii_letters, max_size=300) | LONG_TEXTS, max_size=8))
def test_many_hashes_are_those_of_each(data):
    expected = [murmurhash3_32(one.encode(), seed=0) for one in data]
    assert hashing.murmurhash3_32_of_all(data).tolist() == expected


def test_the_memo_of_words_stays_small():
    analyzer = Analyzer("char_wb", True, None, r"\w+", (2, 3), None)
    memo = WordMemo(analyzer, lambda terms: np.arange(len(terms)), 5_000, keep_all=True)
    for start in range(0, 200, 10):
        memo.located([" ".join(f"word{number}" for number in range(start, start + 10))])
        assert memo._bytes <= 5_000
        assert sum(250 + 4 * len(word) + len(data) for word, data in memo._columns_of.items()) == memo._bytes
    memo.located(["w" * 5_000])
    assert memo._bytes <= 5_000


def test_windows_hold_every_row_once():
    texts = {"text": ["x" * size for size in (3, 0, 1 << 21, 5, 5, 1 << 19, 1 << 19, 1)] + [""] * 3000}
    parts = list(chunks.windows(texts, {"text": 1}))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(3008))
    assert all(part.stop - part.start <= 1024 for part in parts)
    assert slice(2, 3) in parts  # beyond the limit alone
    assert list(chunks.windows({"text": []}, {"text": 1})) == []


@settings(max_examples=50 * DEPTH)
@given(values=st.lists(st.integers(0, 1 << 21), min_size=1, max_size=60))
def test_chunks_hold_every_row_once_and_bound_what_is_made(values):
    values = np.array(values)
    rows = []
    for places in chunks.chunks(values):
        mine = np.arange(len(values)) if places is None else places
        rows += mine.tolist()
        assert len(mine) == 1 or len(mine) * int(values[mine].max()) <= 1 << 20
    assert sorted(rows) == list(range(len(values)))


def inputs_of(dtype="float64"):
    column = Column("text", "str", None)
    return [
        TensorInput("terms", "int64", ("rows", "terms"), (column,), 0),
        TensorInput("counts", dtype, ("rows", "terms"), (column,), 0),
    ]


def test_answers_come_back_in_the_order_of_the_rows():
    vectorizer = CountVectorizer().fit(["good day night"])
    counter = SparseCounter(counter_of(vectorizer, {"analyzer": "word", "ngram_range": (1, 1)}), 1 << 19, 0)
    texts = ["good day night", "", "day", "good day", "night", "", "good"]
    order = np.arange(7) * 10
    feeds = SortedFeeds(
        SparseInputs(inputs_of(), [counter]),
        {"text": texts},
        lambda part, places: {"numbers": order[part] if places is None else order[part][places]},
    )
    parts = []
    for chunk in feeds:
        assert len(chunk["terms"]) % 2 == 0, "rows are made even"
        assert (chunk["terms"][:, -1] == 3).all(), "at least one place is padding"
        parts.append([chunk["numbers"], chunk["counts"].sum(axis=1)])
    assert len(parts) > 1
    ((numbers, counts),) = feeds.in_order(parts)
    assert numbers.tolist() == order.tolist()
    assert counts.tolist() == [3, 0, 1, 2, 1, 0, 1]


COUNTER = {
    "kind": "counter", "layout": "sparse", "analyzer": "word", "lowercase": True, "strip_accents": None,
    "token_pattern": r"\w+", "ngram_range": [1, 1], "vocabulary": ["a"], "binary": False, "term_values": 1,
    "row_values": 0,
}  # fmt: skip


def declared(*frontends):
    return json.dumps({"schema": document.KINDS_SCHEMA, "frontends": frontends}).encode()


def test_a_sparse_counter_is_parsed():
    (counter,) = document.parse(declared(COUNTER))
    assert (counter.width, counter.term_values, counter.row_values) == (1, 1, 0)
    check_inputs(inputs_of(), [counter])


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": "dense"},
        {"layout": None},
        {"term_values": 0},
        {"term_values": 2**31},
        {"row_values": -1},
        {"row_values": "1"},
        {"extra": 1},
        {"vocabulary": [None]},
        {"kind": None},
    ],
    ids=str,
)
def test_a_sparse_counter_that_breaks_the_schema_is_malformed(changes):
    with pytest.raises(MalformedError, match=r"frontend.json"):
        document.parse(declared(COUNTER | changes))


def test_a_kind_that_is_not_known_is_an_unsupported_version():
    with pytest.raises(UnsupportedVersionError, match=r"kind 'oracle'; this Sealift knows \['counter', 'tokenizer'\]"):
        document.parse(declared(COUNTER, {"kind": "oracle"}))


def test_too_many_front_ends_are_refused():
    with pytest.raises(LimitError, match=r"10,001 frontends"):
        document.parse(declared(*[{}] * 10_001))


@pytest.mark.parametrize(
    "change",
    [
        lambda terms, counts: [terms],
        lambda terms, counts: [terms, terms],
        lambda terms, counts: [terms, counts, counts],
        lambda terms, counts: [terms, counts._replace(dtype="float16")],
        lambda terms, counts: [terms, counts._replace(shape=("rows", 4))],
        lambda terms, counts: [terms, counts._replace(columns=(Column("other", "str", None),))],
        lambda terms, counts: [terms._replace(frontend=1), counts],
    ],
    ids=["one", "no counts", "three", "float16", "fixed", "two columns", "no such"],
)
def test_inputs_that_do_not_fit_a_sparse_counter_are_malformed(change):
    frontends = document.parse(declared(COUNTER))
    with pytest.raises(MalformedError, match=r"front end|shape"):
        check_inputs(change(*inputs_of()), frontends)
