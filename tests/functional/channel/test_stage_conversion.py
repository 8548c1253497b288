"""`stage_conversion`: what is in memory is staged as `add` stages a recipe, to the byte, and refused as `add` refuses."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier
from support.release.workbench import Workbench

from sealift.errors import ChannelError
from sealift_bundler import convert
from sealift_bundler.errors import DisclosureError, RecipeError
from sealift_bundler.release.adding import descriptor_of
from sealift_bundler.release.recipes.recipe import Recipe
from sealift_bundler.release.staging import withdraw
from sealift_bundler.release.staging_conversion import Origin, stage_conversion
from sealift_common.names import ModelVersion

ROWS = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0] * 5, "b": [1.5, 0.5, 2.5, 0.0] * 5})
ORIGIN = Origin(Path("triage.toml"), lambda: "sha256:" + "1" * 64, lambda: "sha256:" + "2" * 64)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return Workbench(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def model():
    return DecisionTreeClassifier(random_state=1).fit(ROWS, [0, 1, 0, 1] * 5)


@pytest.fixture(scope="module")
def conversion(model):
    return convert(model, ROWS, name="m", version="1.0.0", golden="generated")


def test_it_stages_the_bytes_that_add_stages(bench, model, conversion) -> None:
    recipe = bench.recipe(model, bench.put("rows", ROWS), 'golden = "generated"', 'card = "CARD.md"', 'title = "T"')
    (bench.folder / "CARD.md").write_text("# Ours\n")
    ((made, blob),) = _added(bench, recipe)
    assert made == ModelVersion.parse("m", "1.0.0")
    staged = stage_conversion(
        conversion,
        bench.channel,
        origin=ORIGIN,
        documents={"CARD.md": b"# Ours\n"},
        descriptor=descriptor_of(Recipe.load(recipe)),
    )
    assert (staged.outcome, staged.reference) == ("unchanged", blob)


def _added(bench: Workbench, recipe: str):
    assert recipe == "recipe.toml"
    assert bench.add()[0] == 0
    return list(bench.channel.staged().items())


def test_a_secret_in_a_document_is_refused_and_nothing_is_written(bench, conversion) -> None:
    before = bench.plain()
    secret = "glpat-" + "Inv3nted" + "N0tR3al" + "T0ken7Xy"
    with pytest.raises(DisclosureError, match=r"accept each finding in 'triage\.toml'"):
        stage_conversion(conversion, bench.channel, origin=ORIGIN, documents={"CARD.md": secret.encode()})
    assert bench.plain() == before


def test_a_withdrawn_version_does_not_return(bench, conversion) -> None:
    assert stage_conversion(conversion, bench.channel, origin=ORIGIN).outcome == "added"
    assert bench.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    withdraw(bench.channel, ModelVersion.parse("m", "1.0.0"), "wrong answers")
    with pytest.raises(ChannelError, match="cannot return"):
        stage_conversion(conversion, bench.channel, origin=ORIGIN)
    assert not bench.channel.staged()


def test_answers_are_asked_for_where_the_channel_asks(bench, conversion) -> None:
    (bench.channel.directory / "questionnaire.toml").write_bytes(
        Path(__file__).parents[3].joinpath("common/sealift_common/review/questionnaire.toml").read_bytes()
    )
    with pytest.raises(RecipeError, match=r"triage\.toml: this channel has reviewers or a questionnaire"):
        stage_conversion(replace(conversion), bench.channel, origin=ORIGIN)
