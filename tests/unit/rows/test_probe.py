"""The probe's numbers, by hand."""

import numpy as np
import pytest

from sealift_bundler.probe.flips import MOST_CHARS, MOST_ROWS, flips, spread
from sealift_bundler.probe.membership import area_under_curve, chance, confidences


def rude(rows):
    """A model that looks for one word."""
    return np.array(["rude" if any("idiot" in text.lower() for text in row) else "fine" for row in rows])


def of(found, name):
    return next(one for one in found["changes"] if one["change"] == name)


def test_flips_are_counted_by_label():
    found = flips([["you idiot"], ["good day"], ["IDIOT"], ["123"]], rude)
    assert (found["rows"], found["of_rows"], found["cut"]) == (4, 4, 0)
    assert of(found, "leet") == {
        "change": "leet",
        "rows": 3,  # digits are what they were
        "flips": 2,
        "labels": [{"label": "rude", "rows": 2, "flips": 2}, {"label": "fine", "rows": 1, "flips": 0}],
    }
    assert of(found, "case")["flips"] == 0


def test_a_label_can_turn_in_both_directions():
    def even(rows):
        return np.array([len(row[0]) % 2 for row in rows])

    found = of(flips([["ab cd"], ["abc"]], even), "spaced letters")  # "a b c d" has 7 characters, "a b c" 5
    assert (found["rows"], found["flips"]) == (2, 0)
    found = of(flips([["ab"], ["abc"]], even), "zero-width characters")  # 3 and 5 characters
    assert found["labels"] == [{"label": "0", "rows": 1, "flips": 1}, {"label": "1", "rows": 1, "flips": 0}]


def test_labels_of_few_rows_come_last():
    texts = [["idiot"]] + [["good day"]] * 6
    labels = of(flips(texts, rude), "leet")["labels"]
    assert [(label["label"], label["rows"], label["flips"]) for label in labels] == [("fine", 6, 0), ("rude", 1, 1)]


def test_rows_and_characters_are_bounded_and_said():
    asked = []

    def predict(rows):
        asked.extend(len(text) for row in rows for text in row)
        return np.zeros(len(rows))

    found = flips([["x" * (MOST_CHARS + 1)]] * (MOST_ROWS + 44), predict)
    assert (found["rows"], found["of_rows"], found["cut"]) == (MOST_ROWS, MOST_ROWS + 44, MOST_ROWS)
    assert max(asked) <= 2 * MOST_CHARS
    assert spread(5, 3) == [0, 2, 4]


def test_the_same_every_time():
    texts = [["some words of some length"], ["others as well"]]
    assert flips(texts, rude) == flips(texts, rude)


@pytest.mark.parametrize(
    ("higher", "lower", "area"),
    [
        ([3.0, 4.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0], [3.0, 4.0], 0.0),
        ([1.0, 1.0], [1.0], 0.5),
        # Of the six pairs, 2 > 1, 3 > 1 and 3 > 2 are won, 2 = 2 is a tie, 0 < 1 and 0 < 2 are lost.
        ([0.0, 2.0, 3.0], [1.0, 2.0], 3.5 / 6),
    ],
)
def test_area_under_the_curve(higher, lower, area):
    assert area_under_curve(np.array(higher), np.array(lower)) == pytest.approx(area)


def test_the_area_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    higher, lower = generator.integers(0, 9, 60) / 4, generator.integers(0, 8, 40) / 4
    truth = np.repeat([1, 0], [60, 40])
    assert area_under_curve(higher, lower) == pytest.approx(roc_auc_score(truth, np.concatenate([higher, lower])))


def test_what_chance_alone_makes():
    # 1.96 * sqrt(201 / (12 * 100 * 100)) = 0.0802
    assert chance(100, 100) == pytest.approx(0.0802, abs=1e-4)


def test_confidence_of_probabilities_and_scores():
    assert confidences({"predict_proba": np.array([[0.2, 0.8], [0.6, 0.4]])}).tolist() == [0.8, 0.6]
    assert confidences({"predict_proba": [np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]])]}).tolist() == [0.7]
    assert confidences({"decision_function": np.array([-3.0, 1.0])}).tolist() == [3.0, 1.0]
    assert confidences({"decision_function": np.array([[1.0, 5.0, 2.0]])}).tolist() == [3.0]
    assert confidences({"predict": np.array([1.0])}) is None
