"""A few cases of `make hunt`, and that it finds what it hunts for."""

import pytest
from hunt.judge import AGREES, DISAGREES, REFUSED, verdict

from sealift.model.inputs.reading import Reading
from sealift_bundler.converters.boosters import lightgbm, xgboost
from sealift_bundler.samples import interfaces

# Of several libraries, containers and dtypes; each takes a fraction of a second.
AGREEING = (1002, 1012, 1155, 1157)


@pytest.mark.parametrize("seed", AGREEING)
def test_a_case_agrees_on_rows_that_the_conversion_never_saw(seed):
    found = verdict(seed)
    assert found.outcome == AGREES, (found.name, found.details)
    assert found.rows["agree"] > 9_000


@pytest.mark.parametrize("seed", [1000, 1146])
def test_a_case_is_refused_by_name(seed):
    found = verdict(seed)
    assert found.outcome == REFUSED
    assert "step '" in found.details[0]


def test_it_finds_integers_that_lightgbm_rounds(monkeypatch):
    monkeypatch.setattr(lightgbm, "rounds_integers", lambda rows: False)
    monkeypatch.setattr(Reading, "rounds", lambda *_, **__: False)
    monkeypatch.setattr(Reading, "check_integers", lambda *_, **__: None)
    assert verdict(1144).outcome == DISAGREES


def test_it_finds_absent_entries_taken_for_zeros(monkeypatch):
    monkeypatch.setattr(xgboost, "takes_absent_for_missing", lambda model: False)
    monkeypatch.setattr(interfaces, "takes_absent_for_missing", lambda model: False)
    monkeypatch.setattr(Reading, "check_absent", lambda *_: None)
    assert verdict(1157).outcome == DISAGREES
