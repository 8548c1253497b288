"""`kind = "files"`: weights and what goes with them, from the recipe to a folder for another program."""

import base64
import hashlib
import json

import numpy as np
import pytest
from support.release.weights import gguf, safetensors
from support.release.workbench import Workbench

import sealift
from sealift.store.contents import files as contents
from sealift_common.files import durable

FILES = {
    "model-00001-of-00002.safetensors": safetensors({"a": np.ones((4, 4))}, {"format": "pt"}),
    "model-00002-of-00002.safetensors": safetensors({"b": np.ones(8)}),
    "draft.gguf": gguf(),
    "tokenizer.json": b'{"version": "1.0"}',
    "prompt.txt": b"You are helpful.",
}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Workbench(tmp_path, monkeypatch)
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return made


def recipe(bench, *names, more="", version="1.0.0"):
    files = "".join(f'"{name}" = "{name}"\n' for name in names or FILES)
    head = f'name = "llm"\nversion = "{version}"\nkind = "files"\nlicenses = ["Apache-2.0"]\n'
    (bench.folder / "recipe.toml").write_text(f"{head}{more}[files]\n{files}")


def packed(bench):
    for command in (["release", "--channel", "ch", "--key", "k"], ["pack", "--channel", "ch", "-o", "c.tar"]):
        status, out, err = bench.bundler(*command)
        assert status == 0, err
    return out


def test_from_the_recipe_to_a_folder(bench, instance, sealift_command):
    recipe(bench)
    status, out, err = bench.add()
    assert status == 0, err
    assert "files, carried as they are: 3 headers checked (gguf, safetensors)\n" in out
    assert "readable by Sealift 0.2.0 and newer, because of llm 1.0.0" in packed(bench)
    instance.pin((bench.folder / "ch/tuf/1.root.json").read_bytes())
    for command in (["verify"], ["install", "--dry-run"], ["install"]):
        status, out, err = sealift_command(*command, "c.tar")
        assert status == 0, (command, err)
    status, out, _ = sealift_command("path", "llm")
    assert status == 0
    folder = instance.store_path / "current/llm"
    assert out == f"{folder}\n"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    with pytest.raises(sealift.UsageError, match=r"llm 1\.0\.0 is files \(files: draft\.gguf, .* and 2 more\), which"):
        sealift.load("llm")
    for command in ("bench", "predict"):
        status, _, err = sealift_command(command, "llm")
        assert (status, err.count("\n")) == (2, 1), err
    status, out, _ = sealift_command("show", "llm")
    assert "kind     files, carried and not run; proven are their bytes and where they come from, no answers\n" in out
    assert "draft.gguf" in out
    assert sealift_command("list")[0] == sealift_command("check")[0] == sealift_command("status")[0] == 0
    assert sealift_command("inspect", "c.tar")[0] == sealift_command("doctor")[0] == 0
    assert sealift_command("diff", "c.tar", "c.tar")[0] == 0


def test_weights_are_rolled_back_and_restored_like_models(bench, instance, sealift_command):
    recipe(bench)
    assert bench.add()[0] == 0
    packed(bench)
    instance.pin((bench.folder / "ch/tuf/1.root.json").read_bytes())
    instance.install(bench.folder / "c.tar")
    (bench.folder / "prompt.txt").write_bytes(b"You are brief.")
    recipe(bench, version="1.1.0")
    assert bench.add()[0] == 0
    packed(bench)
    instance.install(bench.folder / "c.tar")
    prompt = instance.store_path / "current/llm/prompt.txt"
    assert prompt.read_bytes() == b"You are brief."
    assert sealift_command("rollback")[0] == 0
    assert prompt.read_bytes() == FILES["prompt.txt"]
    assert sealift_command("export", "backup.tar")[0] == 0
    durable.remove_tree(instance.store_path)
    assert sealift_command("restore", "backup.tar")[0] == 0
    assert prompt.read_bytes() == FILES["prompt.txt"]


