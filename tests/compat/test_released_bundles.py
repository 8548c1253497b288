"""Bundles that were made once and are never made again: every later Sealift must still install and answer them.

`good-sealift-<version>.tar` was packed by that version; its channel's keys are gone. `good-text-sealift-<version>` holds
the files of text models that it converted, with the counts of their words dense.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift.model.model import Model
from sealift.model.trial.replay import replay

MADE = datetime(2026, 11, 24, tzinfo=UTC)
TEXT_MODELS = sorted(Path(__file__).parent.glob("format-*/good-text-*/*"))
ANSWERS = {"hashed": ["up", "down", "up", "up"], "words": ["up", "down", "up", "up"]}
BUNDLES = sorted(Path(__file__).parent.glob("format-*/good-*.tar"))


def test_there_is_one():
    assert [bundle.name for bundle in BUNDLES] == ["good-sealift-0.1.0.tar"]


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.stem)
def test_it_installs_and_answers(bundle, instance):
    instance.pin((bundle.parent / "1.root.json").read_bytes())
    report = instance.install(bundle, now=MADE)
    assert report.signers["targets"] == ("targets-1", "targets-2")
    model = instance.store.load("toy")
    assert model.predict([[2.0, 2.0, 0.0, 0.0], [-2.0, -2.0, 0.0, 0.0]]).tolist() == [1, 0]


def test_there_are_text_models():
    assert [folder.name for folder in TEXT_MODELS] == ["hashed", "words"]


@pytest.mark.parametrize("folder", TEXT_MODELS, ids=lambda path: path.name)
def test_a_text_model_answers_as_it_did(folder):
    model = Model.from_files({path.name: path.read_bytes() for path in folder.iterdir()})
    replay(model, (folder / "golden.json").read_bytes())
    assert model.predict(["good day", "bad night", "caf\u00e9", ""]).tolist() == ANSWERS[folder.name]
