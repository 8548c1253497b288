"""What every test may ask for."""

import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """Give the path of a tool on PATH; fail, never skip, when it is not there."""

    def require(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.fail(f"{name} is not installed, so this test cannot say anything; run .ci/debian-packages as root")
        return path

    return require
