"""Fingerprints that cost nothing."""

import pytest

from sealift_bundler.disclosure import finding as finding_module


@pytest.fixture(autouse=True)
def fast_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_module, "_ROUNDS", 1)
