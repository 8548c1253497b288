"""`sealift check` and `check --repair` as an admin runs them."""

import json
import shutil
from datetime import timedelta

import pytest
from support.hostile.damage import NOW, flip_a_bit, models_of

from sealift.errors import CorruptError, ExpiredError, NotInstalledError
from sealift.install.repair import repair
from sealift.store.contents import history


def test_a_clean_store(release, instance, sealift_command):
    release("alpha", "1.0.0")
    release("beta", "1.0.0")
    before = instance.snapshot()
    status, out, err = sealift_command("check")
    assert (status, err) == (0, "")
    assert "checked 2 model versions, " in out
    assert "all is as it was signed" in out
    status, out, _ = sealift_command("check", "--json")
    document = json.loads(out)
    assert document["clean"] is True
    assert document["findings"] == document["notes"] == document["repaired"] == []
    assert document["checked"]["models"] == document["checked"]["generations"] == 2
    assert document["checked"]["bytes"] > 1000
    assert instance.snapshot() == before


def test_all_damage_in_one_report(release, instance, sealift_command):
    release("alpha", "1.0.0")
    release("beta", "1.0.0")
    store = instance.store_path
    flip_a_bit(store / "models/alpha/1.0.0/model.onnx")
    (store / "models/beta/1.0.0/stranger").write_text("x")
    (store / "models/beta/1.0.0/model.json").unlink()
    (store / "generations/1/alpha").unlink()
    (store / "generations/1/alpha").symlink_to("/etc")
    (store / "trust/2/floor.json").write_text("{}")
    with (store / "history.jsonl").open("a") as file:
        file.write("not an entry\n")
    (store / "models/lost+found").mkdir(mode=0o777)
    (store / "models/lost+found").chmod(0o777)
    status, out, err = sealift_command("check", "--json")
    assert status == CorruptError.exit_code
    assert "7 findings" in err
    document = json.loads(out)
    assert {finding["where"] for finding in document["findings"]} == {
        ".",
        "generations/1",
        "history.jsonl",
        "models/alpha/1.0.0/model.onnx",
        "models/beta/1.0.0/model.json",
        "models/beta/1.0.0/stranger",
        "trust",
    }
    assert [finding["code"] for finding in document["findings"] if finding["where"] == "."] == ["unsafe-store"]
    status, out, _ = sealift_command("check")
    assert status == CorruptError.exit_code
    assert "models/alpha/1.0.0/model.onnx" in out


def test_nothing_to_check(instance, channel, sealift_command):
    assert sealift_command("check")[0] == 30
    instance.pin(channel.root_bytes)
    assert sealift_command("check")[0] == NotInstalledError.exit_code


def test_withdrawn_and_interrupted_are_notes(release, channel, instance, sealift_command, tmp_path):
    old, _ = release("alpha", "1.0.0")
    channel.add("alpha", "1.1.0")
    channel.release()
    channel.withdraw(old, "it was wrong")
    instance.install(channel.pack(tmp_path / "next.tar"))
    flip_a_bit(instance.store_path / "models/alpha/1.0.0/model.onnx")
    (instance.store_path / "staging/123").mkdir(parents=True)
    status, out, _ = sealift_command("check", "--json")
    assert status == 0
    assert [note["where"] for note in json.loads(out)["notes"]] == ["staging", "models/alpha/1.0.0"]
    shutil.rmtree(instance.store_path / "models/alpha/1.0.0")
    status, out, _ = sealift_command("check")
    assert status == 0
    assert "which was withdrawn and is gone" in out


def test_a_line_cut_by_a_power_failure(release, instance, sealift_command):
    release("alpha", "1.0.0")
    path = instance.store_path / "history.jsonl"
    path.write_bytes(path.read_bytes() + b'{"action": "inst')
    release("alpha", "1.1.0")
    assert [entry["generation"] for entry in history.read(path)] == [1, 2]
    status, out, _ = sealift_command("check")
    assert status == 0
    assert "line 2 of the history cannot be read; a power failure may have cut it short" in out


