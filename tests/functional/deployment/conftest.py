"""Kits that several files look into or install, and the command that units and playbooks start."""

import shlex
import shutil
from pathlib import Path

import pytest
from support.deployed import SEALIFT
from support.kits.real import write_downloaded, write_for_another_machine
from support.kits.stand_in import write_pip
from support.once import made_once


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """What `write_downloaded` wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        return made_once(tmp_path_factory, "downloaded", write_downloaded)


@pytest.fixture(scope="session")
def kit_channel(made) -> Path:
    """The channel whose root is in the kit."""
    return made / "channel"


@pytest.fixture(scope="session")
def downloaded(made) -> Path:
    """A kit for this Python and processor, its wheels fetched by pip."""
    return made / "kit.tar"


@pytest.fixture(scope="session")
def unpacked(made) -> Path:
    """Not to be changed."""
    (folder,) = (made / "kit").iterdir()
    return folder


@pytest.fixture
def own_kit(tmp_path, unpacked) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(unpacked, tmp_path / "own-kit"))


@pytest.fixture(scope="session")
def for_another_machine(tmp_path_factory) -> Path:
    """A kit for another Python and processor, with both extras, unpacked."""
    (folder,) = (made_once(tmp_path_factory, "for-another-machine", write_for_another_machine) / "kit").iterdir()
    return folder


@pytest.fixture(scope="session")
def pip(tmp_path_factory) -> Path:
    """The wheel of pip that every kit brings."""
    (path,) = made_once(tmp_path_factory, "pip", write_pip).iterdir()
    return path


@pytest.fixture
def sealift_command(tmp_path):
    """`sealift` as one file, as an admin has it."""
    path = tmp_path / "sealift"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(SEALIFT)} "$@"\n')
    path.chmod(0o755)
    return path
