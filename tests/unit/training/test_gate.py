"""The gate: what passes, what is refused and with which words, and how often chance passes."""

import numpy as np
import pytest
from support.depth import DEPTH

import sealift_pipeline
from sealift_pipeline.gate import judging
from sealift_pipeline.gate.comparison import Rights, exact_mcnemar
from sealift_pipeline.gate.metrics import right


def judge(new, old, columns=None, **how):
    """Judge by the share of right answers."""
    return judging.judge(Rights(new, old), columns, **how)


def answers(rows, share, seed=1):
    """Which rows a model of this share answers right."""
    return np.random.default_rng(seed).permutation(rows) < round(rows * share)


def turned(correct, number, to, seed=2):
    """The same, but for so many rows, which become right or wrong."""
    places = np.flatnonzero(correct != to)
    changed = correct.copy()
    changed[np.random.default_rng(seed).permutation(places)[:number]] = to
    return changed


OLD = answers(2_000, 0.80)


def test_five_points_better_on_two_thousand_rows_pass():
    found = judge(turned(OLD, 100, True), OLD)
    assert found.passed
    assert (found.overall.gained, found.overall.lost) == (100, 0)
    assert found.overall.difference == pytest.approx(0.05)
    assert 0 < found.overall.low < 0.05 < found.overall.high


def test_five_points_better_pass_also_where_some_rows_are_lost():
    assert judge(turned(turned(OLD, 200, True), 100, False), OLD).passed


def test_a_champion_whose_rows_were_erased_need_not_be_beaten():
    assert not judge(OLD, OLD).passed
    found = judge(OLD, OLD, erased=3)
    assert (found.passed, found.rule, found.document()["erased"]) == (True, "no_worse", 3)
    assert "erased" not in judge(OLD, OLD).document()
    assert not judge(turned(OLD, 100, False), OLD, erased=3).passed


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (OLD, "not better: right answers 80.00% against 80.00%, 95 % interval of the difference +0.00% to +0.00%"),
        (turned(OLD, 100, False), "not better: right answers 75.00% against 80.00%"),
        (
            turned(OLD, 5, True)[:2_000],
            "not surely better: 5 rows gained and 0 lost can be chance (exact McNemar p = 0.06",
        ),
    ],
    ids=["equal", "worse", "five rows"],
)
def test_what_is_not_better_is_refused(new, reason):
    found = judge(new, OLD)
    assert not found.passed
    assert found.reasons[0].startswith(reason)


def test_four_rows_are_better_by_the_bootstrap_alone():
    found = judge(turned(OLD, 4, True), OLD)
    assert found.overall.low > 0
    assert found.overall.p_value == 0.125
    assert found.reasons == ("not surely better: 4 rows gained and 0 lost can be chance (exact McNemar p = 0.125)",)


def test_thirty_rows_decide_nothing():
    found = judge(np.ones(30, bool), np.zeros(30, bool))
    assert found.reasons == ("only 30 rows that neither model saw; expected at least 100: land more events",)


def test_better_overall_and_worse_in_a_slice_is_refused():
    where = np.array(["app"] * 1_700 + ["docs"] * 300)
    docs = where == "docs"
    new = turned(OLD, 200, True)
    new[docs] = turned(OLD[docs], 20, False)
    found = judge(new, OLD, {"project": where})
    assert found.overall.low > 0
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith("worse where project is 'docs': ")
    assert found.reasons[0].endswith("of 300 rows; expected at most 2.00% worse")
    assert judge(new, OLD, {"project": where}, margin=0.2).passed


def test_a_slice_of_fewer_than_a_hundred_rows_decides_nothing():
    where = np.array(["app"] * 1_901 + ["docs"] * 99)
    new = turned(OLD, 200, True)
    new[where == "docs"] = False
    found = judge(new, OLD, {"project": where})
    assert found.passed
    assert [one.value for one in found.slices] == ["app"]


def test_no_worse_lets_an_equal_model_pass_and_none_that_may_be_worse():
    assert judge(OLD, OLD, rule="no_worse").passed
    assert judge(turned(OLD, 3, False), OLD, rule="no_worse").passed
    refused = judge(turned(OLD, 40, False), OLD, rule="no_worse")
    assert refused.reasons[0].startswith("may be worse: right answers 78.00% against 80.00%")
    # One slice of it is worse: by a rule that all pass, too.
    where = np.array(["app"] * 1_000 + ["docs"] * 1_000)
    new = OLD.copy()
    new[:1_000] = turned(OLD[:1_000], 40, True)
    new[1_000:] = turned(OLD[1_000:], 40, False)
    assert judge(new, OLD, rule="no_worse", margin=0.015).passed
    assert not judge(new, OLD, {"project": where}, rule="no_worse", margin=0.015).passed


def test_equal_models_are_better_in_at_most_three_of_a_hundred():
    passed = 0
    for seed in range(200 * DEPTH):
        chance = np.random.default_rng(seed)
        old = chance.random(2_000) < 0.8
        new = old.copy()
        # Of 5 % of the rows either model has the other's answer.
        differ = chance.random(2_000) < 0.05
        new[differ] = chance.random(int(differ.sum())) < 0.5
        old[differ] = ~new[differ]
        passed += judge(new, old).passed
    assert 0 < passed <= 6 * DEPTH


def test_an_exact_test_is_that_of_the_binomial():
    assert exact_mcnemar(0, 0) == 1.0
    assert exact_mcnemar(5, 0) == pytest.approx(2 / 32)
    assert exact_mcnemar(9, 1) == exact_mcnemar(1, 9) == pytest.approx(22 / 1024)


def test_the_interval_is_that_of_a_bootstrap_of_rows():
    new = turned(turned(OLD, 60, True), 30, False)
    found = Rights(new, OLD).compared()
    chance, each = np.random.default_rng(3), new.astype(int) - OLD.astype(int)
    drawn = [each[chance.integers(0, 2_000, 2_000)].mean() for _ in range(4_000)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    assert found.low == pytest.approx(low, abs=0.001)
    assert found.high == pytest.approx(high, abs=0.001)


def test_compare_asks_two_models():
    class Constant:
        def __init__(self, label):
            self.label = label

        def predict(self, rows):
            return np.array([self.label] * len(rows))

    labels = ["bug"] * 150 + ["feature"] * 50
    found = sealift_pipeline.compare(Constant("bug"), Constant("feature"), list(range(200)), labels)
    assert found.passed
    assert (found.overall.challenger, found.overall.champion) == (0.75, 0.25)
    with pytest.raises(ValueError, match="expected one for each"):
        sealift_pipeline.compare(Constant("bug"), Constant("bug"), [1], labels)
    with pytest.raises(ValueError, match="expected one of better, no_worse"):
        sealift_pipeline.compare(Constant("bug"), Constant("bug"), labels, labels, rule="worse")


def test_labels_are_compared_by_what_they_are():
    assert right(np.array([1.0, 0.0]), [1, 0]).all()
    assert right(np.array(["a", "b"], object), ["a", "c"]).tolist() == [True, False]
    assert right(np.array([True, False]), [True, True]).tolist() == [True, False]
