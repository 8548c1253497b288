"""Bundles through an OCI registry: Debian's docker-registry, and skopeo as a stock client, in both directions."""

import json
import random
import subprocess

import pytest
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files
from support.release.command_line import in_process
from support.servers.registry_server import docker_registry

from sealift.cli import cli
from sealift_bundler.packing.differential import leave_out, since
from sealift_bundler.packing.parts import split
from sealift_bundler.packing.whole import pack, prepare
from sealift_common.oci import layout

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_replay")]


def run(instance, *arguments, status=0):
    done = in_process(cli, *arguments, environment=instance.environment)
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def registry(tmp_path):
    with docker_registry(tmp_path / "registry") as server:
        yield server


@pytest.fixture
def address(registry):
    return f"oci://{registry.host}/models/sim"


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add("tea", "2.0.0+build.5")
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "first.tar")


def blobs_fetched(registry):
    return {path.rpartition("/")[2] for method, path, _ in registry.requests() if method == "GET" and "/blobs/" in path}


def payload(channel, *models):
    """Digests of the file blobs of `models`."""
    found = set()
    for model in models:
        target = channel.channel.targets().signed.targets[model.target_path]
        manifest = json.loads((channel.channel.blobs_dir / target.hashes["sha256"]).read_bytes())
        found |= {layer["digest"] for layer in manifest["layers"]}
    return found


def test_push_verify_inspect_install(bundle, address, instance):
    pushed = json.loads(run(instance, "push", bundle, address, "--json").stdout)
    assert pushed["tags"] == ["sim-2", "latest"]
    assert pushed["sent"] > 0
    assert "accepted: sim release 2" in run(instance, "verify", address).stdout
    assert "signed by" in run(instance, "verify", "--explain", address).stdout
    claimed = json.loads(run(instance, "inspect", address, "--json").stdout)
    assert [model["name"] for model in claimed["models"]] == ["tea", "toy"]
    installed = json.loads(run(instance, "install", f"{address}:sim-2", "--json").stdout)
    assert installed["active"] == {"tea": "2.0.0+build.5", "toy": "1.0.0"}
    again = json.loads(run(instance, "install", f"{address}@{pushed['digest']}", "--json").stdout)
    assert not again["changed"]
    assert json.loads(run(instance, "check", "--json").stdout)["findings"] == []


def test_a_second_push_of_an_unchanged_channel_transfers_nothing(bundle, address, instance, registry):
    run(instance, "push", bundle, address)
    registry.forget()
    again = json.loads(run(instance, "push", bundle, address, "--json").stdout)
    assert (again["sent"], again["sent_bytes"]) == (0, 0)
    # `latest` is read, to see whether it may be moved.
    asked = {(method, path) for method, path, _ in registry.requests() if method != "HEAD"}
    assert asked == {("GET", "/v2/models/sim/manifests/latest")}


def test_only_what_is_new_travels_in_both_directions(bundle, address, channel, instance, registry, tmp_path):
    run(instance, "push", bundle, address)
    run(instance, "install", address)
    old = payload(channel, *channel.channel_models())
    new = channel.add("toy", "1.1.0")
    channel.release()
    registry.forget()
    run(instance, "push", channel.pack(tmp_path / "second.tar"), address)
    sent = {path.rpartition("digest=")[2].replace("%3A", ":") for m, path, _ in registry.requests() if m == "PUT"}
    assert not sent & old
    registry.forget()
    run(instance, "install", address)
    needed = payload(channel, new)
    assert blobs_fetched(registry) & (old | needed) == needed
    assert instance.store.active().models["toy"].reference == "toy:1.1.0"


def test_if_newer_reads_only_the_head(bundle, address, channel, instance, registry):
    run(instance, "push", bundle, address)
    run(instance, "install", "--if-newer", address)
    registry.forget()
    done = run(instance, "install", "--if-newer", address, "--json")
    assert json.loads(done.stdout)["installed_already"]
    assert not blobs_fetched(registry) & payload(channel, *channel.channel_models())
    assert sum("/manifests/" in path for _, path, _ in registry.requests()) == 1


