"""Fifty secrets of twelve kinds, planted wherever a model can carry text: `add` refuses each, and no file has them."""

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier
from support.hostile.planted import ALL, PLANTED, found_in, released_bytes
from support.release.channel_simulator import ChannelSimulator, renamed
from xgboost import XGBClassifier

import sealift_bundler
from sealift_bundler.cli import command
from sealift_bundler.converters.onnx import ReadyMade
from sealift_bundler.disclosure import finding, scan_files
from sealift_bundler.errors import DisclosureError
from sealift_bundler.proof.conversion import Conversion
from sealift_bundler.release.adding import add
from sealift_bundler.release.recipes.recipe import Recipe

pytestmark = pytest.mark.filterwarnings("ignore::sealift_bundler.errors.DisclosureWarning")

KIND_OF = {text: kind for kind, texts in PLANTED.items() for text in texts}
LABELS = np.array(["bug", "feature"] * (len(ALL) // 2))
NUMBERS = np.arange(float(len(ALL)))


def vocabulary() -> Conversion:
    whole_lines = CountVectorizer(lowercase=False, token_pattern=r"[^\n]+")
    samples = ["dark mode", "a job fails"]
    model = make_pipeline(whole_lines, LogisticRegression()).fit([*ALL, *samples], [*LABELS, "feature", "bug"])
    return sealift_bundler.convert(model, samples)


def categories() -> Conversion:
    table = pd.DataFrame({"author": ALL, "size": NUMBERS})
    encoded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["author"]), remainder="passthrough")
    model = make_pipeline(encoded, LogisticRegression(max_iter=1000)).fit(table, LABELS)
    return sealift_bundler.convert(model, pd.DataFrame({"author": ["nobody", "else"], "size": [1.0, 2.0]}))


def class_names() -> Conversion:
    model = DecisionTreeClassifier().fit(np.repeat(NUMBERS, 3)[:, np.newaxis], np.repeat(ALL, 3))
    return sealift_bundler.convert(model, NUMBERS[:3, np.newaxis])


def golden_rows() -> Conversion:
    model = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()).fit(ALL, LABELS)
    # Said on purpose: without it a recipe gets rows that the bundler makes up.
    return sealift_bundler.convert(model, list(ALL), golden="samples")


def metadata() -> Conversion:
    """A ready-made graph: half in its metadata, half in a tensor of text."""
    half = len(ALL) // 2
    words = helper.make_tensor("words", TensorProto.STRING, [half], [text.encode() for text in ALL[half:]])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Identity", ["words"], ["z"])],
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 1])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1]),
            helper.make_tensor_value_info("z", TensorProto.STRING, [half]),
        ],
        [words],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {f"note {place}": text for place, text in enumerate(ALL[:half])})
    ready = ReadyMade.of_bytes(model.SerializeToString())
    return sealift_bundler.convert(ready, {"x": np.ones((2, 1), np.float32)})


def feature_names() -> Conversion:
    # Five in a name: edge rows are made for every column.
    names = [" | ".join(ALL[start : start + 5]) for start in range(0, len(ALL), 5)]
    table = pd.DataFrame({name: NUMBERS + place for place, name in enumerate(names)})
    model = XGBClassifier(n_estimators=1, max_depth=1, n_jobs=1).fit(table, np.arange(len(ALL)) % 2)
    return sealift_bundler.convert(model, table.head(3))


def documents(folder: Path) -> dict[str, Path]:
    """Write the fifty as a card, a table, packed in two ways, and in UTF-16; each of them holds ten."""
    tenths = ["\n".join(ALL[start : start + 10]) for start in range(0, len(ALL), 10)]
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("inner/notes.txt", tenths[3])
    pd.DataFrame({"notes": tenths[1].split("\n")}).to_parquet(folder / "rows.parquet", compression="zstd")
    contents = {
        "notes.md": tenths[0].encode(),
        "notes.txt.gz": gzip.compress(tenths[2].encode(), mtime=0),
        "notes.zip": archive.getvalue(),
        "notes-utf16.txt": tenths[4].encode("utf-16"),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in (*contents, "rows.parquet")}


PLACES: dict[str, Callable[[], Conversion]] = {
    "vocabulary": vocabulary,
    "categories": categories,
    "class names": class_names,
    "golden rows": golden_rows,
    "graph metadata": metadata,
    "booster feature names": feature_names,
}
RECIPE = 'name = "planted"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "samples.csv"\n'


@pytest.fixture(autouse=True)
def fast_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_ROUNDS", 1)


@pytest.fixture(scope="module")
def conversions() -> dict[str, Conversion]:
    return {}


