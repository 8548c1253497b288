"""Classes and functions of a team's own: a pickle may use those that the caller names, and those alone."""

import functools
import importlib
import json
import sys

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from support.hostile.pickles import built, call, estimator, file_of, mapping, name, new, of

from sealift.errors import UsageError
from sealift_bundler import SourceError, UntrustedPickleError, convert
from sealift_bundler.cli.add import command
from sealift_bundler.source.pickles import open_pickle
from sealift_common import console
from sealift_keys.channel.directory import Channel

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

OWN = """
import os
from os import system
from sklearn.base import BaseEstimator, TransformerMixin


class Same(TransformerMixin, BaseEstimator):
    class Inner:
        pass

    def __init__(self, factor=1):
        self.factor = factor

    def fit(self, rows, target=None):
        return self

    def transform(self, rows):
        return rows


class Made:
    def __init__(self, *given):
        self.given = given

    def __reduce__(self):
        return Made, self.given


def same(rows):
    return rows
"""
RECIPE = 'name = "m"\nversion = "1.0.0"\nsource = "m.joblib"\nsamples = "rows.npy"\n'
ROWS = np.random.default_rng(0).normal(size=(80, 3))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The name of a module, here and for the child."""
    module = f"own_{tmp_path.name}"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / f"{module}.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    yield module
    sys.modules.pop(module, None)


@pytest.fixture
def opened(tmp_path):
    def opened(code, *trusted):
        (tmp_path / "m.pkl").write_bytes(file_of(code))
        return open_pickle(tmp_path / "m.pkl", trusted)

    return opened


def test_a_class_is_made_and_called_once_it_is_named(own, opened):
    for code in (new(own, "Same"), call(own, "Same", of(3)), built(new(own, "Same"), mapping(transform=of(1)))):
        with pytest.raises(UntrustedPickleError, match=rf"\['{own}\.Same'\] \(--trust-global {own}\.Same\)"):
            opened(code)
        assert type(opened(code, f"{own}.Same")).__name__ == "Same"
    assert opened(call(own, "Made", of(1), of(2)), f"{own}.Made").given == (1, 2)
    assert opened(name(own, "Same.Inner"), f"{own}.Same.Inner").__qualname__ == "Same.Inner"


def test_a_function_is_named(own, opened):
    with pytest.raises(UntrustedPickleError, match="same"):
        opened(name(own, "same"))
    assert opened(name(own, "same"), f"{own}.same")([1]) == [1]
    partial = opened(call("functools", "partial", name(own, "same")), f"{own}.same")
    assert isinstance(partial, functools.partial)


def test_what_its_module_imported_is_not_its_own(own, opened):
    for attribute in ("os", "system", "os.system", "BaseEstimator", "same.__globals__", "Same.fit.__globals__"):
        with pytest.raises(UntrustedPickleError, match="is not on the list"):
            opened(name(own, attribute), f"{own}.{attribute}", f"{own}.Same")


def test_trust_opens_nothing_else(own, opened):
    for code in (
        call("os", "system", of("true")),
        built(new(own, "Same"), mapping(__setstate__=name("numpy", "mean"))),
        built(name(own, "Same"), mapping(transform=name("numpy", "mean"))),
        estimator(mapping(predict=name(own, "same"))),
    ):
        with pytest.raises(UntrustedPickleError):
            opened(code, f"{own}.Same", f"{own}.same")


def test_a_module_that_is_not_there_is_named(opened):
    with pytest.raises(SourceError, match=r"needs the module 'gone_away'.*PYTHONPATH"):
        opened(name("gone_away.parts", "Model"), "gone_away.parts.Model")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("os.system", "no name of 'os' can be trusted"),
        ("builtins.getattr", "no name of 'builtins' can be trusted"),
        ("cloudpickle.cloudpickle._make_function", "no name of 'cloudpickle' can be trusted"),
        ("__main__.Step", "no name of '__main__' can be trusted"),
        ("our.steps.*", "expected the dotted name of one class or function"),
        ("our", "expected the dotted name"),
        ("our-steps.Step", "expected the dotted name"),
        ("", "expected the dotted name"),
        (3, "expected the dotted name"),
    ],
)
def test_names_that_cannot_be_trusted(given, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        convert(tmp_path / "gone.pkl", ROWS, trust_globals=[given])


def test_one_name_is_no_list_of_names(tmp_path):
    with pytest.raises(UsageError, match=r"'our\.steps\.Step'; expected a list"):
        convert(tmp_path / "gone.pkl", ROWS, trust_globals="our.steps.Step")


def staged_description(channel):
    opened = Channel.open(channel.directory)
    (reference,) = opened.staged().values()
    manifest = json.loads((opened.blobs_dir / reference.hex).read_bytes())
    layers = {layer["annotations"]["org.cncf.model.filepath"]: layer["digest"] for layer in manifest["layers"]}
    return json.loads(zstd.decompress((opened.blobs_dir / layers["model.json"].removeprefix("sha256:")).read_bytes()))


def test_the_command_and_the_recipe_name_them(own, channel, tmp_path, capsys, opened_here):
    steps = importlib.import_module(own)
    pipeline = make_pipeline(StandardScaler(), FunctionTransformer(steps.same), LogisticRegression())
    joblib.dump(pipeline.fit(ROWS, ROWS[:, 0] > 0), tmp_path / "m.joblib")
    np.save(tmp_path / "rows.npy", ROWS)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    given = [str(tmp_path / "recipe.toml"), "--channel", str(channel.directory)]
    assert console.run(command, "sealift-bundler add", given) == 62
    assert f"--trust-global {own}.same" in capsys.readouterr().err
    # The function is opened then, and no converter knows it: that is another refusal, of another range.
    assert console.run(command, "sealift-bundler add", [*given, "--trust-global", f"{own}.same"]) == 50
    (tmp_path / "recipe.toml").write_text(f'{RECIPE}trust_globals = ["{own}.same"]\n')
    assert console.run(command, "sealift-bundler add", given) == 50
    assert "FunctionTransformer" in capsys.readouterr().err
    assert Channel.open(channel.directory).staged() == {}


def test_the_model_records_them(own, channel, tmp_path, opened_here):
    """Names, of the recipe first, also where this model did not need them."""
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, ROWS[:, 0] > 0), tmp_path / "m.joblib")
    np.save(tmp_path / "rows.npy", ROWS)
    (tmp_path / "recipe.toml").write_text(f'{RECIPE}trust_globals = ["{own}.same", "{own}.Same"]\n')
    given = [str(tmp_path / "recipe.toml"), "--channel", str(channel.directory)]
    given += ["--trust-global", f"{own}.Made", "--trust-global", f"{own}.same"]
    assert console.run(command, "sealift-bundler add", given) == 0
    recorded = staged_description(channel)["conversion"]["trust_globals"]
    assert recorded == [f"{own}.{name}" for name in ("same", "Same", "Made")]
