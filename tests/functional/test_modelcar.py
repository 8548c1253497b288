"""`sealift export --modelcar`: the active models as an image that stock tools copy and KServe mounts."""

import json
import os
import shutil
import subprocess
import sys
import tarfile

import pytest
from support.machine.users import PLACE, users
from support.release.instance import Instance
from support.servers.registry_server import docker_registry

from sealift.cli import cli
from sealift.errors import CorruptError, NotInstalledError
from sealift.publish.modelcar import export_modelcar
from sealift.store.contents import history
from sealift_common.oci import layout

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_replay")]

LONG = "n" * 100
# KServe's container links its own root into a folder of the pod; the server has the same user.
AS_KSERVE = """
import os, subprocess, sys
import numpy
import sealift
assert os.getuid() == 10
modelcar = subprocess.Popen(["sleep", "60"])
link = sys.argv[1]
os.symlink(f"/proc/{modelcar.pid}/root{sys.argv[2]}", link)
os.environ["SEALIFT_STORE"] = link
try:
    model = sealift.load("alpha", follow=True)
    print(model.version, model.predict(numpy.zeros((3, 4), numpy.float32)).tolist())
    try:
        open(os.path.join(link, "x"), "w")
    except OSError as error:
        print(error.strerror)
finally:
    modelcar.kill()
"""


@pytest.fixture
def used(channel, instance, tmp_path):
    """An instance with two generations, of which the second is active, and names that no ustar header holds."""
    instance.pin(channel.root_bytes)
    channel.add("alpha", "1.0.0")
    channel.add(LONG, "1.0.0-" + "v" * 90)
    channel.release()
    instance.install(channel.pack(tmp_path))
    channel.add("alpha", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path))
    return instance


def skopeo(require_tool, *words):
    # Otherwise it compresses the layer for a registry, and the image has another digest there.
    command = [require_tool("skopeo"), "--insecure-policy", "copy", "--preserve-digests", *words]
    subprocess.run(command, check=True, capture_output=True)


def unpacked(folder, target):
    """Unpack the one layer of an OCI layout, as a container engine does."""
    (entry,) = json.loads((folder / "index.json").read_bytes())["manifests"]
    manifest = json.loads((folder / layout.blob_name(entry["digest"])).read_bytes())
    (layer,) = manifest["layers"]
    config = json.loads((folder / layout.blob_name(manifest["config"]["digest"])).read_bytes())
    with tarfile.open(folder / layout.blob_name(layer["digest"])) as tar:
        names = tar.getnames()
        assert {(member.uid, member.gid, member.mtime) for member in tar.getmembers()} == {
            (0, 0, tar.getmembers()[0].mtime)
        }
        tar.extractall(target, filter="tar")
    return names, manifest, config


def test_skopeo_copies_it_to_a_registry_and_what_comes_back_is_the_active_store(used, tmp_path, require_tool):
    report = export_modelcar(used.store, str(tmp_path / "out.tar"))
    assert report.size == (tmp_path / "out.tar").stat().st_size
    assert oct((tmp_path / "out.tar").stat().st_mode & 0o777) == "0o600"
    with docker_registry(tmp_path / "registry") as server:
        address = f"docker://{server.host}/models/sim:modelcar"
        skopeo(require_tool, "--dest-tls-verify=false", f"oci-archive:{tmp_path / 'out.tar'}", address)
        skopeo(require_tool, "--src-tls-verify=false", address, f"oci:{tmp_path / 'back'}:x")
    assert layout.blob_name(report.image) in {
        path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*")
    }
    names, manifest, config = unpacked(tmp_path / "back", tmp_path / "image")
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert {name.split("/")[0] for name in names} == {"models"}
    assert names.index("models") < names.index("models/trust") < names.index("models/trust/current")
    store = Instance(tmp_path / "there")
    shutil.copytree(used.trust_path, store.trust_path)
    shutil.copytree(tmp_path / "image" / "models", store.store_path, symlinks=True)
    assert store.store.active() == used.store.active()
    for name in ("alpha", LONG):
        assert store.store.load(name).digest == used.store.load(name).digest
    missing = {place for place in used.snapshot() if place not in store.snapshot()}
    assert {"store/generations/1", "store/models/alpha/1.0.0"} <= missing
    assert [entry["generation"] for entry in history.read(store.store.layout.history)] == [2]
    assert {place for place in store.snapshot() if place not in used.snapshot()} == set()
    done = subprocess.run(
        [sys.executable, "-c", "from sealift.cli import main; main()", "check"],
        env=store.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_store_gives_the_same_bytes_and_the_history_tells_of_both(used, tmp_path):
    first, second = (export_modelcar(used.store, str(tmp_path / name)) for name in ("1.tar", "2.tar"))
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert [(entry["action"], entry["digest"]) for entry in history.read(used.store.layout.history)[-2:]] == [
        ("export", first.digest),
        ("export", second.digest),
    ]
    assert second.tag == "sim-3-modelcar"


def test_it_loads_as_kserve_mounts_it(used, channel, tmp_path, require_tool):
    export_modelcar(used.store, str(tmp_path / "out.tar"))
    skopeo(require_tool, f"oci-archive:{tmp_path / 'out.tar'}", f"oci:{tmp_path / 'back'}:x")
    with users() as everybody:
        unpacked(tmp_path / "back", everybody.place / "image")
        everybody.mount_read_only("image")
        shutil.copytree(used.trust_path, everybody.place / "etc")
        (everybody.place / "mnt").mkdir()
        os.chown(everybody.place / "mnt", 10, 10)
        done = everybody.python(10, AS_KSERVE, f"{PLACE}/mnt/models", f"{PLACE}/image/models")
    assert done.returncode == 0, done.stderr
    answered, refusal = done.stdout.splitlines()
    assert answered.startswith("1.1.0 [")
    assert refusal == "Read-only file system"


def test_damage_is_refused_and_an_older_file_stays(used, tmp_path):
    target = tmp_path / "out.tar"
    target.write_text("before")
    model = used.store_path / "models/alpha/1.1.0/model.onnx"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:-1])
    before = used.snapshot()
    with pytest.raises(CorruptError, match=r"'models/alpha/1.1.0/model.onnx' was changed in the store"):
        export_modelcar(used.store, str(target))
    assert (target.read_text(), used.snapshot()) == ("before", before)


def test_what_is_not_active_may_be_damaged(used, tmp_path):
    (used.store_path / "models/alpha/1.0.0/model.onnx").unlink()
    export_modelcar(used.store, str(tmp_path / "out.tar"))


def test_without_a_model_it_says_so(instance, channel, tmp_path):
    instance.pin(channel.root_bytes)
    with pytest.raises(NotInstalledError):
        export_modelcar(instance.store, str(tmp_path / "out.tar"))
    assert not (tmp_path / "out.tar").exists()


def test_the_command_says_what_it_wrote(used, tmp_path, call, monkeypatch):
    used.export(monkeypatch)
    status, out, _ = call(cli, "export", "--modelcar", tmp_path / "out.tar")
    lines = out.splitlines()
    assert status == 0
    assert lines[0].startswith("exported generation 2 (release 3 of channel sim, 2 models) as the image sim-3-modelcar")
    status, out, _ = call(cli, "export", "--modelcar", "--json", tmp_path / "out.tar")
    document = json.loads(out)
    assert (status, document["image"], document["models"]["alpha"]) == (0, lines[1], "1.1.0")
