"""`source = "mlflow://models/NAME/VERSION"`: a trained model out of a registry, pinned by its digest."""

import json
import tempfile

import pytest
from support.gitlab.model_registry import READS, model_registry
from support.gitlab.trained import digest_of, model_bytes, register, write_recipe

from sealift_bundler.cli import command

pytestmark = pytest.mark.usefixtures("opened_here")


@pytest.fixture
def gitlab(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setenv("GITLAB_TOKEN", READS)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    with model_registry() as server:
        yield server


@pytest.fixture
def add(call, channel, tmp_path):
    def add(recipe, *options):
        found = call(command, "add", recipe, "--channel", channel.directory, *options)
        assert list((tmp_path / "scratch").iterdir()) == []
        return found

    return add


def test_a_file_out_of_gitlabs_registry(add, gitlab, tmp_path, channel):
    files = {"model.joblib": model_bytes(), "notes/README.md": b"trained on Monday\n"}
    register(gitlab, files)
    gitlab.elsewhere = True
    recipe = write_recipe(tmp_path, gitlab.address, digest_of(files))
    status, out, err = add(recipe, "--json")
    assert (status, json.loads(out)["outcome"]) == (0, "added"), err
    # The same again: the registry's dates are nowhere in it.
    assert json.loads(add(recipe, "--json")[1])["outcome"] == "unchanged"
    assert not any("Authorization" in h for _, path, h, _ in gitlab.asked if path.startswith("/storage/"))


def test_an_mlflow_folder_from_an_environment_variable(add, gitlab, tmp_path, monkeypatch):
    marker = b"flavors:\n  sklearn:\n    pickled_model: model/model.pkl\n    serialization_format: cloudpickle\n"
    files = {"MLmodel": marker, "model/model.pkl": model_bytes()}
    register(gitlab, files)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", gitlab.address)
    assert add(write_recipe(tmp_path, None, digest_of(files)))[0] == 0


def test_without_a_digest_it_says_which_one_to_pin(add, gitlab, tmp_path, channel):
    files = {"model.joblib": model_bytes()}
    register(gitlab, files)
    status, out, err = add(write_recipe(tmp_path, gitlab.address, None))
    assert (status, out, channel.channel.staged()) == (56, "", {})
    assert f'source_digest = "{digest_of(files)}"' in err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "mlflow://models/triage"}, "expected mlflow://models/NAME/VERSION"),
        ({"source": "mlflow://models/../1"}, "expected mlflow://models/NAME/VERSION"),
        ({"registry": None}, "'registry' is missing"),
        ({"registry": "https://user:hunter2@host/"}, "takes no login"),
        ({"source_digest": "md5:0"}, "expected 'sha256:' and 64 digits"),
        ({"created_at": None}, "'created_at' is missing"),
        ({"source": "samples.csv", "source_digest": None}, "'registry' goes with a source like mlflow://"),
    ],
)
def test_recipes_that_are_wrong(add, gitlab, tmp_path, changes, said):
    values = {"registry": gitlab.address, "digest": "sha256:" + "0" * 64}
    recipe = write_recipe(tmp_path, **values)
    recipe = write_recipe(tmp_path, **(values | {"digest": changes.pop("source_digest", values["digest"])} | changes))
    status, _, err = add(recipe)
    assert (status, len(err.splitlines())) == (52, 1), err
    assert said in err
    assert "hunter2" not in err
    assert gitlab.asked == []


def test_what_is_not_there(add, gitlab, tmp_path):
    recipe = write_recipe(tmp_path, gitlab.address, "sha256:" + "0" * 64)
    assert "has no version 3.1.0 of the model" in add(recipe)[2]
    one = register(gitlab, {"weights.csv": b"1"})
    recipe = write_recipe(tmp_path, gitlab.address, digest_of({"weights.csv": b"1"}))
    assert "has the files weights.csv; expected an MLmodel" in add(recipe)[2]
    one["run"].files.clear()
    assert "has the files none" in add(write_recipe(tmp_path, gitlab.address, digest_of({})))[2]
