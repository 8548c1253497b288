"""Text without zeros: every step that scikit-learn gives sparse rows answers as its original, alone and in a batch."""

import json

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Binarizer, MaxAbsScaler, Normalizer, StandardScaler
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import SVC, LinearSVC
from xgboost import XGBClassifier, XGBRegressor

from sealift.errors import InputError
from sealift_bundler import convert
from sealift_bundler.converters import sparse_rungs

SPARSE = "frontend-sparse-float64"
WORDS = [
    "free",
    "win",
    "cash",
    "merge",
    "request",
    "pipeline",
    "failed",
    "runner",
    "job",
    "docs",
    "typo",
    "café",
    "naïve",
    "zürich",
    "straße",
    "мир",
    "東京",
    "😀",
    "please",
    "review",
    "this",
    "change",
    "again",
    "because",
    "tests",
    "are",
    "red",
    "and",
    "nobody",
    "knows",
]
NASTY = [
    "",
    " ",
    "\U0001f600",
    "\t\n",
    "a",
    "x" * 20_000,
    "free " * 3_000,
    "FREE caf\u0065\u0301",
    "\u0130stanbul \ufb01x",
]


def texts(count, seed):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(1, 15))) for _ in range(count)]


TEXTS = texts(160, 0)
UNSEEN = [*texts(59, 1), *NASTY]
LABELS = np.array([("free" in text) + ("merge" in text) for text in TEXTS])
VALUES = LABELS + 0.5


def frame(rows):
    return pd.DataFrame({"title": rows, "body": rows[::-1], "age": np.arange(len(rows)) % 7 * 1.5,
                         "rare": (np.arange(len(rows)) % 5 == 0) * 1.0})  # fmt: skip


def columns(**options):
    parts = [
        ("title", TfidfVectorizer(), "title"),
        ("body", CountVectorizer(analyzer="char_wb", ngram_range=(2, 2)), "body"),
        ("numbers", StandardScaler(), ["age", "rare"]),
    ]
    return ColumnTransformer(parts, **options)


def tfidf(*steps, **options):
    return make_pipeline(TfidfVectorizer(**options), *steps)


def logistic():
    return LogisticRegression(C=5.0)


