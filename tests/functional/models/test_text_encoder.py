"""A text encoder from the recipe to an instance: the tokenizer's file, pooling in the graph, answers of the original."""

import json
import sys

import numpy as np
import onnx
import pytest
import tokenizers
from sklearn.linear_model import LogisticRegression
from support.release.workbench import Workbench
from support.text_encoders import KINDS, POSITIONS, encoder_files, encoder_graph, write_encoder

import sealift
from sealift.errors import IncompatibleError
from sealift.model import Model
from sealift.model.frontend.tokenizer.library import library
from sealift_bundler.converters.encoders.reference import Reference
from sealift_bundler.converters.encoders.settings import TextFrontend
from sealift_bundler.converters.encoders.source import TextEncoder
from sealift_bundler.converters.onnx import ReadyMade
from sealift_common.oci.layout import sha256

TEXTS = ["hello old house", "a bird by the sea", "What is this? Nothing!", "snow and rain in winter"]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Workbench(tmp_path, monkeypatch)


def staged(bench):
    return [data for data in bench.plain().values() if data.startswith((b'{"conversion"', b'{"frontends"'))]


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


def test_recorded_answers_are_what_it_is_compared_with(bench):
    graph, tokenizer = write_encoder(bench.folder)
    frontend = TextFrontend(tokenizer, 64, "mean")
    answers = Reference(TextEncoder.of(ReadyMade(graph), frontend)).answers(TEXTS)["transform"]
    np.savez(bench.folder / "recorded.npz", text=np.array(TEXTS), transform=answers)
    recipe(bench, 'pooling = "mean"', samples="recorded.npz")
    status, _, err = bench.add()
    assert status == 0, err
    (described,) = [json.loads(data) for data in bench.plain().values() if data.startswith(b'{"conversion"')]
    assert described["parity"]["reference"].startswith("answers recorded by the user; for other texts tokenizers 0.")
    assert described["parity"]["caller_rows"] == len(TEXTS)
    np.savez(bench.folder / "recorded.npz", text=np.array(TEXTS), transform=answers + 0.01)
    status, _, err = bench.add()
    assert status == 51, err
    assert "Compare max_tokens, pooling, normalize" in err
    assert "does not answer as the original" in err


def test_another_length_of_the_file_s_own_does_not_count(bench):
    write_encoder(bench.folder)
    recipe(bench, 'pooling = "cls"', max_tokens=200)
    assert bench.add()[0] == 0
    (declared,) = [json.loads(data) for data in bench.plain().values() if data.startswith(b'{"frontends"')]
    assert declared["frontends"][0]["max_tokens"] == 200
    data = next(data for data in bench.plain().values() if data.startswith(b'{"version":"1.0"'))
    assert declared["frontends"][0]["digest"] == sha256(data)
    assert json.loads(data)["padding"] is None
    # All but these two settings is byte for byte what was given.
    given = json.loads((bench.folder / "tokenizer.json").read_text())
    assert {**given, "padding": None, "truncation": None} == json.loads(data)


def test_more_tokens_than_the_graph_has_places_for_are_refused(bench):
    write_encoder(bench.folder)
    recipe(bench, 'pooling = "mean"', max_tokens=POSITIONS + 1)
    status, _, err = bench.add()
    assert status != 0
    assert "the graph does not take a text of 257 tokens" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"tokenizer": "vocab.txt"},
            "which is a vocabulary alone, without the rules that cut a text; save a tokenizer",
        ),
        ({"tokenizer": "spiece.model"}, "which is a model of SentencePiece; save a tokenizer.json with"),
        ({"tokenizer": "merges.bpe"}, "which is merges alone"),
        ({"tokenizer": "nothing.json"}, "which does not exist next to the recipe"),
        ({"tokenizer": None}, 'has no tokenizer; add tokenizer = "tokenizer.json"'),
        ({"max_tokens": None}, "has no max_tokens; add max_tokens = 256"),
        ({"max_tokens": 0}, "max_tokens is 0; expected 1 to 8,192"),
        ({"max_tokens": 8193}, "max_tokens is 8,193; expected 1 to 8,192"),
        ({"max_tokens": True}, "'max_tokens' is True; expected a number"),
        ({"pooling": "max"}, "pooling is 'max'; expected one of 'mean', 'cls', 'none'"),
        ({"normalize": 1}, "'normalize' is 1; expected true or false"),
        ({"labels": ["a", 1]}, "expected a list of texts"),
        ({"labels": ["a", "a"]}, "expected two or more, each once"),
        ({"labels": ["a", "b"], "pooling": "cls"}, "they go with pooling = 'none'"),
        ({"pairs": True}, "'pairs'"),
    ],
)
def test_a_recipe_that_is_wrong_is_refused_in_one_line(change, said, bench):
    write_encoder(bench.folder)
    for name in ("vocab.txt", "spiece.model", "merges.bpe"):
        (bench.folder / name).write_text("[UNK]\n")
    keys = {"tokenizer": "tokenizer.json", "max_tokens": 16, **change}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value is not None]
    bench.recipe("model.onnx", bench.put("texts", TEXTS), "[frontend]", *lines)
    status, _, err = bench.add()
    assert status != 0
    assert said in err
    assert err.count("\n") == 1
    assert not staged(bench)


