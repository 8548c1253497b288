"""Fixtures for pytest: `pytest_plugins = ["sealift.testing.fixtures"]` in an application's `conftest.py`.

Not registered by itself: a plug-in that pytest finds is imported in every test run of the machine.
"""

from collections.abc import Iterator, Mapping

import pytest

from sealift.testing.models import ToyModel
from sealift.testing.store import AnyModel, ToyStore, toy_store


@pytest.fixture(scope="session")
def sealift_models() -> Mapping[str, AnyModel]:
    """The models of `sealift_store`, by name; define a fixture of this name to have others."""
    return {"toy": ToyModel()}


@pytest.fixture(scope="session")
def sealift_store(sealift_models: Mapping[str, AnyModel]) -> Iterator[ToyStore]:
    """A store with `sealift_models`, which `sealift.load` uses; made once, because an install takes a second."""
    with toy_store(models=sealift_models) as made:
        yield made