@pytest.mark.parametrize("damage", ["flip", "missing file", "stranger", "missing directory", "manifest", "link"])
def test_repair(damage, release, instance, sealift_command):
    """A version that is not active is restored too, and nothing else becomes active."""
    old, _ = release("alpha", "1.0.0")
    _, bundle = release("alpha", "1.1.0", old)
    sealift_command("rollback")
    directory = instance.store_path / "models/alpha/1.1.0"
    good = instance.snapshot()
    if damage == "flip":
        flip_a_bit(directory / "model.onnx")
    elif damage == "missing file":
        (directory / "CARD.md").unlink()
    elif damage == "stranger":
        (directory / "x").write_text("x")
    elif damage == "missing directory":
        shutil.rmtree(directory)
    elif damage == "manifest":
        for path in (instance.store_path / "manifests").iterdir():
            flip_a_bit(path)
    else:
        directory.rename(instance.directory / "elsewhere")
        directory.symlink_to(instance.directory / "elsewhere")
    assert sealift_command("check")[0] == CorruptError.exit_code
    status, out, err = sealift_command("check", "--repair", bundle)
    assert status == 0, err
    assert "repaired alpha 1.1.0" in out
    assert instance.store.active().number == 1
    assert instance.store.load("alpha").version == "1.0.0"
    assert instance.store.load("alpha", "1.1.0").version == "1.1.0"
    changed = {"store/history.jsonl", "elsewhere"}
    after = instance.snapshot()
    stays = {name: value for name, value in after.items() if name not in changed and not name.startswith("elsewhere/")}
    assert stays == {name: value for name, value in good.items() if name not in changed}
    assert history.read(instance.store.layout.history)[-1]["action"] == "repair"


def test_repair_from_a_newer_bundle_accepts_nothing_new(release, channel, instance, sealift_command, tmp_path):
    old, _ = release("alpha", "1.0.0")
    channel.add("alpha", "1.1.0")
    channel.release()
    newer = channel.pack(tmp_path / "newer.tar", (old,))
    flip_a_bit(instance.store_path / "models/alpha/1.0.0/model.onnx")
    status, out, _ = sealift_command("check", "--repair", newer, "--json")
    assert status == 0
    assert json.loads(out)["repaired"] == ["alpha:1.0.0"]
    assert instance.store.release().number == 2
    assert models_of(instance) == ["alpha/1.0.0"]


def test_repair_after_the_bundle_has_expired(release, instance):
    model, bundle = release("alpha", "1.0.0")
    later = NOW + timedelta(days=5000)
    flip_a_bit(instance.store_path / "models/alpha/1.0.0/model.onnx")
    with pytest.raises(ExpiredError):
        instance.install(bundle, now=later)
    floor = instance.store.trust_state().read_floor()
    assert repair(str(bundle), instance.store, {model}, now=later) == [model]
    assert instance.store.load("alpha").version == "1.0.0"
    assert instance.store.trust_state().read_floor() == floor


def test_repair_with_a_bundle_that_does_not_carry_it(release, instance, channel, sealift_command, tmp_path):
    release("alpha", "1.0.0")
    _, bundle = release("alpha", "1.1.0")
    flip_a_bit(instance.store_path / "models/alpha/1.0.0/model.onnx")
    status, out, err = sealift_command("check", "--repair", bundle)
    assert status == CorruptError.exit_code
    assert "models/alpha/1.0.0/model.onnx" in out
    assert "1 finding, listed on stdout" in err
    forged = tmp_path / "forged.tar"
    forged.write_bytes(bundle.read_bytes()[:-2048])
    flip_a_bit(instance.store_path / "models/alpha/1.1.0/model.onnx")
    before = instance.snapshot()
    status, out, _ = sealift_command("check", "--repair", forged)
    assert 10 <= status <= 29
    assert "models/alpha/1.1.0/model.onnx" in out
    assert instance.snapshot() == before
