"""A folder where anybody may write."""

import os
import tempfile
from pathlib import Path

import pytest
from support.watching import Looper, put, reason

from sealift.drop_folder.files import DropFolder
from sealift.errors import (
    DigestError,
    UnsafeStoreError,
)

SERVICE_UID = 12345


def test_a_folder_of_somebody_else_stops_the_watcher(folder):
    if os.geteuid() != 0:
        pytest.fail("only root can give a folder away, so this test needs root")
    os.chown(folder, 12345, -1)
    with pytest.raises(UnsafeStoreError, match="belongs to uid 12345"):
        DropFolder(folder).prepare()


@pytest.fixture
def as_service():
    """Work as an ordinary user while the test goes on, in a folder that everybody reaches."""
    if os.geteuid() != 0:
        pytest.fail("only root can become another user, so this test needs root")
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        folder = Path(path, "drop")
        folder.mkdir()
        os.chown(folder, SERVICE_UID, SERVICE_UID)
        folder.chmod(0o3777)
        yield folder
        os.seteuid(0)


def test_a_watcher_that_is_not_root_takes_files_of_others(bundle, as_service, pinned):
    for name, uid, mode in (("good.tar", 23456, 0o644), ("secret.tar", 23456, 0o600), ("own.tar", SERVICE_UID, 0o400)):
        path = put(bundle, as_service, name)
        os.chown(path, uid, uid)
        path.chmod(mode)
    os.seteuid(SERVICE_UID)
    looper = Looper(as_service, pinned)
    looper.watch.install = lambda path: Path(path).read_bytes() and _raise(DigestError("damaged"))
    looper.look()
    os.seteuid(0)
    refused = {event.file for event in looper.events if event.kind == "refused"}
    assert refused == {"good.tar", "own.tar"}
    (secret,) = (event for event in looper.events if event.file == "secret.tar")
    assert (secret.kind, secret.details["code"]) == ("retrying", "local")
    assert sorted(os.listdir(as_service)) == ["done", "refused", "secret.tar"]


def _raise(error):
    raise error


def test_names_that_are_no_text_are_filed_away_as_well(folder, looper):
    name = os.fsdecode(b"\xff\nname.tar")
    (folder / name).write_text("no bundle\n")
    assert looper.look() == ["installing", "refused"]
    assert reason(folder, name)["file"] == "\\xff\nname.tar"
    assert DropFolder(folder).state().last_refusal.code == "malformed"


def test_a_name_too_long_to_be_filed_away_is_left_alone(folder, looper):
    (folder / ("x" * 230 + ".tar")).write_text("no bundle\n")
    assert looper.look() == []


def test_the_state_of_a_folder_survives_forged_reasons(folder, looper):
    (folder / "x.tar").write_text("no bundle\n")
    looper.look()
    for number, text in enumerate(
        ("", "[]", '{"time": 5}', '{"time": "2026-01-01T00:00:00Z", "code": "x"}', "[" * 9999)
    ):
        (folder / "refused" / f"{number}.reason.json").write_text(text)
    (folder / "y.tar").write_text("no bundle\n")
    state = DropFolder(folder).state()
    assert (state.waiting, state.refused, state.done, state.last_refusal.exit_code) == (1, 1, 0, 10)
    assert state.oldest is not None
