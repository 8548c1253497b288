"""The recipe: strict, and every refusal names the file, the line and what to write instead."""

import os
from pathlib import Path

import pytest

from sealift_bundler.errors import RecipeError
from sealift_bundler.release.recipes.recipe import Recipe

BASE = 'name = "triage"\nversion = "1.2.0"\nsource = "model.joblib"\nsamples = "samples.csv"\n'


@pytest.fixture
def folder(tmp_path):
    for name in ("model.joblib", "samples.csv", "card.md", "MIT.txt", "NOTICE.txt"):
        (tmp_path / name).write_text("x")
    return tmp_path


def load(folder: Path, text: str) -> Recipe:
    (folder / "recipe.toml").write_text(text)
    return Recipe.load(folder / "recipe.toml")


def test_the_smallest_recipe(folder):
    recipe = load(folder, BASE)
    assert recipe.model.reference == "triage:1.2.0"
    assert (recipe.source, recipe.samples) == (folder / "model.joblib", folder / "samples.csv")
    assert (recipe.atol, recipe.rtol, dict(recipe.options), dict(recipe.documents)) == (None, None, {}, {})
    assert recipe.imports == ()


def test_everything_that_a_recipe_may_say(folder):
    recipe = load(
        folder,
        BASE + 'import = ["our.module", "other"]\n'
        'title = "T"\ndescription = "D"\nauthors = ["A", "B"]\nlicenses = ["MIT", "Apache-2.0 OR BSD-3-Clause"]\n'
        'license_file = "MIT.txt"\ncard = "card.md"\nvendor = "V"\nrevision = "r1"\nsource_url = "https://example.com"\n'
        "created_at = 2026-11-23T13:00:00+01:00\n[parity]\natol = 0\nrtol = 1e-5\n"
        '[convert]\nmethod = "predict"\nanything = 1\n[files]\n"NOTICE" = "NOTICE.txt"\n',
    )
    assert recipe.created_at == recipe.creation_time() == "2026-11-23T12:00:00Z"
    assert (recipe.atol, recipe.rtol) == (0.0, 1e-5)
    assert recipe.imports == ("our.module", "other")
    assert dict(recipe.options) == {"method": "predict", "anything": 1}
    assert {name: path.name for name, path in recipe.documents.items()} == {
        "CARD.md": "card.md",
        "LICENSE": "MIT.txt",
        "NOTICE": "NOTICE.txt",
    }