PIPELINES = {
    "linear": lambda: tfidf(logistic()),
    "l1 and logarithms": lambda: tfidf(logistic(), norm="l1", sublinear_tf=True),
    "hashing": lambda: make_pipeline(HashingVectorizer(n_features=2**18), SGDClassifier(random_state=0)),
    "hashing, then tf-idf": lambda: make_pipeline(
        HashingVectorizer(n_features=500, norm="l1", alternate_sign=False), TfidfTransformer(), LinearSVC()
    ),
    "selector": lambda: tfidf(SelectKBest(chi2, k=12), Normalizer(), logistic()),
    "selector, largest": lambda: make_pipeline(CountVectorizer(), SelectKBest(k=12), Normalizer("max"), logistic()),
    "selector from a model": lambda: tfidf(SelectFromModel(LinearSVC(C=0.2, penalty="l1")), logistic()),
    "elimination": lambda: tfidf(RFE(LinearSVC(), n_features_to_select=10, step=0.5)),
    "svd": lambda: tfidf(TruncatedSVD(5, random_state=0), StandardScaler(), logistic()),
    "projection": lambda: tfidf(SparseRandomProjection(9, random_state=0), logistic()),
    "scalers": lambda: make_pipeline(
        CountVectorizer(), MaxAbsScaler(), StandardScaler(with_mean=False), LogisticRegression()
    ),
    "multinomial": lambda: make_pipeline(CountVectorizer(ngram_range=(1, 2)), MultinomialNB()),
    "complement": lambda: tfidf(ComplementNB()),
    "bernoulli": lambda: tfidf(BernoulliNB()),
    "binarizer": lambda: make_pipeline(CountVectorizer(), Binarizer(threshold=1), BernoulliNB(binarize=None)),
    "perceptron": lambda: tfidf(MLPClassifier((4,), max_iter=15, random_state=0)),
    "clusters": lambda: tfidf(KMeans(3, n_init=1, random_state=0)),
    "forest": lambda: tfidf(RandomForestClassifier(10, random_state=0)),
    "boosting": lambda: tfidf(GradientBoostingClassifier(n_estimators=5, random_state=0)),
    "adaboost": lambda: tfidf(AdaBoostClassifier(n_estimators=5, random_state=0)),
    "outliers": lambda: tfidf(IsolationForest(n_estimators=5, random_state=0)),
    "xgboost": lambda: tfidf(XGBClassifier(n_estimators=5)),
    # The signs of hashed terms add up to zeros that are there, which XGBoost tells from absent ones.
    "xgboost, zeros": lambda: make_pipeline(
        HashingVectorizer(n_features=8, norm=None), XGBClassifier(n_estimators=20)
    ),
    "xgboost, float32": lambda: tfidf(XGBClassifier(n_estimators=20, learning_rate=1.0), dtype=np.float32),
    "xgboost, linear": lambda: tfidf(XGBClassifier(n_estimators=5, booster="gblinear")),
    "lightgbm": lambda: tfidf(LGBMClassifier(n_estimators=5, min_child_samples=3, verbose=-1)),
    "calibrated": lambda: CalibratedClassifierCV(tfidf(LinearSVC()), cv=2),
    "bagging": lambda: tfidf(BaggingClassifier(LogisticRegression(), 3, max_features=0.5, random_state=0)),
    "one against the rest": lambda: tfidf(OneVsRestClassifier(LogisticRegression())),
    "voting": lambda: VotingClassifier(
        [("a", tfidf(logistic())), ("b", make_pipeline(CountVectorizer(), MultinomialNB()))], voting="soft"
    ),
    "hard voting": lambda: VotingClassifier(
        [("a", tfidf(logistic())), ("b", tfidf(LinearSVC())), ("c", tfidf(BernoulliNB()))]
    ),
    "voting with xgboost": lambda: VotingClassifier(
        [("a", tfidf(logistic())), ("b", tfidf(XGBClassifier(n_estimators=3)))], voting="soft"
    ),
    "stacking": lambda: StackingClassifier(
        [("a", tfidf(logistic())), ("b", make_pipeline(CountVectorizer(), MultinomialNB()))], cv=2
    ),
    "stacking, passed through": lambda: tfidf(
        StackingClassifier([("a", logistic()), ("b", MultinomialNB())], cv=2, passthrough=True)
    ),
    "union": lambda: make_pipeline(
        FeatureUnion(
            [("words", TfidfVectorizer()), ("hashed", HashingVectorizer(n_features=999))],
            transformer_weights={"words": 0.3},
        ),
        logistic(),
    ),
    "every column": lambda: tfidf(SVC(probability=False)),
}  # fmt: skip
TABLES = {
    "linear": lambda: make_pipeline(columns(), logistic()),
    "scaled": lambda: make_pipeline(columns(), MaxAbsScaler(), Normalizer(), logistic()),
    "selected forest": lambda: make_pipeline(columns(), SelectKBest(k=20), RandomForestClassifier(10, random_state=0)),
    "xgboost, sparse": lambda: make_pipeline(columns(sparse_threshold=1.0), XGBClassifier(n_estimators=10)),
    "xgboost, dense": lambda: make_pipeline(columns(sparse_threshold=0.0), XGBClassifier(n_estimators=10)),
    "lightgbm": lambda: make_pipeline(columns(), LGBMClassifier(n_estimators=5, min_child_samples=3, verbose=-1)),
    "voting": lambda: VotingClassifier(
        [("a", make_pipeline(columns(), logistic())), ("b", make_pipeline(columns(), BernoulliNB()))], voting="soft"
    ),
}
REGRESSORS = {
    "transformed target": lambda: TransformedTargetRegressor(tfidf(Ridge()), func=np.log1p, inverse_func=np.expm1),
    "trees": lambda: make_pipeline(CountVectorizer(), ExtraTreesRegressor(5, random_state=0)),
    "xgboost": lambda: make_pipeline(CountVectorizer(dtype=np.float32), XGBRegressor(n_estimators=5)),
}
pytestmark = pytest.mark.filterwarnings("ignore")


def dense(answer):
    return answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)


def assert_same(original, rows, given, unseen, *, rung=SPARSE):
    conversion = convert(original, given, golden="samples")
    assert conversion.rung == rung
    model = conversion.open()
    for method in model.description.methods:
        expected, answers = dense(getattr(original, method)(unseen)), getattr(model, method)(unseen)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(answers, expected)
        for row in range(0, len(unseen), 4):
            (alone,) = getattr(model, method)(unseen[row : row + 1])
            np.testing.assert_array_equal(alone, answers[row], err_msg=f"{method}, row {row}")
    return conversion


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_over_texts_agrees(name):
    assert_same(PIPELINES[name]().fit(TEXTS, LABELS), TEXTS, TEXTS[:60], UNSEEN)


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_over_texts_agrees(name):
    assert_same(REGRESSORS[name]().fit(TEXTS, VALUES), TEXTS, TEXTS[:60], UNSEEN)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_texts_agrees(name):
    rows = frame(TEXTS)
    assert_same(TABLES[name]().fit(rows, LABELS), rows, rows[:60], frame(UNSEEN))