def test_a_tokenizer_goes_before_a_graph_of_one_input_form(bench):
    write_encoder(bench.folder)
    (bench.folder / "vocab.txt").write_text("[UNK]\n")
    bench.recipe(
        "model.onnx",
        bench.put("texts", TEXTS),
        "[files]",
        '"tokenizer.json" = "tokenizer.json"',
        "[frontend]",
        'tokenizer = "tokenizer.json"',
        "max_tokens = 16",
    )
    assert "is the tokenizer of [frontend]; leave it out of [files]" in bench.add()[2]
    bench.put("pairs", TEXTS)
    (bench.folder / "pairs.json").write_text(json.dumps([["a", "b"]]))
    recipe(bench, 'pooling = "mean"', samples="pairs.json")
    assert "sample row 0 is a pair of texts" in bench.add()[2]
    recipe(bench)
    assert "pooling 'none' needs an output of one vector a text" in bench.add()[2]
    model = encoder_graph(500)
    model.graph.input[2].name = "position_ids"
    for node in model.graph.node:
        node.input[:] = ["position_ids" if name == "token_type_ids" else name for name in node.input]
    onnx.save(model, bench.folder / "model.onnx")
    recipe(bench, 'pooling = "mean"')
    assert "a tokenizer makes 'input_ids', and 'attention_mask' and 'token_type_ids'" in bench.add()[2]
    onnx.save(encoder_graph(499), bench.folder / "model.onnx")
    assert "knows 500 tokens, and the graph's embedding has 499 rows" in bench.add()[2]
    bench.recipe(
        LogisticRegression().fit([[0.0], [1.0]], [0, 1]),
        bench.put("texts", TEXTS),
        "[frontend]",
        'tokenizer = "tokenizer.json"',
        "max_tokens = 16",
    )
    assert (
        "a tokenizer goes before a ready-made graph, an .onnx file; the model is a LogisticRegression" in bench.add()[2]
    )
    assert not staged(bench)


def test_without_the_library_a_load_says_how_to_get_it(monkeypatch):
    files = encoder_files()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        IncompatibleError, match=r"model takes text and needs the library 'tokenizers' .*sealift\[text\]"
    ) as caught:
        Model.from_files(files)
    assert "sealift-bundler kit --extra text" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["0.19.0", "0.24.0", "0.24.0rc1", "1.0"])
def test_a_library_that_answers_were_not_compared_with_is_refused(version, monkeypatch):
    monkeypatch.setattr(tokenizers, "__version__", version)
    with pytest.raises(
        IncompatibleError, match=rf"needs the library 'tokenizers' >= 0\.19\.1, < 0\.24; this is {version}"
    ):
        library()


def test_a_mask_goes_through_pooling_for_programs_that_pad():
    with Model.from_files(encoder_files(), threads=1) as model:
        alone = model.transform(["hello old house"])
        (ids,) = [feeds["input_ids"] for feeds in model._engine.feeder.feeds(["hello old house"])]
        padded = np.concatenate([ids, np.zeros((1, 5), np.int64)], axis=1)
        mask = (np.arange(padded.shape[1]) < ids.shape[1]).astype(np.int64)[np.newaxis]
        feeds = {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros_like(padded)}
        (got,) = model.run(feeds).values()
    assert np.abs(got - alone).max() < 1e-6
