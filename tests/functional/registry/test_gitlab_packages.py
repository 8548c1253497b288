"""Bundles as generic packages of GitLab; and stores as images."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from support.machine.unpacking import unpack_tar
from support.release.command_line import in_process
from support.servers.gitlab_server import TOKENS, gitlab_server
from support.servers.registry_server import docker_registry

from sealift.cli import cli
from sealift.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_replay")]


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
    done = in_process(cli, *arguments, environment={**clean, **environment})
    assert done.returncode == status, done.stderr
    return done


def test_many_packages_with_similar_names_hide_no_release(bundle, gitlab, address, instance):
    """GitLab answers with every package whose name holds the one asked for, a page at a time, the newest first."""
    run(instance, "push", bundle, address, GITLAB_TOKEN="personal")
    for number in range(250):
        gitlab.files["sim-elsewhere", str(number), "x.tar"] = b""
    again = json.loads(run(instance, "push", bundle, address, "--json", GITLAB_TOKEN="personal").stdout)
    assert again["sent"] == 0
    installed = json.loads(run(instance, "install", f"{address}/sim", "--json", GITLAB_TOKEN="personal").stdout)
    assert installed["release"] == 2


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
        unpack_tar(tar, mounted)
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
