"""What stock converters silently get wrong; each ends in agreement on rows that the conversion never saw."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier
from sweep.prices import NUMBERS, table
from sweep.verdicts import AGREES, judged

GENERATOR = np.random.default_rng(12)
ROWS = GENERATOR.normal(size=(900, 4))
# Few whole numbers: trees with mixed leaves, whose votes often tie.
GRID = GENERATOR.integers(0, 3, size=(900, 3)).astype(float)
NOISE = GENERATOR.normal(size=900)
TRAIN = 400


def agrees(original, rows, target):
    original.fit(rows[:TRAIN], target[:TRAIN])
    outcome, detail = judged(original, rows[:TRAIN], rows[TRAIN:])
    assert outcome == AGREES, detail


@pytest.mark.parametrize("labels", [np.array([False, True]), np.array(["ja", "nein"])], ids=["bool", "text"])
@pytest.mark.parametrize(
    "original",
    [
        TunedThresholdClassifierCV(LogisticRegression(), cv=3),
        TunedThresholdClassifierCV(RandomForestClassifier(10, random_state=0), cv=3),
        LinearDiscriminantAnalysis(),
        SVC(),
        NuSVC(nu=0.3),
        CalibratedClassifierCV(SVC(), cv=3),
        CalibratedClassifierCV(RandomForestClassifier(10, random_state=0), method="temperature", cv=3),
        DecisionTreeClassifier(max_depth=3),
    ],
    ids=lambda value: " ".join(str(value).split()),
)
def test_two_classes(original, labels):
    if labels.dtype.kind == "U" and isinstance(original, TunedThresholdClassifierCV):
        original = original.set_params(scoring="balanced_accuracy")
    agrees(original, ROWS, labels[(ROWS[:, 0] + ROWS[:, 1] ** 2 + NOISE > 1).astype(int)])


def test_one_against_one_with_text_labels():
    agrees(OneVsOneClassifier(LinearSVC()), ROWS, np.array(["à", "b", "ç"])[np.digitize(ROWS[:, 0], [-0.5, 0.5])])


def test_a_binarizer_sees_float64():
    # Both sides of a threshold that float32 cannot tell apart.
    rows = np.float64(0.1) + GENERATOR.integers(-3, 4, size=(900, 2)) * 1e-12
    agrees(make_pipeline(Binarizer(threshold=0.1), DecisionTreeClassifier()), rows, rows[:, 0] > 0.1)


@pytest.mark.parametrize("first", [KNNImputer(), make_pipeline(StandardScaler(), KNNImputer(weights="distance"))])
def test_neighbors_impute_epoch_seconds(first):
    frame, targets = table(1)
    agrees(make_pipeline(first, StandardScaler(), LogisticRegression()), frame[NUMBERS], targets["binary"])


@pytest.mark.parametrize("leaf", [1, 4])
def test_exact_ties_in_forests_fall_as_in_the_original(leaf):
    target = (GRID.sum(axis=1) + NOISE > 3).astype(int)
    agrees(RandomForestClassifier(8, min_samples_leaf=leaf, random_state=0), GRID, target)
    agrees(RandomForestClassifier(6, min_samples_leaf=leaf, random_state=1), GRID, target + (NOISE > 1))


def test_a_scaled_forest_of_values():
    frame, targets = table(2)
    rows = frame[["count", "at"]]
    agrees(make_pipeline(StandardScaler(), RandomForestRegressor(20, random_state=0)), rows, targets["value"])


@pytest.mark.parametrize("as_text", [True, False])
def test_histogram_boosters_take_their_categories_from_the_dtype(as_text):
    frame, targets = table(3)
    rows = frame.assign(city=frame["city"].astype("category"), count=frame["count"].astype("category"))
    rows = rows.drop(columns="plan") if as_text else rows.drop(columns=["plan", "city"])
    agrees(HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype"), rows, targets["three"])


def test_columns_keep_their_names():
    rows = pd.DataFrame(ROWS, columns=["my col-1", "año", "a.b", "x" * 90])
    agrees(make_pipeline(StandardScaler(), LogisticRegression()), rows, ROWS[:, 0] > 0)
