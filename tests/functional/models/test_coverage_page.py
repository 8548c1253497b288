"""The coverage page says of every estimator what is true of it; a part is checked against reality each time."""

import re
import warnings
from pathlib import Path

import pytest
from sweep.estimators import names
from sweep.verdicts import AGREES, DISAGREES, REFUSED, verdict

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "coverage.md"
ROW = re.compile(r"^\| (\w+) \| (agrees|refused|disagrees) \| (.*) \|$", re.MULTILINE)

# Quick ones of every family; `make coverage-page` judges all.
CHECKED = [
    "AdaBoostClassifier",
    "BaggingClassifier",
    "CalibratedClassifierCV",
    "ClassifierChain",
    "DBSCAN",
    "GaussianMixture",
    "GaussianProcessRegressor",
    "HistGradientBoostingClassifier",
    "IsolationForest",
    "KBinsDiscretizer",
    "KNeighborsClassifier",
    "KernelRidge",
    "MultiOutputClassifier",
    "PowerTransformer",
    "QuadraticDiscriminantAnalysis",
    "QuantileTransformer",
    "RandomForestClassifier",
    "SVC",
    "SplineTransformer",
    "StackingClassifier",
    "TSNE",
    "TargetEncoder",
]


@pytest.fixture(scope="module")
def page():
    return {name: outcome for name, outcome, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def test_every_estimator_is_on_the_page_and_none_disagrees(page):
    assert sorted(page) == sorted(names())
    assert set(page.values()) == {AGREES, REFUSED}
    assert sum(outcome == AGREES for outcome in page.values()) >= 155


def test_the_counts_at_the_top_are_those_of_the_table(page):
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    agrees = sum(outcome == AGREES for outcome in page.values())
    assert f"Of {len(page)} estimators, **{agrees} agree, {len(page) - agrees} are refused" in text


@pytest.mark.parametrize("name", CHECKED)
def test_the_page_is_true(page, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = verdict(name)
    assert found.outcome != DISAGREES, found.detail
    assert found.outcome == page[name], found.detail
