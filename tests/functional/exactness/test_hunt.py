"""A few cases of `make hunt`, and that it finds what it hunts for."""

import pytest
from hunt.judge import AGREES, DISAGREES, REFUSED, verdict
from hunt.kinds import EXPORTS, KINDS

from sealift.model.inputs.reading import Reading
from sealift_bundler.converters.boosters import lightgbm, xgboost
from sealift_bundler.converters.steps.trees import leaves
from sealift_bundler.samples import interfaces

# One case or two of each kind; each takes a fraction of a second.
AGREEING = {
    "any": (301, 304),
    "integers": (300, 304),
    "absent": (300, 302),
    "rounded": (303, 305),
    "jumps": (300, 301),
    "raising": (305,),
    "far": (301, 304),
    EXPORTS: (300, 302),
}


def test_every_kind_is_here():
    assert set(AGREEING) == {*KINDS, EXPORTS}


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind, seeds in AGREEING.items() for seed in seeds])
def test_a_case_agrees_on_rows_that_the_conversion_never_saw(kind, seed):
    found = verdict(seed, kind)
    assert found.outcome == AGREES, (found.name, found.details)
    assert found.rows["agree"] > 9_000


@pytest.mark.parametrize(("kind", "seed"), [("absent", 303), ("raising", 304)])
def test_a_case_is_refused_by_name(kind, seed):
    found = verdict(seed, kind)
    assert found.outcome == REFUSED
    assert "step '" in found.details[0]


def test_it_finds_integers_that_lightgbm_rounds(monkeypatch):
    monkeypatch.setattr(lightgbm, "rounds_integers", lambda rows: False)
    monkeypatch.setattr(Reading, "rounds", lambda *_, **__: False)
    monkeypatch.setattr(Reading, "check_integers", lambda *_, **__: None)
    assert verdict(487, "integers").outcome == DISAGREES


def test_it_finds_absent_entries_taken_for_zeros(monkeypatch):
    monkeypatch.setattr(xgboost, "takes_absent_for_missing", lambda model: False)
    monkeypatch.setattr(interfaces, "takes_absent_for_missing", lambda model: False)
    monkeypatch.setattr(Reading, "check_absent", lambda *_: None)
    assert verdict(384).outcome == DISAGREES


def test_it_finds_trees_that_turn_beside_a_rounded_number(monkeypatch):
    monkeypatch.setattr(leaves, "placed", lambda context, features, tensor, *_: tensor)
    assert verdict(307, "raising").outcome == DISAGREES
