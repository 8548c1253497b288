"""What a message says to do: a command; in a container, what its runtime is to be told, too."""

import os
import re
from pathlib import Path

import pytest

from sealift.errors import LocalError, UnsafeStoreError
from sealift.store.contents.layout import StoreLayout
from sealift.store.guard.creation import require_place
from sealift.store.guard.safety import require_owner, require_safe
from sealift.trust import pin
from sealift_common import advice
from sealift_common.errors import KeyFileError
from sealift_keys.keyfiles.private import load_signer

STRANGER = 64321
COMMANDS = re.compile(r"sudo|chmod|chown|install -d|mount -t")


@pytest.fixture(params=["pod", "docker", "podman"])
def container(request, monkeypatch, tmp_path):
    if request.param == "pod":
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    else:
        (tmp_path / "mark").touch()
        monkeypatch.setattr(advice, f"_{request.param.upper()}", tmp_path / "mark")
    return request.param


def all_advice():
    path = Path("/a b")
    return [
        advice.run_as(STRANGER),
        advice.close_to_others(path),
        advice.close_secret(path),
        advice.give(path, STRANGER),
        advice.make(path, STRANGER),
        advice.temporary_folder(),
        advice.file_system_with_locks(),
        advice.proc(),
    ]


def test_a_container_is_recognized(container):
    assert advice.in_container()
    # What needs a command on a machine says it here, too, and first; no volume that has to be written becomes read-only.
    owners_and_modes = [text for text in all_advice() if COMMANDS.search(text)]
    assert len(owners_and_modes) == 5
    assert all(COMMANDS.search(text.split(", or, for this container, ")[0]) for text in owners_and_modes)
    assert all(", or, for this container, " in text for text in owners_and_modes)
    assert "readOnly" not in " ".join(all_advice())


def test_a_machine_is_told_commands():
    assert not advice.in_container()
    said = " ".join(all_advice())
    for command in ("`sudo -u '#64321'` in front", "`chmod go-w '/a b'`", "`chown -R 64321 '/a b'` as root"):
        assert command in said
    assert "`install -d -m 755 -o 64321 '/a b'`" in said
    assert advice.sudo(0) == "sudo -u root"


def _messages(tmp_path, monkeypatch):
    """Everything that is wrong with owners and modes, each met for real."""
    layout = StoreLayout(tmp_path / "store")
    for folder in ("models", "trust", "manifests", "generations"):
        (layout.root / folder).mkdir(parents=True)
    (layout.root / "models").chmod(0o777)
    os.chown(layout.root / "trust", STRANGER, 0)
    with pytest.raises(UnsafeStoreError) as caught:
        require_safe(layout)
    yield str(caught.value)
    os.chown(layout.root, STRANGER, 0)
    with pytest.raises(UnsafeStoreError) as caught:
        require_owner(layout.root)
    yield str(caught.value)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(LocalError) as caught:
        require_place(tmp_path / "new")
    yield str(caught.value)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc").chmod(0o777)
    (tmp_path / "etc/root.json").touch(0o644)
    yield from pin.unsafe(tmp_path / "etc", None)
    key = tmp_path / "key"
    key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    key.chmod(0o644)
    with pytest.raises(KeyFileError) as caught:
        load_signer(key, None)
    yield str(caught.value)


def test_each_refusal_in_a_container_names_a_command_and_a_setting(container, tmp_path, monkeypatch):
    for message in _messages(tmp_path, monkeypatch):
        assert COMMANDS.search(message.split("for this container")[0]), message
        assert ", or, for this container, " in message


def test_each_refusal_on_a_machine_names_a_command(tmp_path, monkeypatch):
    messages = list(_messages(tmp_path, monkeypatch))
    assert [bool(COMMANDS.search(message)) for message in messages] == [True] * len(messages)
