"""Modules that register converters: a recipe, a call and the command name them; each is recorded, or refused by name."""

import re
import sys
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import joblib
import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.models.agreement import HELD_BACK, ROWS, TARGET, agrees

from sealift.errors import UsageError
from sealift_bundler import ConversionError, SourceError, convert
from sealift_bundler.cli import command
from sealift_bundler.release.adding import add
from sealift_bundler.release.recipes.recipe import Recipe
from sealift_common.console import run
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command as keys_command
from sealift_keys.keyfiles import pbes2

STEPS = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Clipped(TransformerMixin, BaseEstimator):
    low, high = -0.5, 0.5

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def transform(self, rows):
        return np.clip(rows, self.low, self.high)
"""
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "build" / "build-a-release.md"


def registration(package):
    """The module that the page about releases shows, for this package."""
    block = re.search(r"^ +```python\n(.*?)^ +```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    return dedent(block[1]).replace("our.steps", f"{package}.steps")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A team's package: `steps` defines a class, `registration` registers its converter; a model and a recipe of it."""
    name = f"team_{tmp_path.name}"
    folder = tmp_path / "lib" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "steps.py").write_text(STEPS)
    (folder / "registration.py").write_text(registration(name))
    (folder / "broken.py").write_text("raise ValueError('no\\ngood')\n")
    (folder / "leaving.py").write_text("raise SystemExit(3)\n")
    (folder / "needy.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    steps = import_module(f"{name}.steps")
    original = make_pipeline(StandardScaler(), steps.Clipped(), LogisticRegression()).fit(ROWS, TARGET)
    joblib.dump(original, tmp_path / "model.joblib")
    np.save(tmp_path / "rows.npy", ROWS)
    return name


@pytest.fixture
def channel(tmp_path, monkeypatch):
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
    key, folder = str(tmp_path / "key"), str(tmp_path / "channel")
    assert run(keys_command, "sealift-keys", ["new", key]) == 0
    assert run(keys_command, "sealift-keys", ["init", folder, "--name", "models", "--key", key]) == 0
    return Channel.open(folder)


def trusted(package):
    return [f"{package}.steps.Clipped"]


def recipe(folder, imports, names):
    text = f'name = "m"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "rows.npy"\nimport = {imports}\n'
    text += f"trust_globals = {names}\n"
    (folder / "recipe.toml").write_text(text)
    return Recipe.load(folder / "recipe.toml")


def test_a_recipe_names_the_module_that_registers_the_converter(package, tmp_path, channel):
    added = add(recipe(tmp_path, [f"{package}.registration"], trusted(package)), channel)
    assert (added.outcome, added.conversions[""].rung) == ("added", "skl2onnx")
    # Only the child imports it.
    assert f"{package}.registration" not in sys.modules


def test_the_import_is_recorded(package, tmp_path):
    module = f"{package}.registration"
    with pytest.raises(ConversionError, match="neither Sealift nor skl2onnx"):
        convert(joblib.load(tmp_path / "model.joblib"), ROWS)
    given = {"imports": [module], "trust_globals": trusted(package)}
    conversion = convert(tmp_path / "model.joblib", tmp_path / "rows.npy", **given)
    assert conversion.description.conversion["imports"] == [module]
    assert conversion.description.conversion["trust_globals"] == trusted(package)
    agrees(conversion, joblib.load(tmp_path / "model.joblib"), HELD_BACK)
    in_process = convert(joblib.load(tmp_path / "model.joblib"), ROWS, **given)
    assert in_process.files == conversion.files


def test_the_command_takes_the_import(package, tmp_path):
    given = [str(tmp_path / "model.joblib"), "--samples", str(tmp_path / "rows.npy"), "-o", str(tmp_path / "out")]
    given += ["--import", f"{package}.registration", "--trust-global", *trusted(package)]
    done = CliRunner().invoke(command, ["convert", *given])
    assert done.exit_code == 0, done.output
    assert "rung 'skl2onnx'" in done.output


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("{}.nothing", r"module '\w+\.nothing' to import is not found; expected one that is installed"),
        ("nowhere_at_all.deep", "module 'nowhere_at_all.deep' to import is not found"),
        ("{}.broken", r"module '\w+\.broken' to import fails \(ValueError: no good\)"),
        ("{}.leaving", r"module '\w+\.leaving' to import fails \(SystemExit: 3\)"),
        (
            "{}.needy",
            r"module '\w+\.needy' to import fails \(ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
    ],
)
@pytest.mark.parametrize("in_child", [True, False])
def test_a_module_that_cannot_be_imported_is_one_clear_line(package, tmp_path, module, message, in_child):
    source = tmp_path / "model.joblib" if in_child else joblib.load(tmp_path / "model.joblib")
    with pytest.raises(SourceError, match=message) as raised:
        convert(source, ROWS, imports=[module.format(package)])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["our module", ".relative", "our-module", "", "a..b", 3])
def test_a_name_that_no_module_has_is_refused_before_anything_runs(name):
    with pytest.raises(UsageError, match="expected a dotted name"):
        convert(LinearRegression().fit(ROWS, ROWS[:, 0]), ROWS, imports=[name])


def test_one_name_is_no_list_of_names():
    with pytest.raises(UsageError, match=r"'our\.module'; expected a list"):
        convert(LinearRegression().fit(ROWS, ROWS[:, 0]), ROWS, imports="our.module")
