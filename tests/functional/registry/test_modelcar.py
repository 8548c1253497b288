"""`sealift export --modelcar`: the active models as an image that stock tools copy and KServe mounts."""

import gzip
import io
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
from sealift.errors import CorruptError, NotInstalledError, UsageError
from sealift.publish.base_image import PROGRAMS, read_base
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
    """Unpack the layers of an OCI layout, as a container engine does; gives the names of the last one, ours."""
    (entry,) = json.loads((folder / "index.json").read_bytes())["manifests"]
    manifest = json.loads((folder / layout.blob_name(entry["digest"])).read_bytes())
    config = json.loads((folder / layout.blob_name(manifest["config"]["digest"])).read_bytes())
    for layer in manifest["layers"][:-1]:
        with tarfile.open(folder / layout.blob_name(layer["digest"])) as tar:
            tar.extractall(target, filter="tar")
    with tarfile.open(folder / layout.blob_name(manifest["layers"][-1]["digest"])) as tar:
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


@pytest.fixture
def busybox(tmp_path, require_tool):
    """An image with a shell, as skopeo writes it: a compressed layer, and an entry point that would be in the way."""
    program = require_tool("busybox")
    return write_image(tmp_path / "busybox", {"bin/busybox": open(program, "rb").read()}, PROGRAMS)


def write_image(folder, files, links=(), **changes):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
        for name in links:
            info = tarfile.TarInfo(f"bin/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
    plain = layout.sha256(gzip.decompress(layer.getvalue()))
    config = {
        "architecture": "arm64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/false"], "Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [plain]},
        "history": [{"created_by": "somebody"}],
    }
    written = write_blob(folder, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": layout.MANIFEST_TYPE,
        "config": written,
        "layers": [write_blob(folder, layer.getvalue(), "application/vnd.oci.image.layer.v1.tar+gzip")],
    }
    entry = write_blob(folder, json.dumps({**manifest, **changes}).encode(), layout.MANIFEST_TYPE)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_bytes(layout.OCI_LAYOUT_BYTES)
    return folder


def write_blob(folder, data, kind):
    path = folder / layout.blob_name(layout.sha256(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": kind, "digest": layout.sha256(data), "size": len(data)}


# What KServe starts in the image of a model: first the one, which must end well, then the other beside the server.
KSERVE_INIT = '[ -d /models ] && [ "$(ls -A /models)" ] || exit 1'
KSERVE_STAYS = "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"
SERVER = """
import os, time
import numpy
import sealift
while not os.path.isdir("/mnt/pod/models"):
    time.sleep(0.02)
os.environ["SEALIFT_STORE"] = "/mnt/pod/models"
model = sealift.load("alpha")
print(model.version, model.predict(numpy.zeros((1, 4), numpy.float32)).tolist())
"""


def test_kserve_runs_it_as_it_is_when_it_stands_on_an_image_with_a_shell(used, busybox, tmp_path, require_tool):
    report = export_modelcar(used.store, str(tmp_path / "out.tar"), base=read_base(busybox))
    again = export_modelcar(used.store, str(tmp_path / "again.tar"), base=read_base(busybox))
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()
    assert again.size == report.size == (tmp_path / "out.tar").stat().st_size
    skopeo(require_tool, f"oci-archive:{tmp_path / 'out.tar'}", f"oci:{tmp_path / 'back'}:x")
    with users() as everybody:
        _, manifest, config = unpacked(tmp_path / "back", everybody.place / "image")
        assert (len(manifest["layers"]), len(config["rootfs"]["diff_ids"])) == (2, 2)
        assert (config["architecture"], config["config"]) == ("arm64", {"Env": ["PATH=/bin"]})
        assert "history" not in config
        base = json.loads((busybox / "index.json").read_text())["manifests"][0]["digest"]
        assert manifest["annotations"]["org.opencontainers.image.base.digest"] == base
        # As Kubernetes does: where the volume of the pod is mounted, whose owner is the user of both containers.
        (everybody.place / "image" / "mnt").mkdir()
        (everybody.place / "pod").mkdir()
        os.chown(everybody.place / "pod", 1010, 1010)
        shutil.copytree(used.trust_path, everybody.place / "etc")
        inside = everybody.within("mount", "--bind", f"{PLACE}/pod", f"{PLACE}/image/mnt")
        assert inside.wait() == 0
        everybody.mount_read_only("image")
        assert everybody.within("mount", "--bind", f"{PLACE}/pod", f"{PLACE}/image/mnt").wait() == 0
        start = ("chroot", "--userspec=1010:1010", f"{PLACE}/image", "sh", "-c")
        assert everybody.within(*start, KSERVE_INIT).wait() == 0
        modelcar = everybody.within(*start, KSERVE_STAYS)
        try:
            done = everybody.python(1010, SERVER)
        finally:
            modelcar.kill()
            modelcar.wait()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1.1.0 [")


BASES = {
    "no shell": (
        lambda place: write_image(place, {"bin/busybox": b""}, ["ls", "ln"]),
        "has no sh, sleep, which KServe",
    ),
    "models of its own": (
        lambda place: write_image(place, {"bin/busybox": b"", "models/evil": b""}, PROGRAMS),
        "has a folder /models already",
    ),
    "no layer": (lambda place: write_image(place, {}, layers=[]), "has no layers"),
    "another form": (
        lambda place: write_image(place, {}, layers=[write_blob(place, b"", "application/x-squashfs")]),
        "a layer of the base is 'application/x-squashfs'",
    ),
    "no tar": (
        lambda place: write_image(
            place, {}, layers=[write_blob(place, b"x" * 600, "application/vnd.oci.image.layer.v1.tar")]
        ),
        "of the base is not a tar",
    ),
    "nothing there": (lambda place: place, "cannot be opened"),
}


@pytest.mark.parametrize(("make", "message"), BASES.values(), ids=BASES.keys())
def test_a_base_that_kserve_cannot_start_is_refused(used, tmp_path, call, monkeypatch, make, message):
    used.export(monkeypatch)
    make(tmp_path / "base")
    status, _, err = call(cli, "export", "--modelcar", tmp_path / "out.tar", "--base", tmp_path / "base")
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.tar").exists()


def test_a_base_of_several_images_or_with_damage_is_refused(used, tmp_path, busybox):
    index = json.loads((busybox / "index.json").read_text())
    layer = max((busybox / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = layer.read_bytes()
    layer.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UsageError, match="of the base was damaged: expected"):
        read_base(busybox)
    layer.write_bytes(data)
    base = read_base(busybox)
    # Changed between the look and the copy.
    layer.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptError, match="of the base"):
        export_modelcar(used.store, str(tmp_path / "out.tar"), base=base)
    assert not (tmp_path / "out.tar").exists()
    (busybox / "index.json").write_text(json.dumps({**index, "manifests": index["manifests"] * 2}))
    with pytest.raises(UsageError, match="is not one image of one architecture"):
        read_base(busybox)


def test_damage_is_refused_and_an_older_file_stays(used, tmp_path):
    target = tmp_path / "out.tar"
    export_modelcar(used.store, str(target))
    earlier = target.read_bytes()
    model = used.store_path / "models/alpha/1.1.0/model.onnx"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:-1])
    before = used.snapshot()
    with pytest.raises(CorruptError, match=r"'models/alpha/1.1.0/model.onnx' was changed in the store"):
        export_modelcar(used.store, str(target))
    assert (target.read_bytes(), used.snapshot()) == (earlier, before)


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
