"""Profiles and drift: what moves a measure, what does not, and that a profile gives nothing of a row away."""

import json

import numpy as np
import pandas as pd
import pytest

from sealift_pipeline.training.drift.measuring import measure, psi
from sealift_pipeline.training.drift.profile import known_words, profile_of, unseen_share
from sealift_pipeline.training.project.settings import Need

NEED = Need()
LABELS = ["bug", "feature"] * 500
TEXTS = ["the job fails after the upgrade", "dark mode for the search page", "cache of the runner is slow"]


def frame(seed=1, *, rows=1_000, shift=0.0, states=("opened", "closed"), words=TEXTS):
    chance = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "weight": chance.normal(10 + shift, 3, rows),
            "state": chance.choice(states, rows),
            "text": chance.choice(words, rows),
        }
    )


def measured(new, labels=LABELS, need=NEED):
    found = measure(profile_of(frame(), LABELS), new, labels, need)
    return {(one.column, one.measure): one for one in found}


def drifts(found):
    return sorted(name for name, one in found.items() if one.is_drift)


def test_rows_of_the_same_kind_do_not_drift():
    found = measured(frame(2))
    assert drifts(found) == []
    assert sorted(found) == [
        ("label", "labels"),
        ("state", "psi"),
        ("text", "unseen_words"),
        ("weight", "ks"),
        ("weight", "psi"),
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"shift": 3.0}, [("weight", "ks"), ("weight", "psi")]),
        ({"states": ["opened", "locked", "merged"]}, [("state", "psi")]),
        ({"words": [*TEXTS, "kubernetes operator crashes at midnight"]}, [("text", "unseen_words")]),
    ],
    ids=["numbers", "categories", "words"],
)
def test_what_moved_is_named(change, expected):
    assert drifts(measured(frame(2, **change))) == expected


def test_labels_missing_values_other_types_and_columns_that_are_gone():
    assert drifts(measured(frame(2), ["bug"] * 700 + ["feature"] * 300)) == [("label", "labels")]
    assert drifts(measured(frame(2), ["bug", "question"] * 500)) == [("label", "labels")]
    lacking = frame(2)
    lacking.loc[lacking.index[:300], "weight"] = np.nan
    assert ("weight", "ks") in drifts(measured(lacking))
    other = frame(2)
    other["weight"] = "heavy"
    assert ("weight", "ks") in drifts(measured(other))
    assert ("state", "psi") in drifts(measured(frame(2).drop(columns="state")))


def test_fewer_than_a_hundred_rows_are_not_measured():
    assert measured(frame(2, rows=99), LABELS[:99]) == {}


def test_psi_is_the_sum_of_the_table():
    assert psi([0.5, 0.5], [0.5, 0.5]) == 0.0
    assert psi([0.5, 0.5], [0.8, 0.2]) == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4))


def test_a_profile_names_no_category_no_word_and_no_number_of_a_row():
    texts = [*TEXTS * 300, *["the password of Chioma is xyzzyplugh"] * 3]
    rows = pd.DataFrame({"text": texts, "state": "u_0123456789abcdef", "weight": 1234.5678})
    profile = profile_of(rows, ["bug"] * len(texts))
    written = json.dumps(profile)
    for word in ("upgrade", "xyzzyplugh", "Chioma", "u_0123456789abcdef", "1234.5678"):
        assert word not in written
    column = profile["columns"]["text"]
    # The word of three rows is not even kept by its digest.
    assert unseen_share(["xyzzyplugh"], known_words(column)) == 1.0
    assert unseen_share(["upgrade"], known_words(column)) == 0.0
    assert known_words(column) == sorted(known_words(column))


def test_arrays_and_lists_of_texts_have_columns_too():
    array = profile_of(np.array([[1.0, 2.0], [3.0, 4.0]]), ["a", "b"])
    assert sorted(array["columns"]) == ["0", "1"]
    assert sorted(profile_of(TEXTS, ["a"] * 3)["columns"]) == ["text"]
    assert profile_of(pd.DataFrame({"a": [np.nan, np.nan]}), ["a", "b"])["columns"]["a"]["missing"] == 1.0
