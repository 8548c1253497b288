"""Metrics of the gate besides the share of right answers: what they are, what passes, and how often chance passes."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from support.depth import DEPTH

import sealift_pipeline
from sealift_pipeline.gate.judging import judge
from sealift_pipeline.gate.metrics import SCORERS, TITLES, pairs_of
from sealift_pipeline.training.champions.champion import Constant

CLASSES, NUMBERS = ("balanced_accuracy", "macro_f1"), ("mae", "rmse")
REFERENCE = {
    "accuracy": sklearn_metrics.accuracy_score,
    "balanced_accuracy": sklearn_metrics.balanced_accuracy_score,
    "macro_f1": lambda labels, answers: sklearn_metrics.f1_score(
        labels, answers, labels=sorted(set(labels)), average="macro", zero_division=0
    ),
    "mae": sklearn_metrics.mean_absolute_error,
    "rmse": sklearn_metrics.root_mean_squared_error,
}


def classes(rows, wrong, seed=1):
    """Labels of three classes of different size, and answers of which a share is another class."""
    chance = np.random.default_rng(seed)
    labels = chance.choice(["bug", "docs", "feature"], rows, p=[0.6, 0.1, 0.3])
    answers = labels.copy()
    differ = chance.random(rows) < wrong
    answers[differ] = chance.choice(["bug", "docs", "feature", "other"], int(differ.sum()))
    return labels, answers


def numbers(rows, spread, seed=1):
    chance = np.random.default_rng(seed)
    labels = chance.normal(10, 5, rows)
    return labels, labels + np.random.default_rng(seed + 1000 + round(10 * spread)).normal(0, spread, rows)


def by_hand(metric, labels, answers):
    """The metric, without what scikit-learn checks each time."""
    if metric in NUMBERS:
        errors = np.abs(labels - answers)
        return errors.mean() if metric == "mae" else np.sqrt((errors**2).mean())
    each = []
    for one in ("bug", "docs", "feature"):
        true, answered = labels == one, answers == one
        right = (true & answered).sum()
        each.append(right / true.sum() if metric == "balanced_accuracy" else 2 * right / (true.sum() + answered.sum()))
    return np.mean(each)


def given(metric, better, worse, rows=400):
    """Labels, answers that are better, and answers that are worse."""
    make = numbers if metric in NUMBERS else classes
    return *make(rows, better), make(rows, worse)[1]


@pytest.mark.parametrize("metric", TITLES)
def test_the_values_are_those_of_scikit_learn(metric):
    labels, new, old = given(metric, 0.1, 0.5)
    found = pairs_of(metric, new, old, labels).compared()
    assert found.challenger == pytest.approx(REFERENCE[metric](labels, new))
    assert found.champion == pytest.approx(REFERENCE[metric](labels, old))
    larger = max(found.challenger, found.champion) if metric in NUMBERS else -1
    assert found.difference == pytest.approx((found.champion - found.challenger) / larger)
    assert 0 < found.low <= found.difference <= found.high + 1e-9
    assert SCORERS[metric] in sklearn_metrics.get_scorer_names()


@pytest.mark.parametrize("metric", TITLES)
def test_better_passes_equal_and_worse_do_not(metric):
    labels, new, old = given(metric, 0.1, 0.5)
    assert judge(pairs_of(metric, new, old, labels), metric=metric).passed
    for one, rule in ((old, "better"), (new, "no_worse")):
        found = judge(pairs_of(metric, *((old, old) if one is old else (old, new)), labels), rule=rule, metric=metric)
        assert not found.passed
        assert TITLES[metric] in found.reasons[0]
    assert judge(pairs_of(metric, old, old, labels), rule="no_worse", metric=metric).passed
    few = judge(pairs_of(metric, new[:30], old[:30], labels[:30]), metric=metric)
    assert few.reasons == ("only 30 rows that neither model saw; expected at least 100: land more events",)


@pytest.mark.parametrize("metric", TITLES)
def test_better_overall_and_worse_in_a_slice_is_refused(metric):
    labels, new, old = given(metric, 0.1, 0.5, 1_000)
    where = np.array(["app"] * 800 + ["docs"] * 200)
    new[800:], old[800:] = old[800:].copy(), new[800:].copy()
    found = judge(pairs_of(metric, new, old, labels), {"project": where}, metric=metric)
    assert found.overall.low > 0
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith(f"worse where project is 'docs': {TITLES[metric]} ")


@pytest.mark.slow
@pytest.mark.parametrize("metric", [*CLASSES, *NUMBERS])
def test_equal_models_are_better_in_at_most_three_of_a_hundred(metric):
    """Of 5 % of the rows either model has an answer of its own, as good as the other's."""
    passed = 0
    for seed in range(200 * DEPTH):
        labels, old = numbers(400, 1.0, seed) if metric in NUMBERS else classes(400, 0.2, seed)
        chance = np.random.default_rng(10_000 + seed)
        differ, new = chance.random(400) < 0.05, old.copy()
        number = int(differ.sum())
        for one in (new, old):
            if metric in NUMBERS:
                one[differ] = labels[differ] + chance.normal(0, 1.0, number)
            else:
                one[differ] = chance.choice(["bug", "docs", "feature"], number)
        passed += judge(pairs_of(metric, new, old, labels, draws=1_000), metric=metric).passed
    assert 0 < passed <= 6 * DEPTH, passed


