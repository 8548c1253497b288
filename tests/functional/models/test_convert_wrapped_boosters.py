"""XGBoost inside of votes, stacks, calibration and the other wrappers: labels and numbers as the wrapper computes them."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from support.answers.row_by_row import boundary_rows
from xgboost import XGBClassifier, XGBRegressor

from sealift_bundler import ConversionError, convert

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("opened_here")]

GENERATOR = np.random.default_rng(4)
ROWS = np.round(GENERATOR.normal(size=(6000, 4)) * 3, 3)
BINARY = (ROWS[:, 0] + GENERATOR.normal(size=6000) / 2 > 0).astype(int)
THREE = BINARY + (ROWS[:, 1] > 1)
PRICES = np.abs(ROWS[:, 0]) * 100 + 5
FIT, PROOF = 600, 800


def classifier(trees=5):
    return XGBClassifier(n_estimators=trees, max_depth=3, n_jobs=1)


def regressor(trees=5):
    return XGBRegressor(n_estimators=trees, max_depth=3, n_jobs=1)


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def both():
    return [("linear", LogisticRegression()), ("trees", classifier())]


def trees():
    return [("few", classifier(3)), ("more", classifier(6))]


WRAPPED = {
    "voting": (lambda: scaled(VotingClassifier(both(), voting="soft", weights=[1, 2])), THREE),
    "voting of trees alone": (lambda: VotingClassifier(trees(), voting="soft"), BINARY),
    "hard voting": (lambda: VotingClassifier(both()), THREE),
    "stacking": (lambda: scaled(StackingClassifier(both(), cv=2)), BINARY),
    "forest on a stack": (lambda: StackingClassifier(trees(), RandomForestClassifier(5), cv=2), THREE),
    "calibration": (lambda: scaled(CalibratedClassifierCV(classifier(), cv=2)), THREE),
    "isotonic": (lambda: CalibratedClassifierCV(classifier(), cv=2, method="isotonic"), BINARY),
    "bagging": (lambda: scaled(BaggingClassifier(classifier(), 2, max_features=0.7)), THREE),
    "bagging in processes": (lambda: BaggingClassifier(classifier(), 2, n_jobs=2), BINARY),
    "one against the rest": (lambda: scaled(OneVsRestClassifier(classifier())), THREE),
    "one against one": (lambda: scaled(OneVsOneClassifier(classifier())), THREE),
    "tuned threshold": (lambda: scaled(TunedThresholdClassifierCV(classifier(), cv=2)), BINARY),
    "fixed threshold": (lambda: FixedThresholdClassifier(classifier(), threshold=0.3), BINARY),
    "several labels": (lambda: scaled(MultiOutputClassifier(classifier())), np.c_[BINARY, THREE]),
    "chain": (lambda: scaled(ClassifierChain(classifier())), np.c_[BINARY, BINARY[::-1]]),
    "voting of numbers": (lambda: scaled(VotingRegressor([("a", Ridge()), ("b", regressor())])), PRICES),
    "stack of numbers": (lambda: scaled(StackingRegressor([("a", Ridge()), ("b", regressor())], cv=2)), PRICES),
    "bagging of numbers": (lambda: scaled(BaggingRegressor(regressor(), 2)), PRICES),
    "logarithms": (
        lambda: scaled(TransformedTargetRegressor(regressor(), func=np.log1p, inverse_func=np.expm1)),
        PRICES,
    ),
    "scaled targets": (lambda: TransformedTargetRegressor(regressor(), transformer=StandardScaler()), PRICES * 1e5 - 3e7),
}  # fmt: skip


@pytest.mark.parametrize("case", WRAPPED)
def test_xgboost_inside_of_a_wrapper(case):
    make, target = WRAPPED[case]
    original = make().fit(ROWS[:FIT], target[:FIT])
    model = convert(original, ROWS[FIT:PROOF]).open()
    near = boundary_rows(ROWS[PROOF:])
    # Beyond float32 the original is asked for infinities.
    for rows in (ROWS[PROOF:], near[np.abs(near).max(axis=1) < 1e30]):
        for method in ("predict", "predict_proba", "decision_function"):
            if not hasattr(original, method):
                continue
            expected, got = getattr(original, method)(rows), getattr(model, method)(rows)
            pairs = zip(got, expected, strict=True) if isinstance(expected, list) else [(got, expected)]
            for one, other in pairs:
                exactly = 0.0 if other.dtype.kind != "f" else 1e-5
                np.testing.assert_allclose(one, other, rtol=exactly, atol=exactly)


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "count:poisson"])
def test_probabilities_are_those_of_xgboost_to_the_last_bit(objective):
    kind, target = {
        "binary:logistic": (XGBClassifier, BINARY),
        "multi:softprob": (XGBClassifier, THREE),
        "count:poisson": (XGBRegressor, np.round(PRICES)),
    }[objective]
    original = kind(objective=objective, n_estimators=60, n_jobs=1).fit(ROWS[:FIT], target[:FIT])
    model = convert(original, ROWS[FIT:PROOF]).open()
    method = "predict" if kind is XGBRegressor else "predict_proba"
    expected, got = getattr(original, method)(ROWS), getattr(model, method)(ROWS)
    assert got.dtype == expected.dtype == np.float32
    # The exponential of the C library is not rounded right for one number in thousands.
    assert (got == expected).mean() > 0.999
    np.testing.assert_array_max_ulp(got, expected, maxulp=2)


def test_what_is_scaled_in_float32_behind_xgboost_is_refused_before_a_tree():
    final = make_pipeline(StandardScaler(), DecisionTreeClassifier())
    original = StackingClassifier(trees(), final, cv=2).fit(ROWS[:FIT], BINARY[:FIT])
    with pytest.raises(ConversionError, match=r"final_estimator.decisiontreeclassifier.*computes in float32"):
        convert(original, ROWS[FIT:PROOF])
