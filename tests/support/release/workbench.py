"""A folder with a channel, and recipes for models that are made on the spot; `sealift-bundler` run on them."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from support.release.repack import read_members

from sealift_bundler.cli import command
from sealift_bundler.proof import ladder
from sealift_bundler.proof.ladder import convert_object
from sealift_bundler.samples.files import read_samples
from sealift_bundler.source.openers import open_model
from sealift_common.console import run
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command as keys_command
from sealift_keys.keyfiles import pbes2

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_ZSTD = b"\x28\xb5\x2f\xfd"


class Workbench:
    """Everything lies in `folder`, which is the working directory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, child: bool = False) -> None:
        self.folder = folder
        monkeypatch.chdir(folder)
        monkeypatch.setattr(pbes2, "ROUNDS", 2048)
        monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        if not child:
            # Importing scikit-learn once more takes seconds for each model.
            monkeypatch.setattr(ladder, "convert_in_child", _in_this_process)
        for arguments in (["new", "k"], ["init", "ch", "--name", "c", "--key", "k"]):
            assert self._call(keys_command, "sealift-keys", arguments)[0] == 0
        self.channel = Channel.open("ch")

    def put(self, name: str, rows: Any) -> str:
        """Write rows: a table as JSON, texts one a line."""
        if isinstance(rows, pd.DataFrame):
            rows.to_json(self.folder / f"{name}.json", orient="records")
            return f"{name}.json"
        (self.folder / f"{name}.txt").write_text("\n".join(rows) + "\n", "utf-8")
        return f"{name}.txt"

    def recipe(self, model: Any, samples: str, *lines: str, version: str = "1.0.0") -> str:
        """Save a model, unless it is a file, and write a recipe for it."""
        if not isinstance(model, str):
            joblib.dump(model, self.folder / "model.joblib")
            model = "model.joblib"
        text = [f'name = "m"\nversion = "{version}"\nsource = "{model}"\nsamples = "{samples}"', *lines]
        (self.folder / "recipe.toml").write_text("\n".join(text) + "\n", "utf-8")
        return "recipe.toml"

    def bundler(self, *arguments: str) -> tuple[int, str, str]:
        """Run `sealift-bundler`; give status, standard output, standard error."""
        return self._call(command, "sealift-bundler", list(arguments))

    def add(self, *arguments: str) -> tuple[int, str, str]:
        """Run `sealift-bundler add recipe.toml`."""
        return self.bundler("add", "recipe.toml", "--channel", "ch", *arguments)

    def golden(self) -> dict[str, list[Any]]:
        """The columns of the golden rows of the model that was staged last."""
        (document,) = [json.loads(data) for data in self.plain().values() if data.startswith(b'{"examples"')]
        (example,) = document["examples"]
        return {tensor["name"]: tensor["data"] for tensor in example["request"]["inputs"]}

    def plain(self) -> dict[str, bytes]:
        """All files below the channel, expanded."""
        paths = [path for path in self.channel.directory.rglob("*") if path.is_file()]
        return {str(path): expanded(path.read_bytes()) for path in paths}

    def released(self) -> list[bytes]:
        """Release and pack; give everything that leaves, expanded: what is staged, and the bundle's members."""
        assert self.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
        assert self.bundler("pack", "--channel", "ch", "-o", "c.tar")[0] == 0
        return [*self.plain().values(), *map(expanded, read_members(self.folder / "c.tar").values())]

    @staticmethod
    def _call(program: Any, name: str, arguments: list[str]) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run(program, name, arguments)
        return status, out.getvalue(), err.getvalue()


def expanded(data: bytes) -> bytes:
    """The content of a zstd frame; other bytes as they are."""
    return zstd.decompress(data) if data.startswith(_ZSTD) else data


def _in_this_process(path: Path, samples: Any, order: Any, limits: Any) -> Any:
    model = open_model(path)
    return convert_object(model, read_samples(Path(samples), model), order)
