"""A service user owns the store, an application user reads it, root only pins: real users, one each."""

import json
import os
import shutil
import subprocess

import pytest
from support.machine.users import PLACE, users
from support.release.channel_simulator import ChannelSimulator

ROOT, SERVICE, APPLICATION = 0, 64001, 64002

PREDICT = """
import numpy, sealift
model = sealift.load("toy")
print(model.version, len(model.predict(numpy.zeros((3, 4), numpy.float32))))
"""

# Several commands of a user in one process, because most of the time of each goes into its start.
EACH = """
import contextlib, io, json, sys
from sealift.cli import cli
from sealift_common.console import run
said = []
for arguments in json.loads(sys.argv[1]):
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(cli, "sealift", arguments)
    said.append((status, err.buffer.getvalue().decode()))
print(json.dumps(said))
"""
LOOKS = [["status"], ["list"], ["show", "toy"], ["history"], ["trust", "show"], ["doctor"]]
CHANGES = [
    ["install", f"{PLACE}/bundles/2.tar"],
    ["install", f"{PLACE}/bundles/2.tar", "--dry-run"],
    ["rollback"],
    ["rollback", "toy"],
    ["export", "-"],
    ["restore", f"{PLACE}/bundles/1.tar"],
    ["restore", f"{PLACE}/bundles/1.tar", "--replace"],
]


def said_to_each(people, uid, commands):
    """Run each command as a user, in one process; yield it with its status and what it said to standard error."""
    done = people.python(uid, EACH, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    for command, (status, err) in zip(commands, json.loads(done.stdout), strict=True):
        yield " ".join(command), status, err


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """The root is pinned by root, the store is made for the service user, and two releases are at hand."""
    directory = tmp_path_factory.mktemp("people")
    channel = ChannelSimulator(directory / "channel")
    bundles = []
    for version in ("1.0.0", "1.1.0"):
        channel.add("toy", version)
        channel.release()
        bundles.append(channel.pack(directory))
    with users() as everybody:
        for folder in ("etc", "var", "bundles", "out"):
            (everybody.place / folder).mkdir()
        os.chown(everybody.place / "out", SERVICE, SERVICE)
        for number, bundle in enumerate(bundles, 1):
            shutil.copy(bundle, everybody.place / f"bundles/{number}.tar")
        (everybody.place / "1.root.json").write_bytes(channel.root_bytes)
        pinned = everybody.sealift(ROOT, "trust", "init", f"{PLACE}/1.root.json")
        assert pinned.returncode == 0, pinned.stderr
        _make_store(everybody)
        for number in (1, 2):
            done = everybody.sealift(SERVICE, "install", f"{PLACE}/bundles/{number}.tar")
            assert done.returncode == 0, done.stderr
        (everybody.place / "var/store").rename(everybody.place / "store-with-two-releases")
        yield everybody


@pytest.fixture
def empty(people):
    _make_store(people)
    return people


@pytest.fixture
def installed(people):
    """A store in which the service user installed both releases."""
    store = people.place / "var/store"
    shutil.rmtree(store, ignore_errors=True)
    subprocess.run(["cp", "-a", people.place / "store-with-two-releases", store], check=True)
    return people


def _make_store(people):
    """As an admin makes it: `install -d -o sealift`."""
    store = people.place / "var/store"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir()
    os.chown(store, SERVICE, SERVICE)


def test_the_service_user_installs_and_everybody_loads(installed):
    owners = {uid for name, (uid, _, _, _) in installed.snapshot().items() if name.startswith("var/store")}
    assert owners == {SERVICE}
    for uid in (SERVICE, APPLICATION, ROOT):
        done = installed.python(uid, PREDICT)
        assert (done.stdout, done.stderr) == ("1.1.0 3\n", "")


def test_the_history_copes_with_a_user_without_an_account(installed):
    entries = json.loads(installed.sealift(APPLICATION, "history", "--json").stdout)
    assert {entry["user"] for entry in entries} == {f"unknown (uid {SERVICE})"}


def test_the_service_user_does_everything(installed):
    for arguments in (["rollback"], ["export", f"{PLACE}/out/store.tar"], ["doctor"], ["status"]):
        done = installed.sealift(SERVICE, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    assert installed.python(APPLICATION, PREDICT).stdout == "1.0.0 3\n"
    done = installed.sealift(SERVICE, "restore", "--replace", f"{PLACE}/out/store.tar")
    assert (done.returncode, done.stderr) == (0, "")
    assert (installed.place / "out/store.tar").stat().st_uid == SERVICE


def test_the_application_user_may_look(installed):
    before = installed.snapshot()
    for command, status, err in said_to_each(installed, APPLICATION, LOOKS):
        assert (status, err) == (0, ""), command
    assert installed.snapshot() == before


@pytest.mark.parametrize("uid", [APPLICATION, ROOT], ids=["application", "root"])
def test_nobody_else_changes_the_store(uid, installed):
    """Root is told whose store it is, instead of leaving files that lock its owner out."""
    before = installed.snapshot()
    for command, status, err in said_to_each(installed, uid, CHANGES):
        assert status == 36, command
        assert len(err.splitlines()) == 1, command
        assert f"run the same command with `sudo -u '#{SERVICE}'` in front" in err, command
    assert installed.snapshot() == before


@pytest.mark.parametrize("uid", [APPLICATION, ROOT], ids=["application", "root"])
def test_nobody_else_starts_a_store_that_was_made_for_the_service_user(uid, empty):
    before = empty.snapshot()
    done = empty.sealift(uid, "install", f"{PLACE}/bundles/1.tar")
    assert (done.returncode, len(done.stderr.splitlines())) == (36, 1)
    assert empty.snapshot() == before
    assert empty.sealift(SERVICE, "install", f"{PLACE}/bundles/1.tar").returncode == 0


@pytest.mark.parametrize("uid", [SERVICE, APPLICATION], ids=["service", "application"])
def test_only_root_pins(uid, installed):
    before = installed.snapshot()
    stranger = f"{PLACE}/etc-of-nobody"
    done = installed.sealift(uid, "trust", "init", f"{PLACE}/1.root.json", SEALIFT_TRUST=stranger)
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)
    assert "Permission denied" in done.stderr
    assert installed.snapshot() == before


@pytest.mark.parametrize("command", ["install", "restore"])
def test_a_store_that_cannot_be_created(command, people):
    store = f"{PLACE}/var/new/store"
    done = people.sealift(SERVICE, command, f"{PLACE}/bundles/1.tar", SEALIFT_STORE=store)
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)
    assert f"run once as root: `install -d -m 755 -o {SERVICE} {store}`" in done.stderr
    assert not (people.place / "var/new").exists()


