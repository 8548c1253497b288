"""A file beside the graph: any plain name, from the recipe to `model.file`, by one rule in every command."""

import json
import os

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.release.channel_simulator import renamed, toy_files
from support.release.workbench import Workbench

import sealift
from sealift.model import Model
from sealift.model.documents.file_set import is_side_file, problem_of
from sealift_common.files import durable

ROWS = np.random.default_rng(0).normal(size=(40, 2))
SIDE_FILES = {
    "tokenizer.json": b'{"version": "1.0"}',
    "vocab.json": b"{}",
    "ml_config.json": b"{}",
    "labels.csv": b"bug,feature\n",
    "spiece.model": bytes(range(256)),
    "special_tokens_map": b"x",
    "NOTICE.txt": b"as before",
}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Workbench(tmp_path, monkeypatch)
    np.save(tmp_path / "rows.npy", ROWS)
    for name, data in SIDE_FILES.items():
        (tmp_path / name).write_bytes(data)
    return made


def recipe(bench, *names, version="1.0.0"):
    files = "".join(f'"{name}" = "{name}"\n' for name in names)
    bench.recipe(LogisticRegression().fit(ROWS, ROWS[:, 0] > 0), "rows.npy", "[files]", files, version=version)


def carried(bench):
    """Release and pack; what `pack` said."""
    assert bench.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    status, out, err = bench.bundler("pack", "--channel", "ch", "-o", "c.tar")
    assert status == 0, err
    return out


def test_any_plain_name_travels_from_the_recipe_to_the_application(bench, instance, sealift_command):
    recipe(bench, *SIDE_FILES)
    status, _, err = bench.add()
    assert status == 0, err
    assert "readable by Sealift 0.2.0 and newer, because of m 1.0.0\n" in carried(bench)
    instance.pin((bench.folder / "ch/tuf/1.root.json").read_bytes())
    for command in (["verify"], ["install", "--dry-run"], ["install"]):
        status, _, err = sealift_command(*command, "c.tar")
        assert status == 0, (command, err)
    with sealift.load("m") as model:
        assert model.files == tuple(sorted(SIDE_FILES))
        assert {name: model.file(name) for name in model.files} == SIDE_FILES
        shared, watched = model.share(), model.observed(lambda _: None)
        assert (shared.files, watched.file("labels.csv")) == (model.files, SIDE_FILES["labels.csv"])
        with pytest.raises(sealift.UsageError, match=r"has no side file 'nothing\.json'; it has NOTICE\.txt, labels"):
            model.file("nothing.json")
    # For programs in other languages.
    assert (instance.store_path / "current/m/tokenizer.json").read_bytes() == SIDE_FILES["tokenizer.json"]
    status, out, _ = sealift_command("inspect", "c.tar")
    assert "readable by Sealift 0.2.0 and newer\n" in out
    assert json.loads(sealift_command("inspect", "c.tar", "--json")[1])["models"][0]["reader"] == "0.2.0"


def test_what_the_first_sealift_takes_still_reaches_it(bench, instance, sealift_command):
    recipe(bench, "NOTICE.txt")
    assert bench.add()[0] == 0
    assert "readable by Sealift 0.1.0 and newer\n" in carried(bench)
    (described,) = [data for data in bench.plain().values() if data.startswith(b'{"classes"')]
    assert json.loads(described)["schema"] == "sealift.model/1"
    assert json.loads(bench.bundler("pack", "--channel", "ch", "-o", "c.tar", "--json")[1])["reader"] == "0.1.0"


