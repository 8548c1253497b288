"""Bundles as generic packages of GitLab, against a small server that speaks its interface; and stores as images."""

import hashlib
import json
import re
import subprocess
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from registry_server import docker_registry

from sealift.store import Store

TOKENS = {"PRIVATE-TOKEN": "personal", "DEPLOY-TOKEN": "deploy", "JOB-TOKEN": "job"}
FILE = re.compile(r"/api/v4/projects/models%2Ftriage/packages/generic/([^/]+)/([^/]+)/([^/]+)")


class Gitlab(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, document=None, **headers):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path.startswith("/storage/"):
            self.store(path)
            return
        if not any(self.headers.get(name) == value for name, value in TOKENS.items()):
            self.say(401, {"message": "401 Unauthorized"})
            return
        match = FILE.fullmatch(path)
        files = self.server.files
        if match and self.command == "PUT":
            files[match.groups()] = self.rfile.read(int(self.headers["Content-Length"]))
            self.say(201, {"message": "201 Created"})
        elif match and match.groups() in files:
            # As with object storage behind it, under another name of this machine.
            port = self.server.server_address[1]
            self.say(302, Location=f"http://localhost:{port}/storage/{'/'.join(match.groups())}")
        elif path == "/api/v4/projects/models%2Ftriage/packages":
            (name,) = query["package_name"]
            # GitLab finds by part of a name.
            found = [{"id": n, "name": p, "version": v} for n, (p, v, _) in enumerate(files) if name in p]
            self.say(200, found)
        elif found := re.fullmatch(r"/api/v4/projects/models%2Ftriage/packages/([0-9]+)/package_files", path):
            (_, _, name), data = list(files.items())[int(found[1])]
            self.say(200, [{"id": 1, "file_name": name, "file_sha256": hashlib.sha256(data).hexdigest()}])
        else:
            self.say(404, {"message": "404 Project Not Found"})

    def store(self, path):
        data = self.server.files[tuple(path.split("/")[2:])]
        begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[begin:])

    do_GET = do_PUT = handle_one  # noqa: N815 - the names that http.server calls


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Gitlab)
        self.files, self.asked = {}, []

    def handle_error(self, request, client_address):
        """A client that jumps in a file hangs up."""


@contextmanager
def gitlab_server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def gitlab():
    with gitlab_server() as server:
        yield server


@pytest.fixture
def address(gitlab):
    return f"gitlab://127.0.0.1:{gitlab.server_address[1]}/models%2Ftriage"


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "first.tar")


def run(instance, *arguments, status=0, **environment):
    clean = {k: v for k, v in instance.environment.items() if k not in ("GITLAB_TOKEN", "CI_JOB_TOKEN")}
    command = ["sealift", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**clean, **environment})
    assert done.returncode == status, done.stderr
    return done


def test_push_and_install(bundle, gitlab, address, channel, instance, tmp_path):
    pushed = json.loads(run(instance, "push", bundle, address, "--json", GITLAB_TOKEN="personal").stdout)
    assert pushed["address"] == f"{address}/sim/2"
    assert gitlab.files == {("sim", "2", "sim-2.tar"): bundle.read_bytes()}
    again = json.loads(run(instance, "push", bundle, address, "--json", CI_JOB_TOKEN="job").stdout)
    assert again["sent"] == 0
    run(instance, "install", f"{address}/sim/2", GITLAB_DEPLOY_TOKEN="deploy")
    channel.add("toy", "1.1.0")
    for _ in range(9):
        channel.release()
    second = channel.pack(tmp_path / "second.tar")
    run(instance, "push", second, address, GITLAB_TOKEN="personal")
    assert "accepted" in run(instance, "verify", f"{address}/sim", GITLAB_TOKEN="personal").stdout
    installed = json.loads(run(instance, "install", f"{address}/sim", "--json", GITLAB_TOKEN="personal").stdout)
    assert installed["release"] == json.loads(run(instance, "inspect", second, "--json").stdout)["release"] > 9
    already = run(instance, "install", "--if-newer", f"{address}/sim", "--json", GITLAB_TOKEN="personal")
    assert json.loads(already.stdout)["installed_already"]
    assert run(instance, "install", f"{address}/sim/2", status=25, GITLAB_TOKEN="personal")
    stored = [headers for _, path, headers in gitlab.asked if path.startswith("/storage/")]
    assert stored
    assert not [headers for headers in stored if set(headers) & set(TOKENS)]


