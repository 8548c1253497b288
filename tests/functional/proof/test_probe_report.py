"""The probe: its figures for models that are known, on the page and on the screen, and in no file that travels."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from support.release.workbench import Workbench

from sealift_bundler import SourceError, convert
from sealift_bundler.probe.text_changes import CHANGES
from sealift_bundler.proof.pages.conversion_page import report_html
from sealift_bundler.proof.pages.probe_page import turned_most

RUDE = ["you are an idiot", "what a stupid fool", "idiot and fool", "stupid again"] * 10
FINE = ["you are an angel", "what a lovely day", "friends and family", "lovely again"] * 10
TEXTS, LABELS = RUDE + FINE, ["rude"] * 40 + ["fine"] * 40


def words():
    return make_pipeline(CountVectorizer(), LogisticRegression()).fit([*TEXTS, ""] * 2, [*LABELS, "fine"] * 2)


def noise(rows, seed):
    """Rows whose label is nothing but chance: only a model that knows a row can be sure of it."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, 6)), generator.integers(0, 2, rows)


@pytest.fixture(scope="module")
def text():
    return convert(words(), TEXTS, probe=True)


def test_what_hides_every_word_turns_every_rude_label(text):
    found = {one["change"]: one for one in text.probe["text"]["changes"]}
    assert list(found) == list(CHANGES)
    for change in ("homoglyphs", "leet", "zero-width characters", "spaced letters", "full-width letters"):
        labels = {label["label"]: label for label in found[change]["labels"]}
        assert labels["rude"] == {"label": "rude", "rows": 40, "flips": 40}, change
        assert labels["fine"]["flips"] == 0
    assert (found["case"]["flips"], found["case"]["rows"]) == (0, 80)
    assert text.probe["membership"] == {"skipped": "no held-out rows were given"}


def test_a_counted_column_of_a_table():
    table = pd.DataFrame({"title": TEXTS, "size": np.arange(80.0)})
    model = make_pipeline(make_column_transformer((CountVectorizer(), "title")), LogisticRegression())
    probe = convert(model.fit(table, LABELS), table, probe=True).probe
    assert probe["text"]["changes"][0]["change"] == "homoglyphs"
    assert probe["text"]["changes"][0]["flips"] >= 40


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [(LogisticRegression(), 0.4, 0.62), (RandomForestClassifier(30, random_state=0), 0.85, 1.0)],
)
def test_a_forest_of_pure_leaves_knows_its_rows(model, low, high):
    rows, labels = noise(300, 0)
    holdout, _ = noise(300, 1)
    found = convert(model.fit(rows, labels), rows, holdout=holdout).probe["membership"]
    assert low <= found["auc"] <= high
    assert found["chance"] == pytest.approx(0.046, abs=1e-3)
    assert (found["samples"], found["holdout"], found["known"]) == (300, 300, 0)


def test_held_out_rows_that_are_samples_are_left_out():
    rows, labels = noise(60, 0)
    model = LogisticRegression().fit(rows, labels)
    mixed = np.concatenate([rows[:5], noise(20, 1)[0]])
    found = convert(model, rows, holdout=mixed).probe["membership"]
    assert (found["holdout"], found["of_holdout"], found["known"]) == (20, 25, 5)
    with pytest.raises(SourceError, match="every held-out row is one of the samples"):
        convert(model, rows, holdout=rows[:5])


def test_what_cannot_be_probed_is_said():
    rows, labels = noise(40, 0)
    probe = convert(Ridge().fit(rows, labels), rows, holdout=noise(5, 1)[0]).probe
    assert "no words" in probe["text"]["skipped"]
    assert "no confidence" in probe["membership"]["skipped"]
    regression = make_pipeline(TfidfVectorizer(), Ridge()).fit(TEXTS, np.arange(80.0))
    assert "no label" in convert(regression, TEXTS, probe=True).probe["text"]["skipped"]


def test_held_out_rows_that_do_not_fit_are_refused():
    rows, labels = noise(40, 0)
    with pytest.raises(SourceError, match="expected"):
        convert(LogisticRegression().fit(rows, labels), rows, holdout=np.ones((3, 2)))
    with pytest.raises(SourceError, match=r"rows of 'holdout', 'nowhere\.txt', read like samples: cannot read"):
        convert(words(), TEXTS, holdout="nowhere.txt")


def test_the_page_has_a_picture_and_a_table(text):
    page = report_html(text)
    assert page == report_html(convert(words(), TEXTS, probe=True))
    assert page.count("<rect") == 8
    # Of the rude texts all turn under five changes, and none under "case".
    assert page.count(">100% of rude</text>") >= 5
    assert ">0%</text>" in page
    assert "rude: 40 of 40; fine: 0 of 40" in page
    assert "80 of 80 rows" in page
    assert "Not probed: no held-out rows were given." in page
    assert "64 generated texts travel" in page
    assert "Probe" not in report_html(convert(words(), TEXTS))


def test_a_label_of_few_rows_does_not_count_as_the_one_that_turns_most():
    labels = [{"label": "a", "rows": 4, "flips": 4}, {"label": "b", "rows": 50, "flips": 20}]
    assert turned_most({"labels": labels, "rows": 54, "flips": 24}) == labels[1]
    assert turned_most({"labels": labels[:1], "rows": 4, "flips": 4})["rows"] == 4


def test_the_page_says_what_the_area_is():
    rows, labels = noise(300, 0)
    model = RandomForestClassifier(30, random_state=0).fit(rows, labels)
    page = report_html(convert(model, rows, holdout=noise(300, 1)[0]))
    assert re.search(r"AUC (1\.00|0\.9\d) \(0\.45 to 0\.55 is chance\): confidence tells many samples", page)
    assert "300 of 300 samples, 300 of 300 held-out rows." in page


def test_what_the_probe_found_is_in_no_file_that_travels(tmp_path, monkeypatch):
    bench = Workbench(tmp_path, monkeypatch)
    bench.recipe(words(), bench.put("samples", TEXTS))
    assert bench.add()[0] == 0
    before = bench.plain()
    unseen = bench.put("unseen", ["a lovely idiot", "the day of friends", "quite another"])
    status, out, _ = bench.add("--holdout", unseen, "--report", "page.html", "--json")
    assert status == 0
    document = json.loads(out)
    # Not one byte that is staged depends on the probe.
    assert document["outcome"] == "unchanged"
    assert bench.plain() == before
    assert document["probe"]["membership"]["of_holdout"] == 3
    assert "AUC" in (tmp_path / "page.html").read_text("utf-8")
    for data in bench.released():
        assert not [word for word in (b"homoglyph", b"zero-width", b'"auc"', b"membership", b"quite") if word in data]


def test_the_screen_has_a_line_for_each_question(tmp_path, monkeypatch):
    bench = Workbench(tmp_path, monkeypatch)
    unseen = bench.put("unseen", ["a lovely idiot", "the day of friends"])
    bench.recipe(words(), bench.put("samples", TEXTS), f'holdout = "{unseen}"')
    status, out, _ = bench.add()
    assert status == 0
    assert "  probe: rows of the label that turns most: homoglyphs 40 of 40 (rude), leet 40 of 40 (rude), " in out
    assert re.search(r"  probe: AUC 0\.\d\d \(0\.\d\d to \d\.\d\d is chance\): confidence cannot tell samples", out)
    status, _, err = bench.add("--report", "no/page.html")
    assert (status, err.count("\n")) == (2, 1)