@pytest.mark.parametrize(
    "original",
    [TfidfVectorizer(), make_pipeline(HashingVectorizer(n_features=64), MaxAbsScaler())],
    ids=["tfidf", "scaled"],
)
def test_a_transformer_gives_every_column(original):
    assert_same(original.fit(TEXTS), TEXTS, TEXTS[:60], UNSEEN)


def test_a_step_that_needs_too_many_columns_takes_the_dense_way():
    original = make_pipeline(HashingVectorizer(n_features=5000), SVC(random_state=0)).fit(TEXTS[:60], LABELS[:60])
    conversion = convert(original, TEXTS[:40])
    assert conversion.rung == "frontend-float64"
    first = conversion.description.conversion["attempts"][0]
    assert first["rung"] == SPARSE
    assert "needs each of the 5,000 columns of text" in first["outcome"]
    assert json.loads(conversion.files["frontend.json"])["schema"] == "sealift.frontend/1"
    np.testing.assert_array_equal(conversion.open().predict(UNSEEN[:20]), original.predict(UNSEEN[:20]))


def test_float32_is_taken_where_the_tables_are_large(monkeypatch):
    monkeypatch.setattr(sparse_rungs, "_LARGE_BYTES", 1)
    original = make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, LABELS)
    conversion = convert(original, TEXTS[:60])
    assert conversion.rung == "frontend-sparse-float32"
    assert "float32 is tried first" in conversion.description.conversion["attempts"][0]["outcome"]
    np.testing.assert_allclose(conversion.open().predict_proba(UNSEEN), original.predict_proba(UNSEEN), atol=1e-5)
    # Trees compare in float64: the narrow rung is passed over, and the wide one kept after all.
    forest = tfidf(RandomForestClassifier(3, random_state=0)).fit(TEXTS, LABELS)
    assert convert(forest, TEXTS[:60]).rung == SPARSE


def test_one_vectorizer_is_counted_once():
    vectorizer = TfidfVectorizer()
    original = VotingClassifier(
        [("a", make_pipeline(vectorizer, logistic())), ("b", make_pipeline(vectorizer, MultinomialNB()))], voting="soft"
    )
    conversion = convert(original.fit(TEXTS, LABELS), TEXTS[:60])
    assert len(json.loads(conversion.files["frontend.json"])["frontends"]) == 1
    assert [tensor.name for tensor in conversion.description.inputs] == ["terms", "counts"]


def test_what_the_graph_makes_of_a_term_and_of_a_row_is_declared():
    conversion = convert(PIPELINES["svd"]().fit(TEXTS, LABELS), TEXTS[:60])
    (counter,) = json.loads(conversion.files["frontend.json"])["frontends"]
    assert (counter["kind"], counter["layout"], counter["term_values"], counter["row_values"]) == (
        "counter", "sparse", 5, 0
    )  # fmt: skip
    conversion = convert(PIPELINES["every column"]().fit(TEXTS, LABELS), TEXTS[:60])
    (counter,) = json.loads(conversion.files["frontend.json"])["frontends"]
    assert counter["row_values"] == len(counter["vocabulary"]) + 1


def test_tensors_can_be_given_and_a_column_beyond_the_table_is_refused():
    original = tfidf(logistic()).fit(TEXTS, LABELS)
    model = convert(original, TEXTS[:60]).open()
    vocabulary = original[0].vocabulary_
    terms = np.array([[vocabulary["cash"], vocabulary["free"], len(vocabulary)]])
    answer = model.run({"terms": terms, "counts": np.array([[1.0, 2.0, 0.0]])})
    np.testing.assert_allclose(answer["probabilities"], original.predict_proba(["free cash free"]), atol=1e-12)
    with pytest.raises(InputError, match="cannot take these values"):
        model.run({"terms": terms + len(vocabulary), "counts": np.ones((1, 3))})


@pytest.mark.parametrize(
    ("rows", "message"), [(["a\0b"], "NUL"), (["\ud800"], "surrogate"), ([None], "missing"), ("text", "one string")]
)
def test_rows_that_are_no_texts_are_refused(rows, message):
    model = convert(tfidf(logistic()).fit(TEXTS, LABELS), TEXTS[:60]).open()
    with pytest.raises(InputError, match=message):
        model.predict(rows)
    assert model.predict([]).shape == (0,)