def test_messages(bundle, address, gitlab, instance):
    assert "set one of GITLAB_TOKEN" in run(instance, "push", bundle, address, status=3).stderr
    assert "refuses the one given" in run(instance, "push", bundle, address, status=3, GITLAB_TOKEN="x").stderr
    assert "names no package" in run(instance, "install", address, status=2).stderr
    assert "holds no package" in run(instance, "install", f"{address}/sim", status=3, GITLAB_TOKEN="personal").stderr
    assert "HTTP 404" in run(instance, "install", f"{address}/sim/7", status=3, GITLAB_TOKEN="personal").stderr
    assert "HTTP 404" in run(instance, "push", bundle, f"{address}x", status=3, GITLAB_TOKEN="personal").stderr
    for wrong in ("/a/b/c", "/sim/x", "/sim/0"):
        run(instance, "install", address + wrong, status=2)


def test_a_changed_file_is_refused(bundle, gitlab, address, instance):
    run(instance, "push", bundle, address, GITLAB_TOKEN="personal")
    data = bytearray(bundle.read_bytes())
    data[-1024 - 512 - 20] ^= 1
    gitlab.files["sim", "2", "sim-2.tar"] = bytes(data)
    before = instance.snapshot()
    run(instance, "install", f"{address}/sim", status=26, GITLAB_TOKEN="personal")
    assert {name: value for name, value in instance.snapshot().items() if not name.startswith("store")} == before
    gitlab.files["sim", "2", "sim-2.tar"] = bytes(data[:-3000])
    run(instance, "install", f"{address}/sim", status=10, GITLAB_TOKEN="personal")


def test_a_damaged_file_is_not_pushed(bundle, gitlab, address, instance):
    data = bytearray(bundle.read_bytes())
    data[-1024 - 512 - 20] ^= 1
    bundle.write_bytes(data)
    run(instance, "push", bundle, address, status=26, GITLAB_TOKEN="personal")
    assert not gitlab.asked


def test_a_store_as_an_image(bundle, channel, instance, tmp_path, require_tool):
    with docker_registry(tmp_path / "registry") as server:
        address = f"oci://{server.host}/models/store"
        pushed = json.loads(run(instance, "push", bundle, address, "--as-image", "--json").stdout)
        assert pushed["tags"] == ["sim-2-image", "latest-image"]
        again = json.loads(run(instance, "push", bundle, address, "--as-image", "--json").stdout)
        assert (again["sent"], again["digest"]) == (0, pushed["digest"])
        source = f"docker://{server.host}/models/store:latest-image"
        copy = [require_tool("skopeo"), "--insecure-policy", "copy", "--src-tls-verify=false", source]
        subprocess.run([*copy, f"dir:{tmp_path / 'image'}"], check=True, capture_output=True)
    manifest = json.loads((tmp_path / "image" / "manifest.json").read_bytes())
    (layer,) = manifest["layers"]
    mounted = tmp_path / "mounted"
    with tarfile.open(tmp_path / "image" / layer["digest"].removeprefix("sha256:")) as tar:
        tar.extractall(mounted, filter="tar")
    model = Store(mounted, trust=instance.trust_path).load("toy")
    assert model.version == "1.0.0"
    environment = {"SEALIFT_STORE": str(mounted)}
    assert json.loads(run(instance, "check", "--json", **environment).stdout)["findings"] == []
    assert json.loads(run(instance, "status", "--json", **environment).stdout)["newest_bundle_installed"] == 2
    assert not Path(instance.store_path).exists()


def test_an_image_needs_the_pinned_root(bundle, tmp_path, instance):
    done = run(instance, "push", bundle, "oci://127.0.0.1:1/x", "--as-image", "--trust", tmp_path / "none", status=30)
    assert "no channel is trusted" in done.stderr
    assert "container registry" in run(instance, "push", bundle, "gitlab://h/a%2Fb", "--as-image", status=2).stderr
