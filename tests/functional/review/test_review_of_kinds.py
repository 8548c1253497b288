"""Reviews of versions that are not one model: several graphs, and files that nobody converts."""

import hashlib
import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from support.release.review_answers import ANSWERS, said_of
from support.release.weights import STRING, gguf, pair, safetensors, text
from support.release.workbench import Workbench

from sealift_common.names import ModelVersion
from sealift_common.review.record import parse_record

ROWS = np.random.default_rng(0).normal(size=(30, 3))
MODEL = ModelVersion.parse("m", "1.0.0")
PAIR = """\
name = "m"
version = "1.0.0"
review = "review.toml"
[graphs]
scaler = "scaler.joblib"
head = "head.joblib"
[samples]
scaler = "rows.npy"
head = "rows.npy"
[files]
"labels.csv" = "labels.csv"
[golden]
scaler = "generated"
"""
WEIGHTS = """\
name = "m"
version = "1.0.0"
kind = "files"
review = "review.toml"
[files]
"a.safetensors" = "a.safetensors"
"b.gguf" = "b.gguf"
"prompt.txt" = "prompt.txt"
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    bench = Workbench(tmp_path, monkeypatch)
    np.save("rows.npy", ROWS)
    joblib.dump(StandardScaler().fit(ROWS), "scaler.joblib")
    joblib.dump(LogisticRegression().fit(ROWS, np.where(ROWS[:, 0] > 0, "yes", "no")), "head.joblib")
    Path("labels.csv").write_text("no,yes\n")
    Path("a.safetensors").write_bytes(safetensors({"w": [1.0, 2.0]}))
    Path("b.gguf").write_bytes(gguf())
    Path("prompt.txt").write_text("Be brief.\n")
    return bench


def answered(source, recipe):
    Path("review.toml").write_text(ANSWERS.replace('source = "generated"', f'source = "{source}"'))
    Path("recipe.toml").write_text(recipe)


def staged(bench):
    """The record, and the component of the model in the bill of materials, which the official schema accepts."""
    (record,) = [data for data in bench.plain().values() if b'"sealift.record/1"' in data]
    (bom,) = [data for data in bench.plain().values() if b'"CycloneDX"' in data]
    assert said_of(bom.decode()) is None
    return parse_record(record, MODEL), json.loads(bom)


def test_several_graphs(bench):
    answered("samples", PAIR)
    status, _, err = bench.add()
    assert status == 0, err
    record, bom = staged(bench)
    assert {"scikit-learn", "python", "sealift"} <= set(record.versions)
    assert set(record.probe) == {"head", "scaler"}
    lines = "".join(
        f"{hashlib.sha256(Path(f'{name}.joblib').read_bytes()).hexdigest()}  {name}\n" for name in ("head", "scaler")
    )
    assert record.source == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    main = bom["metadata"]["component"]
    parameters = main["modelCard"]["modelParameters"]
    assert [one["format"] for one in parameters["inputs"]] == ["head: numbers: float32", "scaler: numbers: float32"]
    assert {one["format"].partition(":")[0] for one in parameters["outputs"]} == {"head", "scaler"}
    assert parameters["modelArchitecture"] == "head: LogisticRegression(); scaler: StandardScaler()"
    assert parameters["task"] == "head: classification; scaler: transformation"
    libraries = {one["name"]: one["version"] for one in bom["components"] if one["type"] != "data"}
    assert libraries.keys() == set(record.versions) - {"sealift"}
    files = {one["name"]: one["hashes"][0]["content"] for one in main["components"]}
    assert {"head.model.onnx", "scaler.golden.json", "model.json", "labels.csv"} <= files.keys()
    assert files["labels.csv"] == hashlib.sha256(b"no,yes\n").hexdigest()


@pytest.mark.parametrize(
    ("recipe", "wrong", "travels"),
    [
        (PAIR, "generated", "samples"),
        (PAIR.replace("[golden]", '[golden]\nhead = "generated"'), "samples", "generated"),
        (WEIGHTS, "generated", "none"),
    ],
)
def test_the_answer_is_what_discloses_most_of_all_graphs(bench, recipe, wrong, travels):
    answered(wrong, recipe)
    status, out, err = bench.add()
    assert (status, out) == (52, "")
    assert f"[golden] source is '{wrong}', and {travels} rows travel" in err.splitlines()[-1]
    assert bench.channel.staged() == {}


def test_files(bench):
    answered("none", WEIGHTS)
    status, _, err = bench.add()
    assert status == 0, err
    record, bom = staged(bench)
    assert (record.probe, record.versions.keys()) == ({}, {"sealift"})
    files = {one["name"]: one["hashes"][0]["content"] for one in bom["metadata"]["component"]["components"]}
    assert files.keys() == {"a.safetensors", "b.gguf", "prompt.txt", "model.json"}
    assert files["b.gguf"] == hashlib.sha256(gguf()).hexdigest()
    _, shown, _ = bench.bundler("preview", "--channel", "ch")
    assert "    review: risk limited, no personal data; to approve: security, legal\n" in shown


@pytest.mark.parametrize("recipe", [PAIR, WEIGHTS])
def test_a_secret_in_one_part_stops_the_whole(bench, recipe):
    answered("samples" if recipe == PAIR else "none", recipe)
    secret = "glpat-abcdefghij0123456789"
    Path("labels.csv").write_text(f"no,{secret}\n")
    Path("b.gguf").write_bytes(gguf(pairs=(pair(b"general.name", STRING, text(secret.encode())),)))
    status, out, err = bench.add()
    assert (status, out) == (60, "")
    assert ("labels.csv" if recipe == PAIR else "b.gguf") in err.splitlines()[-1]
    assert secret not in err
    assert bench.channel.staged() == {}
