"""What stands in the way of an install is told at once, before anything is written."""

import json
import locale
import platform

import pytest
from support.release.channel_simulator import renamed, toy_files

from sealift.cli import cli
from sealift.errors import IncompatibleError, MalformedError, PreflightError, UnsafeStoreError
from sealift.store.guard.lock import locked
from sealift_bundler.proof.documents import canonical
from sealift_common.console import run


@pytest.fixture
def requiring(channel, tmp_path):
    """Pack a release whose model `toy` has other requirements than it really has."""

    def requiring(**requires):
        files = renamed(toy_files(), "toy", "1.0.0")
        document = json.loads(files["model.json"])
        document["requires"] |= requires
        channel.add("toy", "1.0.0", {**files, "model.json": canonical(document)})
        channel.add("fine", "1.0.0")
        channel.release()
        return channel.pack(tmp_path / "release.tar")

    return requiring


@pytest.mark.parametrize(
    ("requires", "says"),
    [
        ({"onnxruntime": "99.0"}, r"has onnxruntime .*; expected 99\.0 or newer"),
        ({"opsets": {"ai.onnx": 18, "com.example.secret": 1}}, r"has no operators of domain 'com\.example\.secret'"),
        ({"opsets": {"ai.onnx": 9999}}, r"does not know opset 9999 of 'ai\.onnx'"),
        ({"opsets": {"ai.onnx": 18, "ai.onnx.ml": 99}}, r"does not know opset 99 of 'ai\.onnx\.ml'"),
        ({"ir_version": 200}, "does not read ONNX IR version 200"),
        ({"architectures": ["pdp11"]}, "expected 'pdp11'"),
        ({"locales": ["xx_XX.UTF-8"]}, r"has no locale 'xx_XX\.UTF-8'"),
    ],
    ids=["runtime", "domain", "opset", "ml-opset", "ir", "architecture", "locale"],
)
def test_a_model_that_this_machine_cannot_run(requires, says, requiring, channel, instance, refused):
    bundle = requiring(**requires)
    instance.pin(channel.root_bytes)
    with refused(IncompatibleError, rf"toy 1\.0\.0 cannot run here: this machine .*{says}"):
        instance.install(bundle)
    assert not (instance.store_path / "models").exists()


def test_what_this_machine_can_run(requiring, channel, instance):
    bundle = requiring(
        architectures=["pdp11", platform.machine()], locales=["C.UTF-8", locale.setlocale(locale.LC_CTYPE)]
    )
    instance.pin(channel.root_bytes)
    assert instance.install(bundle).changed


def test_all_problems_in_one_report(requiring, channel, instance, refused, monkeypatch):
    bundle = requiring(onnxruntime="99.0", ir_version=200)
    instance.pin(channel.root_bytes)
    instance.store_path.mkdir(parents=True)
    instance.store_path.chmod(0o777)
    monkeypatch.setattr("sealift.install.preflight.free_bytes", lambda _: 1000)
    monkeypatch.setattr("sealift.install.preflight.free_inodes", lambda _: 3)
    (instance.store_path / "lock").touch(mode=0o644)
    before = instance.snapshot()
    with locked(instance.store_path / "lock"), pytest.raises(PreflightError) as caught:
        instance.install(bundle)
    assert instance.snapshot() == before
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["locked", "unsafe-store", "no-space", "no-space", "incompatible", "incompatible"]


def test_what_is_known_is_told_although_there_is_no_temporary_directory(requiring, channel, instance, monkeypatch):
    bundle = requiring()
    instance.pin(channel.root_bytes)
    instance.store_path.mkdir(parents=True)
    instance.store_path.chmod(0o777)
    (instance.store_path / "lock").touch(mode=0o644)
    before = instance.snapshot()
    # As in a container whose root cannot be written.
    monkeypatch.setattr("tempfile._candidate_tempdir_list", list)
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(UnsafeStoreError, match="writable by group or others"):
        instance.install(bundle)
    assert instance.snapshot() == before


def test_scripts_get_the_list(requiring, channel, instance, monkeypatch, capsys):
    bundle = requiring(onnxruntime="99.0", ir_version=200)
    instance.pin(channel.root_bytes)
    instance.export(monkeypatch)
    assert run(cli, "sealift", ["install", str(bundle), "--dry-run", "--json"]) == 37
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert (error["code"], error["exit_code"]) == ("preflight", 37)
    assert [problem["exit_code"] for problem in error["problems"]] == [40, 40]
    assert len(captured.err.splitlines()) == 1


def test_a_description_that_is_not_right_is_refused_before_anything_is_written(channel, instance, refused, tmp_path):
    files = {**renamed(toy_files(), "toy", "1.0.0"), "model.json": b'{"schema":"sealift.model/1"}'}
    channel.add("toy", "1.0.0", files)
    channel.release()
    instance.pin(channel.root_bytes)
    with refused(MalformedError, r"toy 1\.0\.0: model\.json"):
        instance.install(channel.pack(tmp_path / "x.tar"))
