"""The first hour of who makes releases: a channel from few answers, a recipe from a model, several at once, and undone."""

import json
import os
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from support.release.workbench import Workbench

from sealift_bundler.cli import command
from sealift_bundler.errors import SourceError
from sealift_bundler.proof import ladder, parity
from sealift_bundler.release.recipes.recipe import Recipe
from sealift_bundler.samples.files import read_samples
from sealift_common.blob import Blob
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command as keys_command
from sealift_keys.keyfiles import pbes2

GENERATOR = np.random.default_rng(3)
ROWS = pd.DataFrame({"hours": GENERATOR.normal(size=40), "count": GENERATOR.integers(0, 9, 40)})
LABELS = np.where(ROWS["count"] > 4, "high", "low")


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    for variable in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")


@pytest.fixture
def bundler(call):
    return partial(call, command)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Workbench(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def model():
    return LogisticRegression().fit(ROWS, LABELS)


def test_a_channel_of_two_people_takes_four_answers(bundler, call):
    assert call(keys_command, "new", "ben.pem")[0] == 0
    status, out, err = bundler("init", "ch", "--name", "gitlab-models", "--key", "ann.pem", "--approver", "ben.pem.pub")
    assert status == 0
    assert "made the key ann.pem (encrypted; keep it) and ann.pem.pub" in err
    assert "made channel 'gitlab-models' in ch; 2 of 2 must sign each release" in out
    assert "note: root needs both keys, and if one is lost the channel cannot be changed any more" in err
    assert "targets 1: 1 of 2 signatures ('ann'); waiting for 'ben'" in out
    assert "next: sealift-keys sign ch --key FILE (the key of 'ben')" in out
    assert f"export SEALIFT_CHANNEL={Path.cwd()}/ch" in out
    root = Channel.open("ch").root().signed
    assert {role: root.roles[role].threshold for role in root.roles} == {
        "root": 2,
        "targets": 2,
        "snapshot": 1,
        "timestamp": 1,
    }


def test_a_channel_for_one_says_that_two_are_better(bundler):
    status, _, err = bundler("init", "ch", "--name", "trial", "--key", "k")
    assert (status, "one stolen key is enough here" in err) == (0, True)


def test_an_approver_who_has_no_key_yet_is_told_how_to_make_one(bundler):
    status, _, err = bundler("init", "ch", "--name", "trial", "--key", "k", "--approver", "ben.pem.pub")
    assert (status, "'ben.pem.pub' does not exist; the approver runs `sealift-keys new FILE`" in err) == (2, True)
    assert not Path("k").exists()


def test_what_init_lacks_is_named_where_nobody_can_be_asked(bundler):
    assert bundler("init", "--key", "k")[0::2] == (
        2,
        "sealift-bundler: DIR, --name missing, and standard input is not a terminal that could ask; give them [usage]\n",
    )
    assert not Path("k").exists()


def test_init_asks_on_a_terminal(bundler, call, monkeypatch):
    import io
    import sys

    assert call(keys_command, "new", "ben.pem")[0] == 0
    terminal = io.StringIO("\ntrial\n\nabsent.pub\nben.pem.pub\n\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    status, out, err = bundler("init")
    assert status == 0, err
    assert "file 'absent.pub' does not exist" in err
    assert "made channel 'trial' in channel; 2 of 2 must sign each release" in out


@pytest.mark.parametrize("given", [["ch"], ["ch", "--name", "trial", "--key", "ann.pem"]])
def test_init_asks_for_approvers_also_where_the_rest_is_given(bundler, call, monkeypatch, given):
    import io
    import sys

    assert call(keys_command, "new", "ben.pem")[0] == 0
    terminal = io.StringIO(("\n\n" if len(given) == 1 else "") + "ben.pem.pub\n\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    status, out, err = bundler("init", *given)
    assert status == 0, err
    assert "2 of 2 must sign each release" in out
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert bundler("init", "alone", "--name", "trial", "--key", "ann.pem")[0] == 0


def test_the_channel_of_the_environment_serves_every_command(bundler, monkeypatch):
    assert bundler("init", "ch", "--name", "trial", "--key", "k")[0] == 0
    monkeypatch.setenv("SEALIFT_CHANNEL", "ch")
    for arguments in (["status"], ["preview"], ["sweep"]):
        assert bundler(*arguments)[0] == 0
    assert "no model version yet" in bundler("status")[1]
    monkeypatch.delenv("SEALIFT_CHANNEL")
    assert "--channel" in bundler("status")[2]


def test_a_second_model_of_a_folder_has_a_card_of_its_own(bench, model):
    samples = bench.put("rows", ROWS)
    for name in ("triage", "bins"):
        joblib.dump(model, f"{name}.joblib")
        status, out, err = bench.bundler("recipe", "new", f"{name}.joblib", "--samples", samples, "-o", f"{name}.toml")
        assert status == 0, err
    assert "wrote bins.toml and bins.CARD.md; fill in" in out
    assert Path("CARD.md").read_text("utf-8").startswith("# triage\n")
    assert Path("bins.CARD.md").read_text("utf-8").startswith("# bins\n")
    assert [path.name for path in Recipe.load("bins.toml").documents.values()] == ["bins.CARD.md"]
    status, _, err = bench.bundler("add", "bins.toml", "--channel", "ch")
    assert status == 0
    assert "warning: bins.CARD.md says TODO in lines 3, " in err
    assert "warning: bins.toml names no license" in err
    Path("bins.CARD.md").write_text("# bins\n\nFor bins.\n")
    Path("bins.toml").write_text(Path("bins.toml").read_text("utf-8").replace("licenses = []", 'licenses = ["MIT"]'))
    assert "warning: bins" not in bench.bundler("add", "bins.toml", "--channel", "ch")[2]


def test_a_text_among_numbers_is_named_as_what_makes_text_of_its_column(bench, model):
    joblib.dump(model, "triage.joblib")
    rows = ROWS.astype({"hours": str})
    rows.loc[3, "hours"] = "many"
    rows.to_csv("rows.csv", index=False)
    status, _, err = bench.bundler("recipe", "new", "triage.joblib", "--samples", "rows.csv")
    assert status != 0
    assert "column 'hours' of row 3 is 'many', which is not a number, and makes text of the whole column" in err


def test_parquet_names_the_package_that_reads_it(tmp_path, monkeypatch):
    def lacking(_path):
        raise ImportError("Unable to find a usable engine; tried using: 'pyarrow', 'fastparquet'.")

    monkeypatch.setattr("pandas.read_parquet", lacking)
    (tmp_path / "s.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="needs a module that is not installed: 'pyarrow'"):
        read_samples(tmp_path / "s.parquet", None)


def test_a_function_of_numpy_without_a_counterpart_is_named_as_such(bench):
    samples = bench.put("rows", ROWS)
    joblib.dump(make_pipeline(FunctionTransformer(np.tan), LogisticRegression()).fit(ROWS, LABELS), "tan.joblib")
    status, _, err = bench.bundler("recipe", "new", "tan.joblib", "--samples", samples)
    assert status != 0
    assert "numpy.tan has no exact counterpart in a graph; do this before the model" in err
    assert "use a NumPy function" not in err


def test_a_recipe_is_begun_from_a_model(bench, model):
    joblib.dump(model, "triage.joblib")
    samples = bench.put("rows", ROWS)
    status, out, err = bench.bundler("recipe", "new", "triage.joblib", "--samples", samples)
    assert status == 0, err
    assert "triage 1.0.0 converts: " in out
    assert "next: sealift-bundler add recipe.toml --channel DIR" in out
    card = Path("CARD.md").read_text("utf-8")
    assert "- Task: classification, trained as LogisticRegression" in card
    assert "| `hours` | float | no |" in card
    assert "- Classes: `high`, `low`" in card
    assert "- `predict_proba`: a probability for each class" in card
    assert "rows answered as " in card
    loaded = Recipe.load("recipe.toml")
    assert (str(loaded.model), loaded.licenses) == ("triage 1.0.0", ())
    text = Path("recipe.toml").read_text("utf-8")
    for line in ('# golden = "generated"', "# [parity]", "# holdout", '# review = "review.toml"'):
        assert line in text
    # Every key that is commented out may be let in.
    Path("all.toml").write_text(
        text.replace("# atol", "atol").replace("# rtol", "rtol").replace("# [par", "[par"), "utf-8"
    )
    assert Recipe.load("all.toml").atol == 1e-5
    assert bench.bundler("add", "recipe.toml", "--channel", "ch")[0] == 0
    before = Path("recipe.toml").read_bytes()
    status, _, err = bench.bundler("recipe", "new", "triage.joblib", "--samples", samples)
    assert (status, "is there already, and is not replaced" in err) == (2, True)
    assert Path("recipe.toml").read_bytes() == before


def recipes(bench, model, *names):
    """Write a recipe of the same model under each name."""
    samples = bench.put("rows", ROWS)
    joblib.dump(model, "model.joblib")
    for name in names:
        Path(f"{name}.toml").write_text(
            f'name = "{name}"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "{samples}"\n'
        )
    return [f"{name}.toml" for name in names]


def test_several_recipes_in_one_add(bench, model):
    given = recipes(bench, model, "one", "two")
    status, out, _ = bench.bundler("add", *given, "--channel", "ch", "--report", "r.html")
    assert status == 0
    assert [line for line in out.splitlines() if line.startswith("added ")][1].startswith("added two 1.0.0 sha256:")
    assert out.count("next: ") == 1
    assert sorted(path.name for path in Path().glob("r*.html")) == ["r.one.html", "r.two.html"]
    document = json.loads(bench.bundler("add", *given, "--channel", "ch", "--json")[1])
    assert [one["outcome"] for one in document["models"]] == ["unchanged", "unchanged"]
    status, _, err = bench.bundler("add", "one.toml", "one.toml", "--channel", "ch")
    assert (status, "are both of one 1.0.0" in err) == (2, True)
    # What is released already stages nothing, so there is nothing to release.
    assert bench.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    _, out, _ = bench.bundler("add", "one.toml", "--channel", "ch")
    assert out.splitlines()[-1] == "next: sealift-bundler pack --channel ch -o c-2.tar"


def test_where_one_recipe_is_refused_those_before_it_stay(bench, model):
    given = recipes(bench, model, "one", "two", "three")
    Path("absent.toml").write_text('name = "x"\nversion = "1.0.0"\nsource = "no"\nsamples = "no"\n')
    assert bench.bundler("add", *given, "absent.toml", "--channel", "ch")[0] == 52
    assert bench.channel.staged() == {}, "all recipes are read before the first model is converted"
    joblib.dump("not a model", "text.joblib")
    Path("two.toml").write_text('name = "two"\nversion = "1.0.0"\nsource = "text.joblib"\nsamples = "rows.json"\n')
    status, _, err = bench.bundler("add", *given, "--channel", "ch")
    assert status == 56
    assert "staged before this: one 1.0.0" in err
    assert [one.name for one in bench.channel.staged()] == ["one"]


def test_what_was_staged_is_listed_unstaged_and_swept(bench, model):
    recipes(bench, model, "one")
    assert bench.bundler("add", "one.toml", "--channel", "ch")[0] == 0
    ((staged, blob),) = bench.channel.staged().items()
    status, out, _ = bench.bundler("status", "--channel", "ch")
    assert status == 0
    assert f"  staged     one 1.0.0  {blob.digest}\n" in out
    assert bench.bundler("sweep", "--channel", "ch")[1] == "removed 0 blobs of 0 B\n"
    status, out, _ = bench.bundler("unstage", "one", "1.0.0", "--channel", "ch")
    assert (status, out.splitlines()[0]) == (0, "unstaged one 1.0.0")
    status, _, err = bench.bundler("unstage", "one", "1.0.0", "--channel", "ch")
    assert (status, "one 1.0.0 is not staged; staged: nothing" in err) == (55, True)
    state = json.loads(bench.bundler("status", "--channel", "ch", "--json")[1])
    blobs = sorted(path.name for path in bench.channel.blobs_dir.iterdir())
    assert state["unnamed_blobs"]["count"] == len(blobs) > 3
    assert (
        "belong to no version; remove them with: sealift-bundler sweep" in bench.bundler("status", "--channel", "ch")[1]
    )
    status, out, _ = bench.bundler("sweep", "--channel", "ch", "--dry-run")
    assert (status, out.split(" of ")[0]) == (0, f"would remove {len(blobs)} blobs")
    assert sorted(path.name for path in bench.channel.blobs_dir.iterdir()) == blobs
    assert bench.bundler("sweep", "--channel", "ch")[0] == 0
    assert list(bench.channel.blobs_dir.iterdir()) == []
    assert isinstance(blob, Blob)
    assert str(staged) == "one 1.0.0"


def test_a_sweep_keeps_whatever_a_release_named(bench, model):
    recipes(bench, model, "one")
    assert bench.bundler("add", "one.toml", "--channel", "ch")[0] == 0
    assert bench.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    before = sorted(path.name for path in bench.channel.blobs_dir.iterdir())
    (bench.channel.blobs_dir / ("0" * 64)).write_bytes(b"left")
    (bench.channel.blobs_dir / "notes.txt").write_bytes(b"mine")
    withdrawal = ["withdraw", "one", "1.0.0", "--reason", "answers wrongly", "--channel", "ch", "--key", "k"]
    assert bench.bundler(*withdrawal)[0] == 0
    assert bench.bundler("sweep", "--channel", "ch")[1] == "removed 1 blob of 4 B\n"
    assert sorted(path.name for path in bench.channel.blobs_dir.iterdir()) == sorted([*before, "notes.txt"])


def test_progress_names_the_rung_and_how_many_rows(bench, model):
    recipes(bench, model, "one")
    _, _, err = bench.bundler("add", "one.toml", "--channel", "ch", "-v")
    assert "asking the original\n" in err
    assert "rung 'float32': converting\n" in err
    rows = json.loads(bench.bundler("add", "one.toml", "--channel", "ch", "--json")[1])["parity"]["rows"]
    assert f"rung 'float32': comparing {rows:,} rows\n" in err
    assert "rung" not in bench.bundler("add", "one.toml", "--channel", "ch")[2]
    assert bench.bundler("add", "one.toml", "--channel", "ch", "-q")[2] == ""


def test_a_refused_conversion_has_a_report_too(bench, monkeypatch):
    samples = bench.put("rows", ROWS.astype(float))
    joblib.dump(LinearRegression().fit(ROWS.astype(float), ROWS["count"]), "model.joblib")
    Path("one.toml").write_text(f'name = "one"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "{samples}"\n')
    compare = parity._answers

    def off(candidate, given, expected):
        found = compare(candidate, given, expected)
        return {name: values + np.arange(len(values)) * 0.01 for name, values in found.items()}

    monkeypatch.setattr(parity, "_answers", off)
    monkeypatch.setattr(ladder, "explained", lambda *_: "")
    status, out, err = bench.bundler("add", "one.toml", "--channel", "ch", "--report", "r.html")
    assert (status, out) == (51, "")
    assert "report in r.html" in err
    page = Path("r.html").read_text("utf-8")
    assert "Refused: " in page
    assert "what went in" in page
    assert "hours=" in page
    assert bench.channel.staged() == {}
