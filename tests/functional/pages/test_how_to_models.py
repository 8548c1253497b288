"""The how-to pages about models of other kinds, typed into a shell that has a build machine and an instance."""

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.pages.admin_page import page_file
from support.pages.page_shell import Shell, commands, missing, unindented
from support.release.weights import safetensors
from support.text_encoders import write_encoder

from sealift_bundler.converters.encoders.reference import Reference
from sealift_bundler.converters.encoders.settings import TextFrontend
from sealift_bundler.converters.encoders.source import TextEncoder
from sealift_bundler.converters.onnx import ReadyMade
from sealift_common.console import run
from sealift_keys.cli import command
from sealift_keys.keyfiles import pbes2

pytestmark = pytest.mark.slow


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    for arguments in (["new", "key.pem"], ["init", "channel", "--name", "gitlab-models", "--key", "key.pem"]):
        assert run(command, "sealift-keys", arguments) == 0
    return folder


def recipes(page: str) -> list[str]:
    """The recipes that the page shows."""
    return [
        re.sub(r"^   ", "", text, flags=re.MULTILINE) for text in re.findall(r"```toml\n(.*?)\n *```", page, re.DOTALL)
    ]


def follow(page: str, work: Path) -> None:
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(work.parent),
        "LANG": "C.UTF-8",
        "SEALIFT_PASSPHRASE": "correct horse",
        "SEALIFT_STORE": str(work.parent / "store"),
        "SEALIFT_TRUST": str(work.parent / "trust"),
        "OMP_NUM_THREADS": "1",
    }
    shell = Shell(work, variables)
    try:
        typed = commands(unindented(page))
        assert len(typed) >= 5
        for one in typed:
            output = shell.type(one.command)
            status = shell.type("echo $status; (exit $status)")[0]
            said = f"$ {one.command}\nstatus {status}\nthe shell says:\n" + "\n".join(output)
            assert status == "0", said
            line = missing([line for line in one.shown if line != "…"], output)
            assert line is None, f"the page shows: {line}\n{said}"
    finally:
        shell.close()


def test_carry_language_model_weights(work: Path) -> None:
    page = page_file("carry-language-model-weights.md").read_text("utf-8")
    (recipe,) = recipes(page)
    (work / "assistant.toml").write_text(recipe, "utf-8")
    (work / "snapshot").mkdir()
    (work / "blobs").mkdir()
    for name, data in {
        "config.json": b"{}",
        "model.safetensors": safetensors({"w": [0.0] * 800_000}, {"format": "pt"}),
        "tokenizer.json": b"{}",
    }.items():
        (work / "blobs" / name).write_bytes(data)
        (work / "snapshot" / name).symlink_to(f"../blobs/{name}")
    follow(page, work)


def test_ship_a_text_encoder(work: Path, monkeypatch) -> None:
    page = page_file("ship-a-text-encoder.md").read_text("utf-8")
    (recipe,) = recipes(page)
    (work / "sentences.toml").write_text(recipe, "utf-8")
    write_encoder(work)
    texts = ["a quick fox", "rain in the evening"]
    frontend = TextFrontend(work / "tokenizer.json", 64, "mean", normalize=True)
    reference = Reference(TextEncoder.of(ReadyMade(work / "model.onnx"), frontend))
    answers = reference.answers(texts)["transform"]
    (work / "samples.json").write_text(json.dumps({"text": texts, "transform": answers.tolist()}))
    follow(page, work)
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.setenv("SEALIFT_STORE", str(work.parent / "store"))
    monkeypatch.setenv("SEALIFT_TRUST", str(work.parent / "trust"))
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - our own page
    assert np.allclose(names["vectors"], answers, atol=1e-6)


def test_ship_a_model_of_several_graphs(work: Path, monkeypatch) -> None:
    page = page_file("ship-a-model-of-several-graphs.md").read_text("utf-8")
    (recipe,) = recipes(page)
    (work / "transliterator.toml").write_text(recipe, "utf-8")
    value = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
    nodes = {
        "encoder": ([helper.make_node("Relu", ["x"], ["h"])], ["x"], ["h"]),
        "decoder": ([helper.make_node("Mul", ["h", "scale"], ["y"])], ["h", "scale"], ["y"]),
    }
    for name, (own, inputs, outputs) in nodes.items():
        ends = [[value(one, shape=[] if one == "scale" else ["n", 3]) for one in names] for names in (inputs, outputs)]
        graph = helper.make_graph(own, "g", *ends)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{name}.onnx")
    (work / "vocab.json").write_text("[]")
    recording, program = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(recording, {})  # noqa: S102 - our own page
    follow(page, work)
    monkeypatch.setenv("SEALIFT_STORE", str(work.parent / "store"))
    monkeypatch.setenv("SEALIFT_TRUST", str(work.parent / "trust"))
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - our own page
    assert names["answer"].tolist() == [[0.5, 0.5, 0.5]]
