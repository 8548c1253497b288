"""A text encoder from the recipe to an instance: the tokenizer's file, pooling in the graph, answers of the original."""

import numpy as np
import pytest
from support.release.workbench import Workbench
from support.text_encoders import KINDS, write_encoder

import sealift

TEXTS = ["hello old house", "a bird by the sea", "What is this? Nothing!", "snow and rain in winter"]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Workbench(tmp_path, monkeypatch)


def recipe(bench, *lines, max_tokens=64, samples=None):
    section = ("[frontend]", 'tokenizer = "tokenizer.json"', f"max_tokens = {max_tokens}", *lines)
    return bench.recipe("model.onnx", samples or bench.put("texts", TEXTS), *section)


def carried(bench, instance, sealift_command):
    assert bench.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    status, out, err = bench.bundler("pack", "--channel", "ch", "-o", "c.tar")
    assert status == 0, err
    assert "readable by Sealift 0.2.0 and newer" in out
    instance.pin((bench.folder / "ch/tuf/1.root.json").read_bytes())
    for command in (["verify"], ["install", "--dry-run"], ["install"]):
        status, _, err = sealift_command(*command, "c.tar")
        assert status == 0, (command, err)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_travels_with_its_tokenizer(kind, bench, instance, sealift_command):
    write_encoder(bench.folder, kind)
    recipe(bench, 'pooling = "mean"', "normalize = true")
    status, _, err = bench.add()
    assert status == 0, err
    carried(bench, instance, sealift_command)
    with sealift.load("m") as model:
        vectors = model.transform(TEXTS)
        assert model.file("tokenizer.json").startswith(b'{"version":"1.0","truncation":null,"padding":null,')
    assert vectors.shape == (4, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
