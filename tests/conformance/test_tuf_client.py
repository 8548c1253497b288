"""The adapter for the outside conformance suite, against a small repository of our own over HTTP."""

import http.server
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from support.release.channel_simulator import ChannelSimulator
from tuf.api.metadata import Metadata, TargetFile

CLIENT = Path(__file__).with_name("tuf_client.py")


@pytest.fixture
def repository(tmp_path):
    """A channel served on loopback, and the calls of the suite's command line."""
    channel = ChannelSimulator(tmp_path / "channel")
    files = tmp_path / "files"
    files.mkdir()
    root = tmp_path / "initial_root.json"
    root.write_bytes(channel.root_bytes)
    metadata = tmp_path / "metadata"
    metadata.mkdir()
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"

        def client(command, *names):
            options = ["--metadata-url", f"{base}/channel/tuf", "--metadata-dir", str(metadata)]
            if command == "init":
                options, rest = options[2:], ["init", str(root)]
            else:
                options += [part for name in names for part in ("--target-name", name)]
                rest = ["--target-dir", str(files), "--target-base-url", f"{base}/served", command]
            return subprocess.run(
                [sys.executable, str(CLIENT), *options, *rest], check=False, capture_output=True
            ).returncode

        yield channel, client, metadata, files
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def versions(metadata):
    return {p.name: Metadata.from_file(str(p)).signed.version for p in sorted(metadata.glob("*.json"))}


def test_init_refresh_and_rollback(repository):
    channel, client, metadata, _ = repository
    assert client("init") == 0
    assert client("refresh") == 0
    assert versions(metadata) == {"root.json": 1, "snapshot.json": 1, "targets.json": 1, "timestamp.json": 1}
    old = (channel.channel.tuf_dir / "timestamp.json").read_bytes()
    channel.release()
    assert client("refresh") == 0
    (channel.channel.tuf_dir / "timestamp.json").write_bytes(old)
    assert client("refresh") == 1
    assert versions(metadata)["timestamp.json"] == 2


def test_a_failed_refresh_keeps_what_was_verified_and_the_next_one_goes_on(repository):
    channel, client, metadata, _ = repository
    assert client("init") == 0
    assert client("refresh") == 0
    channel.release()
    channel.next_root(lambda root: None)
    channel.change("snapshot", lambda _: None, signers=[])
    assert client("refresh") == 1
    assert versions(metadata) == {"root.json": 2, "snapshot.json": 1, "targets.json": 1, "timestamp.json": 2}
    channel.change("snapshot", lambda _: None)
    assert client("refresh") == 0
    assert versions(metadata)["snapshot.json"] == 2


def test_fast_forward_is_recovered_from_by_new_keys_even_after_a_failed_refresh(repository):
    channel, client, metadata, _ = repository
    assert client("init") == 0
    channel.change("timestamp", lambda signed: setattr(signed, "version", 99))
    assert client("refresh") == 0
    old = channel.keys["timestamp"][0].public_key.keyid
    channel.keys["timestamp"] = [CryptoSigner.generate_ecdsa()]

    def rotate(root):
        root.revoke_key(old, "timestamp")
        root.add_key(channel.keys["timestamp"][0].public_key, "timestamp")

    channel.next_root(rotate)
    assert client("refresh") == 1
    assert versions(metadata)["root.json"] == 2
    channel.change("timestamp", lambda signed: setattr(signed, "version", 1))
    assert client("refresh") == 0
    assert versions(metadata)["timestamp.json"] == 1


def test_download(repository, tmp_path):
    channel, client, _, files = repository
    (tmp_path / "served" / "path").mkdir(parents=True)
    (tmp_path / "served" / "path" / "a.txt").write_bytes(b"hello")
    target = TargetFile.from_data("path/a.txt", b"hello")
    channel.change("targets", lambda signed: signed.targets.update({"path/a.txt": target}))
    assert client("init") == 0
    assert client("download", "missing.txt") == 1
    assert client("download", "path/a.txt") == 0
    assert [path.read_bytes() for path in files.iterdir()] == [b"hello"]
    (tmp_path / "served" / "path" / "a.txt").write_bytes(b"HELLO")
    assert client("download", "path/a.txt") == 0  # from the cache
    next(files.iterdir()).unlink()
    assert client("download", "path/a.txt") == 1
    assert list(files.iterdir()) == []