@pytest.fixture(params=[*PLACES, "documents"])
def planted(request, conversions, tmp_path, monkeypatch, channel: ChannelSimulator):
    """A recipe whose model or documents hold the fifty; a converted model is kept for the second test of its place."""
    place = request.param
    if place not in conversions:
        clean = DecisionTreeClassifier().fit(NUMBERS[:, np.newaxis], LABELS)
        made = PLACES.get(place, lambda: sealift_bundler.convert(clean, NUMBERS[:3, np.newaxis]))
        conversion = made()
        conversions[place] = replace(conversion, files=renamed(conversion.files, "planted", "1.0.0"))
    monkeypatch.setattr(sealift_bundler, "convert", lambda *_, **__: conversions[place], raising=False)
    for name in ("model.joblib", "samples.csv"):
        (tmp_path / name).write_text("stands in")
    recipe = RECIPE
    if place == "documents":
        recipe += "[files]\n" + "".join(f'"{name}" = "{name}"\n' for name in documents(tmp_path))
    (tmp_path / "recipe.toml").write_text(recipe)
    channel.add("innocent")
    channel.release()
    return tmp_path / "recipe.toml"


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(directory.rglob("*"))}


def test_add_refuses_and_no_file_has_any(planted, channel: ChannelSimulator, tmp_path, call) -> None:
    before = tree(channel.directory)
    status, out, err = call(command, "add", planted, "--channel", channel.directory, "--json")
    assert status == 60
    error = json.loads(out)["error"]
    assert (error["code"], error["exit_code"]) == ("disclosure", 60)
    assert {one["kind"] for one in error["findings"]} == set(PLANTED)
    assert len(re.findall(r"^.* in .*: .* \(fingerprint [0-9a-f]{32}\)$", err, re.MULTILINE)) == len(error["findings"])
    assert found_in(iter([out.encode(), err.encode()])) == set()
    assert tree(channel.directory) == before
    assert found_in(released_bytes(channel.pack(tmp_path / "bundle.tar"))) == set()


def test_with_everything_accepted_the_same_search_finds_all(planted, channel: ChannelSimulator, tmp_path) -> None:
    with pytest.raises(DisclosureError) as refusal:
        add(Recipe.load(planted), channel.channel)
    text = planted.read_text()
    for one in refusal.value.findings:
        entry = {"kind": one.kind, "file": one.file, "fingerprint": one.fingerprint, "reason": "invented"}
        text += "[[accepted]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())
    planted.write_text(text)
    added = add(Recipe.load(planted), channel.channel)
    refused = {one.fingerprint for one in refusal.value.findings}
    assert {one.finding.fingerprint for one in added.disclosure.accepted} == refused
    assert added.disclosure.unused == ()
    channel.release()
    assert found_in(released_bytes(channel.pack(tmp_path / "bundle.tar"))) == set(ALL)


@pytest.mark.parametrize("text", ALL)
def test_each_is_refused_alone(text: str, channel: ChannelSimulator, tmp_path) -> None:
    """One of them in a vocabulary, a category, a class, a golden row, a document and the graph, each by itself."""
    for name, data in one_each(text).items():
        found = scan_files({name: data})
        assert [(one.kind, one.file, one.count) for one in found] == [(KIND_OF[text], name, 1)], name
        assert text not in repr(found)


def test_front_ends_of_every_kind_are_read():
    text = "glpat-" + "k3Jx9QmZ2vTb7LpWc4Ra"
    counter = {"kind": "counter", "analyzer": "word", "vocabulary": ["fine", text]}
    data = json.dumps({"frontends": [{"kind": "another", "pieces": [text]}, counter]}).encode()
    found = scan_files({"frontend.json": data})
    assert {one.kind for one in found} == {"gitlab-token"}
    places = [one.line() for one in found]
    assert any("term 2 of 2" in place for place in places)
    assert any("frontends[0].pieces" in place for place in places)


def one_each(text: str) -> dict[str, bytes]:
    node = helper.make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_strings=["fine", text])
    value = [helper.make_tensor_value_info(name, TensorProto.STRING, [1]) for name in ("x", "y")]
    tensor = {"name": "author", "datatype": "BYTES", "shape": [2], "data": ["fine", text]}
    answer = {"name": "predict", "datatype": "INT64", "shape": [2], "data": [0, 1]}
    frontend = {"counters": [{"analyzer": "word", "vocabulary": ["fine", text]}]}
    golden = {"examples": [{"request": {"inputs": [tensor]}, "response": {"outputs": [answer]}}]}
    description = {"classes": {"dtype": "str", "values": ["fine", text]}, "inputs": []}
    return {
        "frontend.json": json.dumps(frontend).encode(),
        "golden.json": json.dumps(golden).encode(),
        "model.json": json.dumps(description).encode(),
        "model.onnx": helper.make_model(helper.make_graph([node], "g", value[:1], value[1:])).SerializeToString(),
        "notes.txt": f"one line\n{text}\n".encode(),
        "notes.bin": b"\xff\x00\x80" + text.encode("ascii", "ignore").ljust(12) + b"\x01" * 3
        if text.isascii()
        else text.encode(),
    }
