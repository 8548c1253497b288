"""What an admin hands to support, and what goes to syslog, to the journal and to a SIEM."""

import json
import re
import socket
import struct
import tarfile
from datetime import UTC, datetime

import pytest

from sealift import journal
from sealift_common.blob import Blob

pytestmark = pytest.mark.usefixtures("no_replay")


def test_a_report_holds_facts_and_no_secrets(installed, sealift_command, tmp_path, monkeypatch):
    secrets = {
        "GITLAB_TOKEN": "glpat-XXXX1",
        "SEALIFT_PASSPHRASE": "correct horse",
        "HTTPS_PROXY": "http://u:hunter2@p",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    _, out, _ = sealift_command("doctor", "--report", tmp_path / "report.tar")
    assert f"wrote {tmp_path / 'report.tar'}; read it before you send it" in out
    assert (tmp_path / "report.tar").stat().st_mode & 0o077 == 0
    data = (tmp_path / "report.tar").read_bytes()
    for value in ("glpat-XXXX1", "correct horse", "hunter2"):
        assert value.encode() not in data
    with tarfile.open(tmp_path / "report.tar") as tar:
        content = {one.name.partition("/")[2]: tar.extractfile(one).read() for one in tar.getmembers()}
    assert sorted(content) == [
        *("README", "doctor.json", "history.json", "machine.json", "packages.json", "status.json", "store.json"),
        "trust.json",
    ]
    assert json.loads(content["machine.json"])["variables_set"] == ["HTTPS_PROXY"]
    assert json.loads(content["status.json"])["models"] == {"other": "1.0.0", "toy": "1.1.0"}
    assert json.loads(content["trust.json"])["channel"] == "sim"
    assert [one["action"] for one in json.loads(content["history.json"])] == ["install", "install"]
    assert {one["path"] for one in json.loads(content["store.json"])} >= {"current", "models/toy/1.1.0/model.onnx"}
    _, _, err = sealift_command("install", tmp_path / "report.tar")
    assert "it is a report of `sealift doctor`, for support" in err


def test_a_report_of_a_broken_store_says_what_is_broken(installed, sealift_command, tmp_path):
    (installed.store_path / "current").unlink()
    sealift_command("doctor", "--report", tmp_path / "report.tar")
    with tarfile.open(tmp_path / "report.tar") as tar:
        said = json.loads(tar.extractfile("sealift-report/status.json").read())
    assert said["error"]["exit_code"] in (31, 33)


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A socket in the place of syslog's; gives the lines that came."""
    monkeypatch.delenv("SEALIFT_SYSLOG", raising=False)
    return _listening(tmp_path / "log", monkeypatch, "SYSLOG", "JOURNAL")


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """The same for the journal of systemd; gives fields by name."""
    monkeypatch.delenv("SEALIFT_SYSLOG", raising=False)
    return _listening(tmp_path / "journal", monkeypatch, "JOURNAL", "SYSLOG")


def _listening(path, monkeypatch, here, elsewhere):
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(path))
    receiver.setblocking(False)
    monkeypatch.setattr(journal, here, path)
    monkeypatch.setattr(journal, elsewhere, path.with_name("absent"))

    def read():
        found = []
        while True:
            try:
                found.append(receiver.recv(1 << 16))
            except BlockingIOError:
                return found

    return read


def fields(data):
    """Take a datagram of the journal's native form apart."""
    found = []
    while data:
        name, data = data.split(b"\n", 1)
        (length,) = struct.unpack("<Q", data[:8])
        found.append((name.decode(), data[8 : 8 + length].decode()))
        assert data[8 + length : 9 + length] == b"\n"
        data = data[9 + length :]
    return found


def test_installs_rollbacks_and_refusals_go_to_syslog(bundles, channel, instance, sealift_command, log, tmp_path):
    instance.pin(channel.root_bytes)
    for bundle in bundles:
        assert sealift_command("install", bundle)[0] == 0
    assert sealift_command("rollback", "--reason", 'says "no"')[0] == 0
    assert sealift_command("install", bundles[0])[0] != 0
    first, second, back, refused = (line.decode() for line in log())
    pattern = r'<29>sealift\[\d+\]: install code="ok" channel="sim" release="2" generation="1" user=".* \(uid \d+\)" '
    assert re.match(pattern + r'model="toy:1.0.0" digest="sha256:[0-9a-f]{64}"$', first), first
    assert second.count("model=") == 2
    assert 'rollback code="ok" channel="sim"' in back
    assert r'reason="says \"no\""' in back
    assert 'model="toy:1.0.0"' in back
    assert re.search(r'<28>sealift\[\d+\]: install code="\w+" user=".*" message="', refused)


def test_the_journal_gets_fields_of_their_own(bundles, channel, instance, sealift_command, systemd):
    instance.pin(channel.root_bytes)
    assert sealift_command("install", bundles[1], "--accept-expired", "drill\u202e")[0] == 2
    assert sealift_command("install", bundles[1], "--accept-expired", "a drill")[0] == 0
    (datagram,) = systemd()
    found = fields(datagram)
    named = dict(found)
    assert named["SYSLOG_IDENTIFIER"] == "sealift"
    assert named["PRIORITY"] == "4"
    assert named["SEALIFT_OVERRIDE"] == "expired: a drill"
    assert [value for name, value in found if name == "SEALIFT_MODEL"] == ["other:1.0.0", "toy:1.1.0"]
    assert {"SEALIFT_ACTION", "SEALIFT_CODE", "SEALIFT_CHANNEL", "SEALIFT_RELEASE", "SEALIFT_USER"} <= set(named)
    assert Blob(named["SEALIFT_DIGEST"], 1).hex
    assert named["MESSAGE"].startswith("install code=")


def test_the_log_can_be_switched_off_and_never_stops_an_install(bundles, channel, instance, monkeypatch, log, tmp_path):
    instance.pin(channel.root_bytes)
    monkeypatch.setenv("SEALIFT_SYSLOG", "none")
    instance.install(bundles[0])
    assert log() == []
    monkeypatch.delenv("SEALIFT_SYSLOG")
    (tmp_path / "file").touch()
    monkeypatch.setattr(journal, "SYSLOG", tmp_path / "file")
    assert instance.install(bundles[1]).changed
    assert datetime.now(UTC)