def test_files_of_root_in_the_store_are_named(installed):
    """What an older version, or a copy by hand, may have left."""
    os.chown(installed.place / "var/store/trust", ROOT, ROOT)
    os.chown(installed.place / "var/store/lock", ROOT, ROOT)
    done = installed.sealift(SERVICE, "doctor", "--json")
    assert done.returncode == 36
    problems = [entry for entry in json.loads(done.stdout)["findings"] if entry["level"] == "problem"]
    assert len(problems) == 2
    assert all(f"chown -R {SERVICE}" in f"{entry['seen']} {entry['do']}" for entry in problems)


def test_a_store_that_the_application_user_cannot_enter(installed):
    (installed.place / "var/store").chmod(0o700)
    done = installed.sealift(APPLICATION, "doctor")
    assert done.returncode == 0, done.stdout
    assert "unknown" in done.stdout
    done = installed.sealift(APPLICATION, "status")
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)
    assert "Permission denied" in done.stderr


def test_a_root_that_a_user_pinned_is_good_for_that_user_alone(installed):
    """`verify` with a root of one's own needs nobody; what a stranger pinned is nobody's anchor."""
    own = installed.place / "own"
    own.mkdir(exist_ok=True)
    shutil.copy(installed.place / "1.root.json", own / "root.json")
    for path in (own, own / "root.json"):
        os.chown(path, APPLICATION, APPLICATION)
    verify = ["verify", f"{PLACE}/bundles/2.tar"]
    before = installed.snapshot()
    assert installed.sealift(APPLICATION, *verify, SEALIFT_TRUST=f"{PLACE}/own").returncode == 0
    for uid in (SERVICE, ROOT):
        done = installed.sealift(uid, *verify, SEALIFT_TRUST=f"{PLACE}/own")
        assert (done.returncode, len(done.stderr.splitlines())) == (36, 1)
        assert f"belongs to uid {APPLICATION}" in done.stderr
        done = installed.python(uid, PREDICT, SEALIFT_TRUST=f"{PLACE}/own")
        assert "UnsafeStoreError" in done.stderr
    assert installed.snapshot() == before
