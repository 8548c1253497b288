"""Realistic pipelines on rows held back; `make coverage-page` runs all of them, this a part of each kind."""

import warnings

import pytest
from sweep import pipelines
from sweep.verdicts import AGREES, REFUSED, judged

CASES = list(pipelines.cases())
# Distances between few counts and categories tie.
REFUSED_BY_NAME = {"neighbors among counts": "KNeighborsClassifier"}
SLOW = {"GaussianProcessClassifier bool", "AdaBoostRegressor value"}
SHORT = [case for place, case in enumerate(CASES) if place % 4 == 0 or case.name in REFUSED_BY_NAME]


def test_the_suite_is_large_and_its_cases_have_names_of_their_own():
    assert len(CASES) >= 120
    assert len({case.name for case in CASES}) >= 120


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [case for case in SHORT if case.name not in SLOW], ids=lambda case: case.name)
def test_a_pipeline_agrees_on_rows_it_never_saw(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome, detail = judged(*pipelines.fitted(case))
    if case.name in REFUSED_BY_NAME:
        assert outcome == REFUSED
        assert REFUSED_BY_NAME[case.name] in detail
    else:
        assert outcome == AGREES, detail
