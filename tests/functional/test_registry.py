"""Bundles through an OCI registry: Debian's docker-registry, and skopeo as a stock client, in both directions."""

import json
import subprocess

import pytest
from registry_server import docker_registry

from sealift.bundle import layout


def run(instance, *arguments, status=0):
    done = subprocess.run(
        ["sealift", *map(str, arguments)], capture_output=True, text=True, env=instance.environment, check=False
    )
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
    assert {method for method, _, _ in registry.requests()} == {"HEAD"}


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


def test_messages(bundle, address, instance, registry, tmp_path):
    assert "holds no" in run(instance, "install", address, status=3).stderr
    assert "no repository" in run(instance, "install", "oci://host", status=2).stderr
    assert "no user or password" in run(instance, "install", "oci://me:secret@host/x", status=2).stderr
    assert "takes a file, then an address" in run(instance, "push", address, bundle, status=2).stderr
    assert "cannot use" in run(instance, "push", tmp_path / "none.tar", address, status=3).stderr
    bundle.write_bytes(bundle.read_bytes()[:-2000])
    assert run(instance, "push", bundle, address, status=10)
    assert not [1 for method, _, _ in registry.requests() if method in ("POST", "PUT")]


def test_a_damaged_blob_stays_here(bundle, address, instance, registry):
    data = bytearray(bundle.read_bytes())
    data[-1024 - 512 - 20] ^= 1
    bundle.write_bytes(data)
    assert "is damaged or was changed" in run(instance, "push", bundle, address, status=26).stderr
    assert not [path for method, path, _ in registry.requests() if method == "PUT" and "manifests" in path]