@pytest.mark.parametrize("metric", [*CLASSES, *NUMBERS])
def test_the_interval_is_that_of_a_bootstrap_of_rows(metric):
    labels, new, old = given(metric, 0.3, 0.4, 300)
    found, chance, drawn = pairs_of(metric, new, old, labels).compared(), np.random.default_rng(3), []
    for _ in range(600):
        index = chance.integers(0, 300, 300)
        one, other = (by_hand(metric, labels[index], answers[index]) for answers in (new, old))
        drawn.append((other - one) / max(one, other) if metric in NUMBERS else one - other)
    low, high = np.percentile(drawn, (2.5, 97.5))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))


def test_one_huge_error_can_be_chance():
    """The mean of errors hangs on one row: by the interval it may look better, by an exchange of answers it does not."""
    labels, new = np.zeros(400), np.full(400, 0.1)
    old = new.copy()
    old[7] = 1e6
    assert not judge(pairs_of("rmse", new, old, labels), metric="rmse").passed


def test_errors_of_nothing_and_what_are_no_numbers():
    zeros = np.zeros(200)
    perfect = pairs_of("mae", zeros, zeros, zeros).compared()
    assert (perfect.difference, perfect.low, perfect.high, perfect.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert pairs_of("mae", zeros + 1, zeros, zeros).compared().difference == -1.0
    assert pairs_of("mae", zeros[:, None], zeros, zeros).compared().difference == 0.0
    for answers in (["a"] * 200, [float("nan")] * 200, [True] * 200):
        with pytest.raises(ValueError, match="errors need finite numbers; got"):
            pairs_of("mae", answers, zeros, zeros)
    with pytest.raises(ValueError, match="expected one of accuracy, balanced_accuracy, macro_f1, mae, rmse"):
        pairs_of("r2", zeros, zeros, zeros)


def test_an_answer_that_no_label_is_counts_as_wrong():
    labels = ["a", "b"] * 100
    found = pairs_of("macro_f1", ["c"] * 200, labels, labels).compared()
    assert (found.challenger, found.champion) == (0.0, 1.0)


def test_a_first_version_is_compared_with_the_best_constant():
    labels = [1.0, 2.0, 9.0]
    assert Constant(labels, "mae").predict(labels).tolist() == [2.0] * 3
    assert Constant(labels, "rmse").predict(labels).tolist() == [4.0] * 3
    assert Constant(["a", "b", "b"], "macro_f1").predict(labels).tolist() == ["b"] * 3


def test_compare_takes_a_metric():
    class Constantly:
        def __init__(self, answer):
            self.answer = answer

        def predict(self, rows):
            return np.full(len(rows), self.answer)

    labels = np.linspace(0, 1, 200)
    found = sealift_pipeline.compare(Constantly(0.5), Constantly(0.0), labels, labels, metric="mae")
    assert (found.passed, found.metric, found.document()["metric"]) == (True, "mae", "mae")
