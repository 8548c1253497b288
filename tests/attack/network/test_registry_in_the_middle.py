"""A man between an instance and an honest registry: each of his lies gets the answer that it gets from a file."""

import json
import tarfile
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.machine.unpacking import unpack_tar
from support.release.repack import read_members, write_members
from support.release.self_test_stub import Passes
from support.servers.registry_server import docker_registry

from sealift.errors import CorruptError, DigestError, Error, ExpiredError, MalformedError, RollbackError, RootError
from sealift.install.newer import installed_release
from sealift.install.steps import install
from sealift.publish.image import push_image
from sealift.publish.release import push
from sealift.registry.access import Access
from sealift.registry.address import parse
from sealift.store import Store
from sealift_common.oci import layout

pytestmark = pytest.mark.slow


class Between(BaseHTTPRequestHandler):
    """Passes requests on to `server.behind`, and changes what comes back."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        connection = HTTPConnection(self.server.behind)
        passed = {name: value for name, value in self.headers.items() if name in ("Accept", "Range")}
        connection.request("GET", self.path, headers=passed)
        answer = connection.getresponse()
        body = self.server.change(self.path, answer.read())
        self.send_response(answer.status if body else 404)
        for name in ("Content-Type", "Docker-Content-Digest", "Content-Range"):
            if answer.getheader(name):
                self.send_header(name, answer.getheader(name))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        connection.close()


class Middle(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind):
        super().__init__(("127.0.0.1", 0), Between)
        self.behind = behind
        self.change = lambda _path, body: body


@contextmanager
def man_in_the_middle(behind):
    with Middle(behind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _no_self_test(monkeypatch):
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


@pytest.fixture
def registry(tmp_path):
    with docker_registry(tmp_path / "registry") as server:
        yield server


@pytest.fixture
def middle(registry):
    with man_in_the_middle(registry.host) as server:
        yield server


@pytest.fixture
def address(middle):
    return f"oci://127.0.0.1:{middle.server_address[1]}/models"


def send(registry, bundle):
    push(str(bundle), parse(f"oci://{registry.host}/models"), Access(), lambda _: None)


@pytest.fixture
def bundle(channel, instance, registry, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    path = channel.pack(tmp_path / "first.tar")
    send(registry, path)
    return path


@pytest.fixture
def same(instance, refused, middle, address):
    """Refuse a changed bundle from a file and the same change on the wire, with one class and one exit code."""

    def same(error: type[Error], changed, change):
        with refused(error):
            instance.install(changed)
        middle.change = change
        with refused(error):
            install(address, instance.store)
        assert newer(address) == newer(str(changed))

    def newer(bundle):
        try:
            return installed_release(bundle, instance.store)
        except Error as found:
            return type(found)

    return same


def of_size(bundle, kind):
    """Name and bytes of one blob of the bundle: its largest, or that of its one model's manifest."""
    members = read_members(bundle)
    if kind == "blob":
        name = max((name for name in members if name.startswith("blobs/")), key=lambda name: len(members[name]))
    else:
        (listed,) = json.loads(members[layout.INDEX])["manifests"]
        name = layout.blob_name(listed["digest"])
    return name, members[name]


@pytest.mark.parametrize("how", ["other bytes", "longer"])
@pytest.mark.parametrize("kind", ["blob", "manifest"])
def test_a_swapped_blob_or_manifest(how, kind, bundle, same, tmp_path):
    name, data = of_size(bundle, kind)
    other = data + b" " if how == "longer" else bytes([data[0] ^ 1]) + data[1:]
    file = write_members({**read_members(bundle), name: other}, tmp_path / "changed.tar")
    digest = name.rpartition("/")[2]
    same(DigestError, file, lambda path, body: other if path.endswith(digest) else body)


@pytest.mark.parametrize("role", ["timestamp", "targets"])
def test_swapped_metadata(role, bundle, same, tmp_path):
    name = f"tuf/{role}.json"
    members = read_members(bundle)
    other = members[name].replace(b'"version":', b'"version": ', 1)
    assert other != members[name]
    file = write_members({**members, name: other}, tmp_path / "changed.tar", fix_index=False)
    digest = layout.sha256(members[name]).removeprefix("sha256:")
    same(DigestError, file, lambda path, body: other if path.endswith(digest) else body)


def test_a_whole_repository_of_older_days(bundle, channel, instance, registry, middle, address, refused, tmp_path):
    with docker_registry(tmp_path / "older") as older:
        send(older, bundle)
        channel.add("toy", "1.1.0")
        channel.release()
        send(registry, channel.pack(tmp_path / "second.tar"))
        assert install(address, instance.store).changed
        with refused(RollbackError):
            instance.install(bundle)
        middle.behind = older.host
        with refused(RollbackError):
            install(address, instance.store)
        assert installed_release(address, instance.store) is None


def test_a_repository_frozen_in_time(bundle, channel, instance, address, refused):
    later = channel.now + timedelta(days=4000)
    with refused(ExpiredError):
        instance.install(bundle, now=later)
    with refused(ExpiredError):
        install(address, instance.store, now=later)


def test_a_repository_of_a_stranger(bundle, instance, middle, address, refused, tmp_path):
    from support.release.channel_simulator import ChannelSimulator

    stranger = ChannelSimulator(tmp_path / "stranger", name="sim")
    stranger.add("toy", "1.0.0")
    stranger.release()
    theirs = stranger.pack(tmp_path / "theirs.tar")
    with refused(RootError):
        instance.install(theirs)
    with docker_registry(tmp_path / "theirs") as other:
        send(other, theirs)
        middle.behind = other.host
        with refused(RootError):
            install(address, instance.store)


def test_a_dropped_blob(bundle, same, tmp_path):
    name, _ = of_size(bundle, "blob")
    members = read_members(bundle)
    del members[name]
    digest = name.rpartition("/")[2]
    file = write_members(members, tmp_path / "changed.tar")
    same(MalformedError, file, lambda path, body: b"" if path.endswith(digest) else body)


def test_a_changed_layer_of_an_image_is_not_loaded(bundle, instance, registry, tmp_path):
    """The runtime of a container may not check the layer's digest; `sealift.load` checks what lies in it."""
    address = f"oci://{registry.host}/store"
    report = push_image(str(bundle), parse(address), Access(), instance.trust_path, lambda _: None, tmp_path)
    assert report.sent == 2
    connection = HTTPConnection(registry.host)

    def get(path):
        connection.request("GET", f"/v2/store/{path}", headers={"Accept": layout.MANIFEST_TYPE})
        return connection.getresponse().read()

    (layer,) = json.loads(get(f"manifests/{report.digest}"))["layers"]
    (tmp_path / "layer.tar").write_bytes(get(f"blobs/{layer['digest']}"))
    mounted = tmp_path / "mounted"
    with tarfile.open(tmp_path / "layer.tar") as tar:
        unpack_tar(tar, mounted)
    store = Store(mounted, trust=instance.trust_path)
    assert store.load("toy").version == "1.0.0"
    file = mounted / "models/toy/1.0.0/model.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    with pytest.raises(CorruptError, match="was changed in the store"):
        store.load("toy")
