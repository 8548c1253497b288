"""The six weaknesses of the parts that the design lists: each is covered here or where its test points.

1. Garbage in local metadata: `tests/attack/trust/test_metadata_attacks.py::test_garbage_in_the_trust_state…`
"""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from tuf.api.exceptions import DownloadHTTPError, ExpiredMetadataError

from sealift.errors import DigestError, MalformedError
from sealift.trust.client import TrustClient
from sealift.trust.python_tuf import ngclient
from sealift.trust.python_tuf.fetcher import BundleFetcher
from sealift.trust.state import TrustState


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add()
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "good.tar")


def test_2_a_missing_payload_does_not_advance_the_state(bundle, channel, instance, refused, tmp_path):
    instance.install(bundle)
    channel.add("toy", "1.1.0")
    channel.release()
    newer = channel.pack(tmp_path / "newer.tar")
    cut = tmp_path / "cut.tar"
    cut.write_bytes(newer.read_bytes()[:-2048])
    with refused((MalformedError, DigestError)):
        instance.install(cut)
    # The state still accepts both the old bundle and the complete new one.
    instance.install(bundle)
    assert instance.install(newer).generation == 2


def test_3_payloads_are_not_downloaded_through_the_temporary_directory(bundle, instance, monkeypatch, tmp_path):
    monkeypatch.setattr(ngclient.Updater, "download_target", lambda *_: pytest.fail("download_target was used"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert instance.install(bundle).generation == 1


def test_4_a_loader_that_is_not_root_can_read_the_state(bundle, instance):
    instance.install(bundle)
    state = instance.store_path / "trust"
    files = [path for path in state.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.name for path in files} == {
        "1.root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "floor.json",
    }
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o644"}
    assert [path.name for path in state.rglob("*") if path.is_symlink()] == ["current"]


def test_5_python_tuf_compares_expiry_with_the_time_that_we_set(channel, tmp_path):
    """Fails when upstream moves `_trusted_set.reference_time`."""
    metadata = {path.name: path.read_bytes() for path in channel.channel.tuf_dir.iterdir()}
    updater = ngclient.Updater(str(tmp_path), "x:/", fetcher=BundleFetcher({}), bootstrap=channel.root_bytes)
    assert isinstance(ngclient.trusted_set(updater).reference_time, datetime)
    for days, expired in ((179, False), (181, True)):
        scratch = tmp_path / str(days)
        scratch.mkdir()
        updater = ngclient.Updater(
            str(scratch), "sealift:/", fetcher=BundleFetcher(metadata), bootstrap=channel.root_bytes
        )
        ngclient.set_reference_time(updater, channel.now + timedelta(days=days))
        if expired:
            with pytest.raises(ExpiredMetadataError):
                updater.refresh()
        else:
            updater.refresh()


def test_6_a_missing_next_root_ends_the_chain(channel, tmp_path):
    fetcher = BundleFetcher({path.name: path.read_bytes() for path in channel.channel.tuf_dir.iterdir()})
    with pytest.raises(DownloadHTTPError) as caught:
        fetcher.download_bytes("sealift:/2.root.json", 1000)
    assert caught.value.status_code == 404
    client = TrustClient(tmp_path, channel.root_bytes, fetcher, None, datetime.now(UTC))
    assert client.refresh().root.version == 1


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_missing_role_is_malformed(role, channel, tmp_path):
    metadata = {path.name: path.read_bytes() for path in channel.channel.tuf_dir.iterdir()}
    del metadata[f"{role}.json"]
    with pytest.raises(MalformedError, match=f"no {role!r} metadata"):
        TrustClient(tmp_path, channel.root_bytes, BundleFetcher(metadata), None, datetime.now(UTC)).refresh()


def test_a_state_is_switched_whole(bundle, channel, instance, tmp_path):
    instance.install(bundle)
    before = TrustState(instance.store_path / "trust", at_least=1, used=True)
    channel.release()
    instance.install(channel.pack(tmp_path / "second.tar"))
    # A reader that opened the state before the switch still reads all of it.
    assert before.read_floor().targets == 2
    assert b'"version":2' in before.read_targets()
    assert sorted(os.listdir(instance.store_path / "trust")) == ["1", "2", "current"]


def in_a_fresh_process(code):
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_client_leaves_out_the_http_library_and_opens_no_socket():
    in_a_fresh_process("""
import socket, sys
def refuse(*_, **__): raise AssertionError("a socket")
socket.socket.__init__ = refuse
import sealift.trust.client
assert not [name for name in sys.modules if name.startswith(("urllib3", "http.client", "ssl"))]
""")


def test_other_code_in_the_process_gets_the_fetcher_of_python_tuf(channel, tmp_path):
    in_a_fresh_process(f"""
import sealift.trust.client
import tuf.ngclient
from tuf.ngclient import Urllib3Fetcher
import tuf.ngclient.urllib3_fetcher
import urllib3.util.connection, socket
assert tuf.ngclient.urllib3_fetcher.Urllib3Fetcher is Urllib3Fetcher is tuf.ngclient.Urllib3Fetcher
assert issubclass(Urllib3Fetcher, tuf.ngclient.FetcherInterface)
root = {channel.root_bytes!r}
client = tuf.ngclient.Updater({str(tmp_path)!r}, "https://localhost/", bootstrap=root)
assert type(client._fetcher) is Urllib3Fetcher
assert not hasattr(tuf.ngclient, "anything_else")
""")


def test_the_client_is_what_it_was_where_python_tuf_was_imported_before():
    in_a_fresh_process("""
from tuf.ngclient import Updater, Urllib3Fetcher
import sealift.trust.python_tuf.ngclient as ours, tuf.ngclient
assert ours.Updater is Updater and tuf.ngclient.Urllib3Fetcher is Urllib3Fetcher
""")