def test_weights_are_not_compressed_and_read_once(bench):
    """An install of tens of gigabytes is as fast as hashing and writing them."""
    (bench.folder / "zeros.safetensors").write_bytes(safetensors({"z": np.zeros(100_000)}))
    recipe(bench, "zeros.safetensors", "prompt.txt")
    assert bench.add()[0] == 0
    (manifest,) = [
        json.loads(data) for data in bench.plain().values() if b'"artifactType"' in data and b"layers" in data
    ]
    (layer,) = [one for one in manifest["layers"] if one["annotations"]["org.cncf.model.filepath"].startswith("zeros")]
    assert layer["mediaType"] == "application/vnd.cncf.model.weight.v1.raw"
    assert layer["size"] > 400_000


def test_a_differential_bundle_leaves_out_weights_that_stayed(bench, instance):
    recipe(bench)
    assert bench.add()[0] == 0
    packed(bench)
    instance.pin((bench.folder / "ch/tuf/1.root.json").read_bytes())
    instance.install(bench.folder / "c.tar")
    (bench.folder / "prompt.txt").write_bytes(b"You are brief.")
    recipe(bench, version="1.1.0")
    assert bench.add()[0] == 0
    assert bench.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    status, out, err = bench.bundler("pack", "--channel", "ch", "--since", "c.tar", "-o", "d.tar")
    assert status == 0, err
    assert "only for instances that have release" in out
    assert "  left out of llm 1.1.0: " in out
    assert "draft.gguf" in out.partition("left out of llm 1.1.0: ")[2]
    assert "prompt.txt" not in out.partition("left out of llm 1.1.0: ")[2]
    assert b"safetensors" not in (bench.folder / "d.tar").read_bytes().replace(b".safetensors", b"").replace(
        b'"safetensors"', b""
    )
    instance.install(bench.folder / "d.tar")
    assert (
        contents.read_files(instance.store.layout, instance.store.find("llm").manifest)["draft.gguf"]
        == FILES["draft.gguf"]
    )


def test_a_key_for_third_parties_signs_weights(bench):
    recipe(bench)
    assert bench.bundler("add", "recipe.toml", "--channel", "ch", "--model-key", "k")[0] == 0
    (signature,) = [data for data in bench.plain().values() if data.startswith(b'{"dsseEnvelope"')]
    payload = json.loads(base64.b64decode(json.loads(signature)["dsseEnvelope"]["payload"]))
    resources = {one["name"]: one["digest"] for one in payload["predicate"]["resources"]}
    assert resources["draft.gguf"] == hashlib.sha256(FILES["draft.gguf"]).hexdigest()
    assert set(resources) == {*FILES, "model.json"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('source = "draft.gguf"\n', "'source' does not go with the kind 'files': nothing is converted"),
        ('golden = "samples"\n', "'golden' does not go with the kind 'files': nothing is converted"),
        ('kind = "weights"\n', "Cannot overwrite a value"),
    ],
)
def test_what_is_of_models_is_refused(bench, more, said):
    recipe(bench, more=more)
    status, out, err = bench.add()
    assert (status, out, err.count("\n")) == (52, "", 1), err
    assert said in err


def test_a_recipe_of_files_without_files(bench):
    (bench.folder / "recipe.toml").write_text('name = "llm"\nversion = "1.0.0"\nkind = "files"\n')
    status, _, err = bench.add()
    assert (status, "'files' missing; add files = …" in err) == (52, True), err


def test_secrets_in_the_metadata_of_weights_are_found(bench):
    token = "glpat-" + "x3kP9qLm2ZtR7vWs4YbN"
    (bench.folder / "a.safetensors").write_bytes(safetensors(None, {"training": f"pushed with {token} by CI"}))
    (bench.folder / "b.gguf").write_bytes(gguf().replace(b"llama", b"llama"))
    recipe(bench, "a.safetensors", "b.gguf")
    status, out, err = bench.add()
    assert (status, out) == (60, ""), err
    assert "gitlab-token in a.safetensors" in err
    assert token not in err
