"""An insider's view of a release: a reader of all of its bytes looks for what stood in the samples alone.

Models are trained on other rows, so nothing but golden examples and reports could hold a planted value. Each search
is tried on a release that carries samples, where it must find every one.
"""

import json
import struct

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from support.release.workbench import Workbench

from sealift.errors import InputError
from sealift_bundler import convert
from sealift_bundler.proof.edges import EdgeRows
from sealift_bundler.proof.parity import DEFAULT_TOLERANCE, Parity, _compare

GENERATOR = np.random.default_rng(20_260_704)
ROWS = 50
WORDS = [f"zq{''.join('bcdfghjkmn'[int(digit)] for digit in str(10_000 + 7 * place))}" for place in range(ROWS)]
TEXTS = [f"the runner of {word} fails" for word in WORDS]
FRACTIONS = GENERATOR.integers(10**7, 10**8, ROWS) / 1e4
WHOLE = GENERATOR.integers(10**6, 10**7, ROWS)
LABELS = ["bug", "feature"] * (ROWS // 2)


def table(words, fractions, whole):
    return pd.DataFrame({"who": words, "amount": fractions, "account": whole})


def training():
    """Rows of the same form and range, and of other values."""
    rows = GENERATOR.permutation(ROWS)
    words = np.array(["ann", "ben"])[rows % 2]
    return table(words, FRACTIONS[rows] + 0.00371, WHOLE[rows] + 13)


PLANTED = table(WORDS, FRACTIONS, WHOLE)


def encoded(last):
    first = (StandardScaler(), ["amount", "account"])
    return make_pipeline(make_column_transformer(first, last), LogisticRegression()).fit(training(), LABELS)


def texts(vectorizer):
    return make_pipeline(vectorizer, LogisticRegression()).fit(["the runner fails", "dark mode please"] * 4, LABELS[:8])


def counted():
    rows = training().assign(who=["the runner fails", "dark mode please"] * (ROWS // 2))
    columns = make_column_transformer((TfidfVectorizer(), "who"), ("passthrough", ["amount", "account"]))
    return make_pipeline(columns, StandardScaler(with_mean=False), LogisticRegression()).fit(rows, LABELS)


def passed_on():
    columns = make_column_transformer(("passthrough", ["amount", "account"]), (FunctionTransformer(), ["rate"]))
    return columns.fit(training().drop(columns="who").assign(rate=0.5))


CASES = {
    "texts": (lambda: texts(TfidfVectorizer()), TEXTS, ""),
    "hashed texts": (lambda: texts(HashingVectorizer(n_features=64)), TEXTS, ""),
    "one-hot": (lambda: encoded((OneHotEncoder(handle_unknown="ignore"), ["who"])), PLANTED, 'golden = "generated"'),
    "ordinal": (
        lambda: encoded((OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["who"])),
        PLANTED,
        'golden = "generated"',
    ),
    "a counted column": (counted, PLANTED.assign(who=TEXTS), ""),
    # Its answers are the rows themselves, and the report's worst rows show answers.
    "numbers passed on": (
        passed_on,
        PLANTED.drop(columns="who").assign(rate=FRACTIONS / 7),
        'golden = "generated"',
    ),
}


def needles(samples):
    """For each planted value, every form in which a file could hold it."""
    found = {}
    for word in WORDS if isinstance(samples, list) or "who" in samples else ():
        found[word] = [word.encode(), word.encode("utf-16-le")]
    for name in ("amount", "rate"):
        for value in [] if isinstance(samples, list) or name not in samples else samples[name].tolist():
            # Seven digits of it are as good as all.
            forms = {f"{value:.3f}"[:-1], repr(value)[:9], struct.pack("<d", value), struct.pack("<f", value)}
            found[f"{name} {value}"] = [form.encode() if isinstance(form, str) else form for form in forms]
    for value in [] if isinstance(samples, list) else WHOLE.tolist():
        found[f"account {value}"] = [str(value).encode(), struct.pack("<q", value), struct.pack("<d", value)]
    return found


def held(files, values):
    return [name for name, forms in values.items() if any(form in data for form in forms for data in files)]


@pytest.mark.parametrize("case", list(CASES))
def test_no_value_of_the_samples_or_the_holdout_is_in_a_release(case, tmp_path, monkeypatch):
    make, samples, line = CASES[case]
    bench = Workbench(tmp_path, monkeypatch)
    half = ROWS // 2
    kept, unseen = (samples[:half], samples[half:])
    bench.recipe(make(), bench.put("samples", kept), line)
    status, out, err = bench.add("--holdout", bench.put("unseen", unseen), "--report", "report.html", "--json")
    assert status == 0, err
    assert "; no sample row does" in err
    assert json.loads(out)["golden"]["source"] == "generated"
    values = needles(samples)
    assert len(values) >= 50
    assert held(bench.released(), values) == []
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize("case", list(CASES))
def test_the_same_search_finds_all_of_them_where_samples_travel(case, tmp_path, monkeypatch):
    make, samples, _ = CASES[case]
    bench = Workbench(tmp_path, monkeypatch)
    bench.recipe(make(), bench.put("samples", samples), 'golden = "samples"')
    status, _, err = bench.add()
    assert status == 0, err
    values = needles(samples)
    assert held(bench.released(), values) == list(values)


def test_a_file_of_invented_rows_is_all_that_a_release_holds(tmp_path, monkeypatch):
    make, samples, _ = CASES["one-hot"]
    bench = Workbench(tmp_path, monkeypatch)
    bench.put("invented", table(["ann"], [1234.5678], [7_654_321]))
    bench.recipe(make(), bench.put("samples", samples), 'golden = "invented.json"')
    assert bench.add()[0] == 0
    files = bench.released()
    assert held(files, needles(samples)) == []
    assert any(b"1234.5678" in data for data in files)


def test_a_refusal_that_quotes_a_value_is_not_written_down():
    class Refuses:
        class description:  # noqa: N801
            interface = "text"

        def answers(self, *_):
            raise InputError(f"row 0 is {WORDS[0]!r}")

    parity = Parity(DEFAULT_TOLERANCE, "the original")
    rows = EdgeRows("caller", [WORDS[0]], {"predict": np.array(["x"])})
    _compare(parity, Refuses(), rows, rows.rows)
    assert WORDS[0] in parity.summary()
    assert parity.outcome() == "the converted model refuses caller rows that the original answers"


def test_a_category_of_the_samples_alone_is_no_generated_value():
    levels = pd.CategoricalDtype(["ann", "ben", *WORDS])
    rows = training().assign(who=["ann", "ben"] * (ROWS // 2))
    lightgbm = pytest.importorskip("lightgbm")
    trained = rows.assign(who=rows["who"].astype("category"))
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, min_child_samples=1).fit(trained, LABELS)
    files = convert(model, rows.assign(who=rows["who"].astype(levels)), golden="generated").files
    assert [word for word in WORDS if word.encode() in files["golden.json"]] == []
