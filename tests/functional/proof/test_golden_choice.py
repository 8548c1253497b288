"""Whose rows travel as golden examples: what the recipe says, what it says nothing of, and what the report tells."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.models.texts_and_table import ADDRESS, TABLE, TEXTS, table_model, text_model
from support.release.workbench import Workbench

from sealift_bundler import convert
from sealift_bundler.proof import child, in_child
from sealift_bundler.proof.golden.given import places_of_samples
from sealift_bundler.samples.interfaces import Samples


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Workbench(tmp_path, monkeypatch)


def test_texts_are_generated_where_the_recipe_says_nothing(bench):
    bench.recipe(text_model(), bench.put("samples", TEXTS))
    status, out, err = bench.add()
    assert status == 0, err
    assert err == (
        "golden.json: 64 generated texts travel, with 2 of 2 labels; no sample row does "
        "(nothing was chosen, and the model takes text)\n"
    )
    assert not set(bench.golden()["rows"]) & set(TEXTS)
    assert "rows agree" in out


def test_a_table_without_findings_gives_samples_and_is_told(bench):
    bench.recipe(table_model(), bench.put("samples", TABLE))
    status, _, err = bench.add()
    assert status == 0, err
    assert err == (
        "golden.json: 60 sample rows of 2 columns travel "
        "(nothing was chosen; golden = 'generated' or a file of your own carries none of them)\n"
    )
    assert len(bench.golden()["size"]) == 60


def test_a_table_with_a_finding_is_generated(bench):
    samples = TABLE.assign(kind=[ADDRESS, *TABLE["kind"][1:]])
    bench.recipe(table_model(), bench.put("samples", samples))
    status, _, err = bench.add()
    assert status == 0, err
    assert err.startswith("golden.json: 64 generated rows of 2 columns travel, with 2 of 2 labels; no sample row does")
    assert "column 'kind' holds: " in err
    assert "kowalska" not in err
    assert set(bench.golden()["kind"]) == {"a", "b"}


@pytest.mark.parametrize("choice", ["generated", "samples"])
def test_the_recipe_chooses(bench, choice):
    bench.recipe(text_model(), bench.put("samples", TEXTS), f'golden = "{choice}"')
    status, out, err = bench.add("--json")
    assert status == 0, err
    golden = json.loads(out)["golden"]
    assert (golden["source"], golden["reason"]) == (choice, "")
    assert bool(set(bench.golden()["rows"]) & set(TEXTS)) is (choice == "samples")
    said = "64 generated texts travel" if choice == "generated" else "40 sample texts travel\n"
    assert said in err


def test_a_file_of_rows_is_all_that_travels(bench):
    own = pd.DataFrame({"size": [3, -70], "kind": ["b", "a"]})  # whole numbers, where the samples have fractions
    bench.put("invented", own)
    bench.recipe(table_model(), bench.put("samples", TABLE), 'golden = "invented.json"')
    status, _, err = bench.add()
    assert status == 0, err
    assert err == "golden.json: 2 rows of 2 columns from invented.json travel; no sample row does\n"
    assert bench.golden() == {"size": [3, -70], "kind": ["b", "a"]}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (TEXTS, "40 texts from own.txt travel; all of them are sample rows\n"),
        ([*TEXTS[:1], "quite another"], "2 texts from own.txt travel; 1 of them is a sample row\n"),
        (TEXTS[:1], "1 text from own.txt travels; it is a sample row\n"),
    ],
)
def test_a_file_of_samples_is_not_said_to_hold_none(bench, rows, said):
    bench.put("own", rows)
    bench.recipe(text_model(), bench.put("samples", TEXTS), 'golden = "own.txt"')
    status, out, err = bench.add("--json")
    assert (status, err) == (0, f"golden.json: {said}")
    assert json.loads(out)["golden"]["sample_rows"] == sum(row in TEXTS for row in rows)


def test_samples_in_a_file_of_rows_are_counted_in_a_table(bench):
    bench.put("own", pd.concat([TABLE.head(3), TABLE.head(2).assign(size=[-901.5, -902.5])]))
    bench.recipe(table_model(), bench.put("samples", TABLE), 'golden = "own.json"')
    assert "5 rows of 2 columns from own.json travel; 3 of them are sample rows" in bench.add()[2]


def test_samples_in_a_file_of_rows_are_counted_among_tensors():
    samples = Samples("tensors", {"ids": np.arange(6).reshape(3, 2), "text": np.array(["a", "b", "c"], object)})
    own = Samples("tensors", {"ids": np.array([[2, 3], [4, 5]], np.int32), "text": np.array(["b", "other"], object)})
    assert places_of_samples(own, samples) == [0]


def test_a_file_that_does_not_fit_is_refused(bench):
    bench.put("invented", pd.DataFrame({"size": [3.5]}))
    bench.recipe(table_model(), bench.put("samples", TABLE), 'golden = "invented.json"')
    status, _, err = bench.add()
    assert (status, bench.channel.staged()) == (56, {})
    assert "rows of 'golden', 'invented.json', read like samples: " in err
    assert "missing ['kind']" in err
    bench.put("invented", TEXTS)
    bench.recipe(table_model(), "samples.json", 'golden = "invented.txt"')
    assert bench.add()[0] == 56


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'golden = "generate"',
            "'golden' names 'generate', which does not exist next to the recipe; correct the path, or say 'generated'",
        ),
        ('golden = "."', "'golden' names the folder '.'"),
        ("golden = 3", "'golden' is 3"),
        ('holdout = "gone.csv"', "'holdout' names 'gone.csv'"),
    ],
)
def test_a_wrong_key_is_refused(bench, line, message):
    bench.recipe(table_model(), bench.put("samples", TABLE), line)
    status, _, err = bench.add()
    assert (status, bench.channel.staged()) == (52, {})
    assert message in err


def test_the_same_recipe_gives_the_same_bytes(bench):
    bench.recipe(text_model(), bench.put("samples", TEXTS))
    assert bench.add()[1].startswith("added")
    assert bench.add()[1].startswith("unchanged")


def test_a_child_process_hands_back_what_travels(tmp_path, monkeypatch):
    bench = Workbench(tmp_path, monkeypatch, child=True)
    bench.put("unseen", ["the job is slow", "please add a button"] * 4)
    bench.recipe(text_model(), bench.put("samples", TEXTS), 'holdout = "unseen.txt"')
    status, out, err = bench.add("--json")
    assert status == 0, err
    assert "64 generated texts travel" in err
    document = json.loads(out)
    assert (document["golden"]["rows"], document["golden"]["labels_shown"]) == (64, 2)
    assert document["probe"]["membership"]["holdout"] == 2 * 4


def test_rows_of_ours_reach_the_child_as_they_are(tmp_path):
    handed = in_child._handed(tmp_path, "golden", TABLE)
    pd.testing.assert_frame_equal(child._rows(handed), TABLE)
    assert child._rows(in_child._handed(tmp_path, "golden", "rows.csv")) == Path("rows.csv").absolute()
    assert [child._rows(choice) for choice in (None, "generated")] == [None, "generated"]


def test_convert_says_it_as_well(bench):
    bench.recipe(text_model(), bench.put("samples", TEXTS))
    given = ["convert", "model.joblib", "--samples", "samples.txt", "-o"]
    status, out, err = bench.bundler(*given, "out", "--golden", "samples", "--json")
    assert (status, err) == (0, "golden.json: 40 sample texts travel\n")
    assert json.loads(out)["golden"]["source"] == "samples"
    status, _, err = bench.bundler(*given, "other", "--golden", "generatd")
    assert status == 56
    assert "'golden' is 'generatd', which is not a file; expected 'generated', 'samples' or a file of rows" in err


def test_the_description_says_whose_rows_they_are():
    for choice, source in (("generated", "generated"), ("samples", "samples"), (TEXTS[:2], "file")):
        conversion = convert(text_model(), TEXTS, golden=choice)
        assert conversion.description.conversion["golden"] == source
        assert conversion.golden.source == source


def test_the_line_counts_one():
    conversion = convert(text_model(), TEXTS, golden=["dark mode"])
    assert conversion.golden.line == "golden.json: 1 text given as golden rows travels; no sample row does"