def test_a_damaged_store_is_repaired_from_the_registry(bundle, address, instance):
    run(instance, "push", bundle, address)
    run(instance, "install", address)
    file = instance.store_path / "models/toy/1.0.0/CARD.md"
    file.chmod(0o644)
    file.write_text("other")
    run(instance, "check", status=33)
    assert json.loads(run(instance, "check", "--repair", address, "--json").stdout)["repaired"] == ["toy:1.0.0"]


def test_skopeo_pulls_a_model_that_was_pushed(bundle, address, channel, instance, registry, tmp_path, require_tool):
    run(instance, "push", bundle, address)
    source = f"docker://{registry.host}/models/sim:tea-2.0.0_build.5"
    copy = [require_tool("skopeo"), "--insecure-policy", "copy", "--src-tls-verify=false", source]
    subprocess.run([*copy, f"dir:{tmp_path / 'pulled'}"], check=True, capture_output=True)
    manifest = (tmp_path / "pulled" / "manifest.json").read_bytes()
    target = channel.channel.targets().signed.targets["models/tea/2.0.0+build.5"]
    assert layout.sha256(manifest) == "sha256:" + target.hashes["sha256"]
    for layer in json.loads(manifest)["layers"]:
        digest = layer["digest"].removeprefix("sha256:")
        assert layout.sha256((tmp_path / "pulled" / digest).read_bytes()) == layer["digest"]


def test_what_skopeo_copied_is_not_sent_again_and_installs(bundle, address, channel, instance, registry, require_tool):
    for model in channel.channel_models():
        tag = model.reference.replace(":", "-").replace("+", "_")
        subprocess.run(
            [
                *(require_tool("skopeo"), "--insecure-policy", "copy", "--dest-tls-verify=false"),
                f"oci-archive:{bundle}:{model.reference}",
                f"docker://{registry.host}/models/sim:{tag}",
            ],
            check=True,
            capture_output=True,
        )
    registry.forget()
    pushed = json.loads(run(instance, "push", bundle, address, "--json").stdout)
    assert pushed["sent"] == 7  # the empty config and the head
    assert not [path for method, path, _ in registry.requests() if method == "PUT" and "manifests/t" in path]
    run(instance, "install", address)


def test_skopeo_mirrors_a_repository_and_the_mirror_installs(
    bundle, address, instance, registry, tmp_path, require_tool
):
    run(instance, "push", bundle, address)
    with docker_registry(tmp_path / "mirror") as mirror:
        sync = [require_tool("skopeo"), "--insecure-policy", "sync", "--src", "docker", "--dest", "docker"]
        insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
        places = (f"{registry.host}/models/sim", f"{mirror.host}/models")
        subprocess.run([*sync, *insecure, *places], check=True, capture_output=True)
        assert json.loads(run(instance, "install", f"oci://{mirror.host}/models/sim", "--json").stdout)["changed"]


def test_messages(bundle, address, instance, registry, tmp_path):
    assert "holds no" in run(instance, "install", address, status=3).stderr
    assert "no repository" in run(instance, "install", "oci://host", status=2).stderr
    for hidden in ("oci://me:secret@host/x", "oci://me:sec/secret@host/x", "oci://me:1/secret@host/x"):
        said = run(instance, "install", hidden, status=2).stderr
        assert "no user or password" in said
        assert "secret" not in said
    assert "takes a file, then an address" in run(instance, "push", address, bundle, status=2).stderr
    bare = address.removeprefix("oci://")
    assert f"names no kind of registry; give oci://{bare}" in run(instance, "push", bundle, bare, status=2).stderr
    assert "cannot use" in run(instance, "push", tmp_path / "none.tar", address, status=3).stderr
    bundle.write_bytes(bundle.read_bytes()[:-2000])
    assert run(instance, "push", bundle, address, status=10)
    assert not [1 for method, _, _ in registry.requests() if method in ("POST", "PUT")]


def test_a_damaged_blob_stays_here(bundle, address, instance, registry):
    data = bytearray(bundle.read_bytes())
    data[-1024 - 512 - 20] ^= 1
    bundle.write_bytes(data)
    assert "is damaged or was changed" in run(instance, "push", bundle, address, status=26).stderr
    assert not [path for method, path, _ in registry.requests() if method == "PUT" and "manifests/sim" in path]


