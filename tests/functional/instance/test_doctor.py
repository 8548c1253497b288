"""`sealift doctor` on real stores: before anything is there, when all is well, and with each kind of damage."""

import json
import os
import subprocess
from datetime import UTC, datetime

import pytest

from sealift.cli import cli
from sealift.doctor import health_facts
from sealift.store.guard.lock import locked
from sealift.testing import ToyModel, toy_store
from sealift_common.console import run


@pytest.fixture
def doctor(instance, capsys):
    def call():
        capsys.readouterr()
        places = ["--store", str(instance.store_path), "--trust", str(instance.trust_path)]
        text = run(cli, "sealift", ["doctor", *places]), capsys.readouterr().out
        status = run(cli, "sealift", ["doctor", "--json", *places])
        document = json.loads(capsys.readouterr().out)
        assert text[0] == status
        *lines, verdict = text[1].splitlines()
        assert len(lines) == len(document["findings"])
        assert verdict.startswith("verdict: no problem" if status == 0 else "verdict: ")
        return status, document

    return call


@pytest.fixture
def installed(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path))


def _seen(document, level):
    return [f"{finding['about']}: {finding['seen']}" for finding in document["findings"] if finding["level"] == level]


def test_before_anything_is_there(doctor, instance):
    before = instance.snapshot()
    status, document = doctor()
    assert (status, document["worst"]) == (0, None)
    assert any("pinned root" in line for line in _seen(document, "unknown"))
    assert instance.snapshot() == before


def test_all_is_well(installed, doctor, instance):
    before = instance.snapshot()
    status, document = doctor()
    assert status == 0
    assert instance.snapshot() == before
    well = _seen(document, "ok")
    for words in ("newest bundle: release 2", "timestamp metadata:", "pinned root:", "lock: nobody", "free inodes:"):
        assert any(line.startswith(words) for line in well), (words, well)


def test_a_store_that_others_may_write(installed, doctor, instance):
    (instance.store_path / "models").chmod(0o777)
    (instance.store_path / "models/toy").chmod(0o777)
    status, document = doctor()
    assert (status, document["worst"]) == (36, "unsafe-store")
    assert len(_seen(document, "problem")) == 2
    assert all(finding["do"] for finding in document["findings"] if finding["level"] == "problem")


def test_a_pinned_root_that_others_may_write(installed, doctor, instance):
    (instance.trust_path / "root.json").chmod(0o666)
    assert doctor()[0] == 36
    (instance.trust_path / "root.json").chmod(0o644)
    instance.trust_path.chmod(0o777)
    assert doctor()[0] == 36


def test_a_pinned_root_where_omnibus_has_it(installed, doctor, instance, require_tool):
    """`/etc/gitlab` belongs to root:root with mode 0775, and `gitlab-ctl reconfigure` makes it so again."""
    instance.directory.chmod(0o775)
    instance.store_path.chmod(0o755)
    document = doctor()[1]
    about_pin = [finding for finding in document["findings"] if finding["about"] == "pinned root"]
    assert [finding["level"] for finding in about_pin] == ["ok"]
    # The store is held to more: there the same directory counts.
    assert doctor()[0] == 36
    for spoil in (
        lambda: instance.directory.chmod(0o777),
        lambda: (instance.directory.chmod(0o775), os.chown(instance.directory, 0, 4242)),
        lambda: (
            os.chown(instance.directory, 0, 0),
            subprocess.run([require_tool("setfacl"), "-m", "u:4242:rwx", instance.directory], check=True),
        ),
    ):
        spoil()
        assert any("pinned root" in line and "writable by group" in line for line in _seen(doctor()[1], "problem"))


def test_a_pinned_root_of_the_store_owner(installed, doctor, instance):
    if os.geteuid() != 0:
        pytest.fail("only root can give files to another user, so this test cannot say anything; run it as root")
    for path in [instance.directory, *instance.directory.rglob("*")]:
        os.chown(path, 64321, 64321, follow_symlinks=False)
    status, document = doctor()
    assert status == 0
    assert any("can be replaced by anyone who can write to the store" in line for line in _seen(document, "warning"))
    assert any("`sudo -u '#64321'` in front" in line for line in _seen(document, "ok"))


def test_a_damaged_trust_state(installed, doctor, instance):
    (instance.store_path / "trust/1/targets.json").write_bytes(b"{}")
    status, document = doctor()
    assert (status, document["worst"]) == (33, "corrupt")


def test_somebody_is_at_work(installed, doctor, instance):
    (instance.store_path / "staging").mkdir()
    assert any("'staging' was left" in line for line in _seen(doctor()[1], "warning"))
    with locked(instance.store_path / "lock"):
        document = doctor()[1]
    assert f"lock: process {os.getpid()} is changing the store at this moment" in _seen(document, "ok")
    assert not any("debris" in line for line in _seen(document, "warning"))


def test_installs_while_the_doctor_reads_are_no_damage(monkeypatch):
    """Two of them remove the state that it was reading."""
    with toy_store(models={"toy": ToyModel(version="1.0.0")}) as toys:
        verify, read = health_facts.verify_targets, []

        def installed_meanwhile(*arguments):
            read.append(None)
            if len(read) == 1:
                for version in ("1.1.0", "1.2.0"):
                    toys.install({"toy": ToyModel(version=version)})
            return verify(*arguments)

        monkeypatch.setattr(health_facts, "verify_targets", installed_meanwhile)
        facts = health_facts.read(toys.store, datetime.now(UTC))
        assert (facts.trust_error, len(read)) == (None, 2)
        assert facts.trust.release == toys.store.release().number