def test_creation_time_is_never_now(folder, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    os.utime(folder / "model.joblib", (1_700_000_000, 1_700_000_000))
    recipe = load(folder, BASE)
    assert recipe.creation_time() == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert recipe.creation_time() == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + 'licences = ["MIT"]\n', r"recipe\.toml:5: unknown key 'licences'; did you mean 'licenses'\?"),
        (BASE + "\n[parity]\nrtoll = 1\n", r"recipe\.toml:7: unknown key 'rtoll' in \[parity\]; did you mean 'rtol'\?"),
        (BASE + "[oarity]\natol = 1\n", r"recipe\.toml:5: unknown key 'oarity'; did you mean 'parity'\?"),
        (BASE + "zzz = 1\n", r"recipe\.toml:5: unknown key 'zzz'; expected one of: name, "),
        ('name = "triage"\nversion = "1.0.0"\n', r"'source', 'samples' missing; add source = "),
        (BASE.replace("triage", "../x"), r"recipe\.toml:1: model name '\.\./x' is not allowed"),
        (BASE.replace("1.2.0", "1.2"), r"recipe\.toml:2: version '1\.2' is not SemVer"),
        (BASE.replace("model.joblib", "gone.pkl"), r"recipe\.toml:3: 'source' names 'gone\.pkl', which does not exist"),
        (BASE.replace("samples.csv", "."), r"recipe\.toml:4: 'samples' names the folder '\.'; expected a file"),
        (BASE + "title = 3\n", r"recipe\.toml:5: 'title' is 3; expected a text"),
        (BASE + 'card = ""\n', r"recipe\.toml:5: 'card' is ''; expected a text that is not empty"),
        (BASE + 'authors = "me"\n', r"recipe\.toml:5: 'authors' is 'me'; expected a list of texts"),
        (BASE + 'import = "our.module"\n', r"recipe\.toml:5: 'import' is 'our\.module'; expected a list of texts"),
        (
            BASE + 'import = ["our.module", 3]\n',
            r"recipe\.toml:5: 'import' is \['our\.module', 3\]; expected a list of texts",
        ),
        (BASE + 'import = ["our module"]\n', r"recipe\.toml:5: 'import' names 'our module'; expected a dotted name"),
        (BASE + 'import = [".module"]\n', r"recipe\.toml:5: 'import' names '\.module'; expected a dotted name"),
        (
            BASE + 'trust_globals = "our.Step"\n',
            r"recipe\.toml:5: 'trust_globals' is 'our\.Step'; expected a list of texts",
        ),
        (
            BASE + 'trust_globals = ["our.*"]\n',
            r"recipe\.toml:5: 'trust_globals' names 'our\.\*'; expected the dotted name",
        ),
        (
            BASE + 'trust_globals = ["os.system"]\n',
            r"recipe\.toml:5: 'trust_globals' names 'os\.system'; no name of 'os'",
        ),
        (BASE + 'licenses = ["my own!"]\n', r"recipe\.toml:5: license 'my own!' is not an SPDX expression"),
        (BASE + 'created_at = "yesterday"\n', r"recipe\.toml:5: 'created_at' is 'yesterday'; expected"),
        (BASE + "created_at = 2026-11-23T12:00:00\n", r"recipe\.toml:5: .*no time zone"),
        (BASE + "parity = 1\n", r"recipe\.toml:5: 'parity' is 1; expected a table"),
        (BASE + "[parity]\natol = -1\n", r"recipe\.toml:6: 'atol' is -1; expected a number from 0"),
        (BASE + "[parity]\natol = nan\n", r"'atol' is nan"),
        (BASE + "[parity]\natol = inf\n", r"'atol' is inf"),
        (BASE + "[parity]\natol = true\n", r"'atol' is True"),
        (
            BASE + '[files]\n"../NOTICE" = "NOTICE.txt"\n',
            r"recipe\.toml:6: '\.\./NOTICE' is not a plain name; expected one like",
        ),
        (
            BASE + '[files]\n"model.json" = "NOTICE.txt"\n',
            r"'model\.json' is a name that Sealift keeps for its own files",
        ),
        (
            BASE + '[files]\n"Model.ONNX.data.7" = "NOTICE.txt"\n',
            r"'Model\.ONNX\.data\.7' is a name that Sealift keeps",
        ),
        (
            BASE + '[files]\n"encoder.golden.json" = "NOTICE.txt"\n',
            r"'encoder\.golden\.json' is a name that Sealift keeps",
        ),
        (BASE + '[files]\n"MODEL.sig" = "NOTICE.txt"\n', r"'MODEL\.sig' is a name that Sealift keeps"),
        (BASE + '[files]\n"nul.txt" = "NOTICE.txt"\n', r"'nul\.txt' is not a plain name"),
        (
            BASE + '[files]\n"card.md" = "NOTICE.txt"\n',
            r"recipe\.toml:6: 'card\.md' has a key of its own; write card = …",
        ),
        (BASE + '[files]\nLicense = "NOTICE.txt"\n', r"'License' has a key of its own; write license_file = …"),
        (
            BASE + '[files]\n"labels.csv" = "NOTICE.txt"\n"Labels.CSV" = "NOTICE.txt"\n',
            r"recipe\.toml:7: 'Labels\.CSV' and 'labels\.csv' are one name on some file systems",
        ),
        (BASE + '[files]\nNOTICE = "gone"\n', r"recipe\.toml:6: 'NOTICE' names 'gone', which does not exist"),
        (BASE + "[files]\nNOTICE = 1\n", r"'NOTICE' is 1; expected a path"),
        ("name = \n", r"is not TOML: .*line 1"),
    ],
)
def test_refusals(folder, text, message):
    with pytest.raises(RecipeError, match=message) as caught:
        load(folder, text)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read(folder):
    with pytest.raises(RecipeError, match="No such file"):
        Recipe.load(folder / "gone.toml")
    with pytest.raises(RecipeError, match="is a directory, not a file"):
        Recipe.load(folder)
    (folder / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not UTF-8"):
        Recipe.load(folder / "binary.toml")
