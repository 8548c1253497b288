"""Bundles that were made once and are never made again: every later Sealift must still install and answer them.

`good-sealift-<version>.tar` was packed by that version; its channel's keys are gone.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

MADE = datetime(2026, 11, 24, tzinfo=UTC)
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
