"""`pack`: same channel, same bytes; stock OCI tools carry the bundle unchanged."""

import json
import os
import shutil
import subprocess
import sys
import tarfile

import pytest
from click.testing import CliRunner

from sealift_bundler.cli.pack import command as pack_command
from sealift_bundler.errors import GateError
from sealift_common.oci import layout

SCRIPT = "import os, sys; os.umask(int(sys.argv[3], 8)); from sealift_bundler.cli import main; sys.argv[1:] = ['pack', '--channel', sys.argv[1], '-o', sys.argv[2]]; main()"


@pytest.fixture
def full(channel):
    channel.add("alpha", "1.0.0")
    channel.add("alpha", "1.1.0")
    channel.add("beta", "0.1.0")
    channel.release()
    return channel


def test_same_bytes_from_another_place_time_and_umask(full, tmp_path):
    first = full.pack(tmp_path / "first.tar").read_bytes()
    moved = tmp_path / "some where" / "else"
    moved.parent.mkdir()
    shutil.copytree(full.directory, moved)
    for path in moved.rglob("*"):
        os.utime(path, (0, 0))
    environment = {**os.environ, "TZ": "Pacific/Auckland", "SOURCE_DATE_EPOCH": "1", "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(moved), str(tmp_path / "second.tar"), "077"],
        check=True,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
    )
    assert (tmp_path / "second.tar").read_bytes() == first


def test_members_in_the_documented_order(full, tmp_path):
    with tarfile.open(full.pack(tmp_path / "x.tar")) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names[:7] == [
        "oci-layout",
        "index.json",
        "tuf/1.root.json",
        "tuf/timestamp.json",
        "tuf/snapshot.json",
        "tuf/targets.json",
        "MANIFEST.md",
    ]
    blobs = [member for member in members if member.name.startswith("blobs/")]
    # Two manifests, two configs, then files by size.
    sizes = [member.size for member in blobs[4:]]
    assert sizes == sorted(sizes)
    assert {(m.uid, m.gid, m.uname, m.gname, oct(m.mode)) for m in members} == {(0, 0, "", "", "0o644")}


def test_carries_the_newest_version_and_what_is_asked_for(full, tmp_path):
    from sealift_common.names import ModelVersion

    def references(path):
        with tarfile.open(path) as tar:
            index = json.load(tar.extractfile("index.json"))
        return [descriptor["annotations"][layout.REF_NAME] for descriptor in index["manifests"]]

    assert references(full.pack(tmp_path / "x.tar")) == ["alpha:1.1.0", "beta:0.1.0"]
    older = ModelVersion.parse("alpha", "1.0.0")
    assert references(full.pack(tmp_path / "y.tar", (older,))) == ["alpha:1.0.0", "alpha:1.1.0", "beta:0.1.0"]


def test_a_damaged_blob_in_the_channel_is_not_packed(full, tmp_path):
    blob = max(full.channel.blobs_dir.iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    with pytest.raises(GateError, match="not what was signed"):
        full.pack(tmp_path / "x.tar")
    assert not list(tmp_path.glob("*.tar")) + list(tmp_path.glob(".*.part"))


def test_names_the_file_after_channel_and_release(full, tmp_path):
    result = CliRunner().invoke(pack_command, ["--channel", str(full.directory), "-o", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["path"] == str(tmp_path / "sim-2.tar")
    assert document["digest"] == layout.sha256((tmp_path / "sim-2.tar").read_bytes())


def test_skopeo_carries_every_manifest_unchanged(full, tmp_path, require_tool):
    skopeo = require_tool("skopeo")
    bundle = full.pack(tmp_path / "bundle.tar")
    with tarfile.open(bundle) as tar:
        index = json.load(tar.extractfile("index.json"))

    def run(*arguments):
        return subprocess.run([skopeo, *arguments], check=True, capture_output=True, cwd=tmp_path).stdout

    for descriptor in index["manifests"]:
        reference = descriptor["annotations"][layout.REF_NAME]
        assert layout.sha256(run("inspect", "--raw", f"oci-archive:{bundle}:{reference}")) == descriptor["digest"]
        run("--insecure-policy", "copy", f"oci-archive:{bundle}:{reference}", f"oci:{tmp_path}/layout:{reference}")
        run(
            "--insecure-policy",
            "copy",
            f"oci:{tmp_path}/layout:{reference}",
            f"oci-archive:{tmp_path}/back.tar:{reference}",
        )
        assert (
            layout.sha256(run("inspect", "--raw", f"oci-archive:{tmp_path}/back.tar:{reference}"))
            == descriptor["digest"]
        )
        (tmp_path / "back.tar").unlink()
