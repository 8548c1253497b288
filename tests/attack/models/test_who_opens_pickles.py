"""Only the unpickler that refuses opens pickles, here and in the libraries that we call."""

import ast
import os
from pathlib import Path

import pytest

from sealift_bundler import SourceError
from sealift_bundler.source.openers import open_model

ROOT = Path(__file__).parents[3]


LIBRARIES = ("pickle", "joblib", "marshal", "torch.load", "dill", "shelve")


def test_only_the_unpickler_opens_pickles():
    """A second way to open one would be a way around the list."""
    ways = {"load", "loads", "Unpickler", "read_pickle", "_Unpickler", "NumpyUnpickler"}
    found = []
    for package in ("bundler", "loader", "keys", "common"):
        for path in (ROOT / package).rglob("*.py"):
            source = path.read_text("utf-8")
            # Parsing all takes seconds.
            if not any(word in source for word in LIBRARIES):
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [getattr(node, "module", None), *(alias.name for alias in node.names)]
                    assert not {"dill", "cloudpickle", "shelve"} & set(names), path
                if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                    assert not node.value.value, path
                if isinstance(node, ast.Attribute) and node.attr in ways:
                    owner = ast.unparse(node.value)
                    if owner in ("pickle", "joblib", "marshal", "pd", "torch"):
                        found.append((path.name, f"{owner}.{node.attr}"))
    # The child's own samples, which its parent wrote a moment ago; Python's unpickler, to be made strict; and what a
    # search and its workers hand each other, both of which run the code of the project's author.
    assert sorted(found) == [
        ("child.py", "pickle.loads"),
        ("unpickler.py", "pickle._Unpickler"),
        ("worker.py", "pickle.loads"),
        ("workers.py", "pickle.loads"),
    ]


def test_pytorch_is_told_to_refuse_pickles_of_anything(tmp_path, monkeypatch):
    """Its loader of .pt2 falls back to them."""
    seen = []

    class Export:
        @staticmethod
        def load(_path):
            seen.append(os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"])
            raise ValueError("no")

    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0")
    monkeypatch.setattr("sealift_bundler.source.openers.require", lambda *_: type("Torch", (), {"export": Export}))

    (tmp_path / "net.pt2").write_bytes(b"")
    with pytest.raises(SourceError):
        open_model(tmp_path / "net.pt2")
    assert seen == ["1"]