def test_a_converted_model_has_its_files_too():
    model = Model.from_files({**toy_files(), "labels.csv": memoryview(b"a,b"), "CARD.md": b"# Toy", "model.sig": b"{}"})
    assert model.files == ("CARD.md", "labels.csv")
    assert (model.file("labels.csv"), model.card) == (b"a,b", "# Toy")
    model.close()
    assert model.file("labels.csv") == b"a,b"


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "MODEL.onnx", "model.onnx.data.3", "model.onnx.so", "golden.json", "a.model.json", "frontend.json"],
)
def test_names_that_are_kept(name):
    assert not is_side_file(name)
    assert "keeps for its own files" in problem_of(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ünicode", "end.", "con", "a\n", "x" * 256]
)
def test_names_that_are_not_plain(name):
    assert "is not a plain name" in problem_of(name)


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "model.safetensors", "model.onnx_data", "my-model.onnx2", "A+b_c.1", "x" * 255]
)
def test_names_that_are_fine(name):
    assert problem_of(name) is None
    assert is_side_file(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Model.Onnx.so", "holds 'Model.Onnx.so', which model.json does not explain"),
        ("frontend.json", "does not explain"),
    ],
)
def test_a_release_that_no_instance_would_install_is_not_packed_and_not_accepted(
    name, said, channel, instance, sealift_command, tmp_path
):
    """As a bundler of another make signs it: the same words from `pack`, `verify` and both forms of `install`."""
    from sealift_bundler.errors import GateError
    from sealift_bundler.packing.whole import prepare

    channel.add("good", "1.0.0")
    channel.add("odd", "1.0.0", {**renamed(toy_files(), "odd", "1.0.0"), name: b"{}"})
    channel.release()
    with pytest.raises(GateError, match=said) as caught:
        prepare(channel.directory)
    assert str(caught.value).startswith("no instance would install odd 1.0.0: ")
    instance.pin(channel.root_bytes)
    bundle = channel.pack(tmp_path / "odd.tar")
    before = instance.snapshot()
    for command in (["verify"], ["install", "--dry-run"], ["install"]):
        status, out, err = sealift_command(*command, bundle)
        assert (status, out) == (10, ""), (command, err)
        assert said in err
        assert err.count("\n") == 1
    after = instance.snapshot()
    assert {key: value for key, value in after.items() if key != "store"} == before


BAD_DOCUMENTS = {
    "a description of another model": (
        "model.json",
        lambda document: document | {"name": "other"},
        "describes 'other'",
    ),
    "a schema of tomorrow": (
        "model.json",
        lambda document: document | {"schema": "sealift.model/9"},
        "sealift.model/9",
    ),
    "golden rows of nothing": ("golden.json", lambda document: document | {"examples": []}, "holds no example"),
    "a golden schema of tomorrow": ("golden.json", lambda document: document | {"schema": "x/9"}, "has schema 'x/9'"),
}


@pytest.mark.parametrize("what", BAD_DOCUMENTS)
def test_documents_that_only_install_refused(what, channel):
    from sealift_bundler.errors import GateError
    from sealift_bundler.packing.whole import prepare

    name, change, said = BAD_DOCUMENTS[what]
    files = renamed(toy_files(), "toy", "1.0.0")
    channel.add("toy", "1.0.0", {**files, name: json.dumps(change(json.loads(files[name]))).encode()})
    channel.release()
    with pytest.raises(GateError, match=said):
        prepare(channel.directory)


def test_nothing_is_staged_where_the_manifest_would_be_too_large(bench):
    """One text of a recipe may be as long as the recipe; the config that carries it may not."""
    tabs = "\t" * 900_000
    recipe(bench, "labels.csv")
    text = (bench.folder / "recipe.toml").read_text()
    (bench.folder / "recipe.toml").write_text(f'description = "x{tabs}"\n{text}')
    status, out, err = bench.add()
    assert status != 0
    assert out == ""
    assert err.splitlines()[-1].count("expected at most") == 1, err[-300:]
    assert bench.channel.staged() == {}


def test_a_name_of_255_characters_survives_a_backup(channel, instance, sealift_command, tmp_path):
    name = "x" * 251 + ".bin"
    channel.add("toy", "1.0.0", {**renamed(toy_files(), "toy", "1.0.0"), name: b"abc"})
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "c.tar"))
    assert (instance.store_path / "current/toy" / name).read_bytes() == b"abc"
    assert sealift_command("export", tmp_path / "backup.tar")[0] == 0
    durable.remove_tree(instance.store_path)
    status, _, err = sealift_command("restore", tmp_path / "backup.tar")
    assert status == 0, err
    assert os.listdir(instance.store_path / "current")
    assert instance.store.load("toy").file(name) == b"abc"