def test_parts_are_pushed_as_what_they_make(bundle, address, instance, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    parts = split(bundle, folder, 12_000)
    assert len(parts) > 2
    lacking = run(instance, "push", *parts[1:], address, status=10)
    assert "missing: 1" in lacking.stderr
    pushed = json.loads(run(instance, "push", folder, address, "--json").stdout)
    again = json.loads(run(instance, "push", *reversed(parts), address, "--json").stdout)
    assert (again["sent"], again["digest"]) == (0, pushed["digest"])
    whole = json.loads(run(instance, "push", bundle, address, "--json").stdout)
    assert (whole["sent"], whole["digest"]) == (0, pushed["digest"])
    assert json.loads(run(instance, "install", address, "--json").stdout)["changed"]


def test_an_address_stands_alone(bundle, address, instance):
    for command in ("install", "verify", "inspect"):
        assert "give it alone" in run(instance, command, bundle, address, status=2).stderr


def differential(channel, base, output):
    scratch = output.with_suffix(".patches")
    scratch.mkdir()
    prepared = prepare(channel.directory)
    return pack(leave_out(prepared, since(channel.directory, str(base), prepared.release), scratch), output).path


def test_a_differential_bundle_becomes_a_whole_release(bundle, address, channel, instance, tmp_path):
    channel.add("mug", "1.0.0")
    channel.release()
    news = differential(channel, bundle, tmp_path / "news.tar")
    whole = channel.pack(tmp_path / "whole.tar")
    assert news.stat().st_size < whole.stat().st_size
    refused = run(instance, "push", news, address, status=3).stderr
    assert "builds on release 2" in refused
    assert "push release 2 first, or a whole bundle" in refused
    image = run(instance, "push", news, address, "--as-image", status=2).stderr
    assert "cannot fill a new store" in image
    run(instance, "push", bundle, address)
    pushed = json.loads(run(instance, "push", news, address, "--json").stdout)
    assert json.loads(run(instance, "push", whole, address, "--json").stdout)["digest"] == pushed["digest"]
    # An instance that has nothing yet.
    installed = json.loads(run(instance, "install", address, "--json").stdout)
    assert set(installed["active"]) == {"mug", "tea", "toy"}


def test_patches_are_not_pushed(channel, address, instance, registry, tmp_path):
    def files(version, tail):
        return {**renamed(toy_files(), "big", version), "model.onnx.data": random.Random(1).randbytes(300_000) + tail}

    channel.add("big", "1.0.0", files("1.0.0", b"old"))
    channel.release()
    first = channel.pack_anything(tmp_path / "first.tar")
    channel.add("big", "1.1.0", files("1.1.0", b"new"))
    channel.release()
    patch = differential(channel, first, tmp_path / "patch.tar")
    run(instance, "push", first, address)
    registry.forget()
    refused = run(instance, "push", patch, address, status=2).stderr
    assert "holds patches to files of release 2" in refused
    assert registry.requests() == []


def test_latest_never_goes_back(bundle, address, channel, instance, tmp_path):
    channel.add("toy", "1.1.0")
    channel.release()
    run(instance, "push", channel.pack(tmp_path / "second.tar"), address)
    older = run(instance, "push", bundle, address)
    assert "tags sim-2; digest" in older.stdout
    assert "a newer release was pushed before" in older.stdout
    assert run(instance, "push", bundle, f"{address}:latest").stdout == run(instance, "push", bundle, address).stdout
    assert json.loads(run(instance, "install", address, "--json").stdout)["release"] == 3
    assert (
        "names what is there already" in run(instance, "push", bundle, f"{address}@sha256:{'0' * 64}", status=2).stderr
    )


def test_another_channel_takes_another_repository(bundle, address, instance, tmp_path):
    other = ChannelSimulator(tmp_path / "other", name="other")
    other.add("toy", "1.0.0")
    other.release()
    run(instance, "push", bundle, address)
    theirs = other.pack(tmp_path / "other.tar")
    assert "is a release of the channel 'sim'" in run(instance, "push", theirs, address, status=3).stderr
    run(instance, "push", theirs, f"{address}:other")
    assert json.loads(run(instance, "inspect", f"{address}:other", "--json").stdout)["channel"] == "other"
    assert json.loads(run(instance, "diff", address, f"{address}:other", "--json").stdout)["same_root"] is False
