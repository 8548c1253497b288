"""The dossier: all that a reviewer reads about a version, whatever it is, on one page that needs nothing else."""

import json

import pytest
from support.pages.dossiers import PAIR, ROWS, TRIAGE, WEIGHTS, Dossiers
from support.pages.structure import Structure


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        world = Dossiers(tmp_path_factory.mktemp("dossiers"), patch)
        status, out, err = world.dossier(ROWS, PAIR, WEIGHTS, *TRIAGE)
        assert status == 0, err
        world.said = out
        yield world


PAGES = [f"{model.name}@{model.version}.html" for model in (ROWS, PAIR, WEIGHTS, *TRIAGE)]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_fetches_nothing_and_obeys_no_text_in_it(world, name):
    found = Structure(world.page(name))
    assert found.problems == []
    assert found.headings[:3] == ["Approvals", "Answers", found.headings[2]]
    assert found.policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "@media print" in found.style
    assert "@page { size: A4" in found.style
    # Nothing of a text becomes markup, and no character turns the order of others around.
    assert not {"script", "img", "link", "iframe", "base", "object"} & found.tags
    assert "\u202e" not in found.text


def test_a_page_answers_what_a_reviewer_asks(world):
    found = Structure(world.page("rude-comments@1.1.0.html"))
    assert found.headings == [
        "Approvals", "Answers", "Findings of the disclosure scan", "Proof", "Probe: what turns the label",
        "Probe: does the model know its samples", "Differences to 1.0.0", "Bill of materials", "Files",
    ]  # fmt: skip
    digest = world.channel.staged()[TRIAGE[1]].digest
    for text in (
        digest, "staged, and not released", "Class of risk: high; personal data.", "What is the model for?",
        "EU AI Act Annex IV", "short comments: accuracy 0.81", "legal: 0 of 1 approvals by 'bob <b>'", "homoglyphs",
        "comments of public projects", "a" * 64, "CycloneDX 1.6", "predict: 16 of 16 equal", "# Rude comments",
        "frontend-sparse-float64", "AML.T0015",
    ):  # fmt: skip
        assert text in found.text, text
    # The note stands there as it was typed, and does nothing.
    assert any("<script>alert(1)</script>" in cell for cell in found.cells)
    before = found.cells.index("class of risk")
    assert found.cells[before : before + 3] == ["class of risk", "limited", "high"]
    assert "<svg" in world.page("rude-comments@1.1.0.html")


def test_every_kind_of_version_has_a_page(world):
    table, pair, weights = (Structure(world.page(name)).text for name in PAGES[:3])
    assert "It was released before this channel had reviewers, and is not asked again." in table
    assert "Proof of graph decoder" in pair
    assert "Proof of graph encoder" in pair
    assert "rows recorded" in pair
    assert "These files are carried and not run" in weights
    assert "safetensors" in weights
    first = Structure(world.page(PAGES[3])).text
    assert "Every role has approved." in first
    assert "The channel has no lower version of this model." in first
    assert "listed by release 3" in first


def test_the_same_version_gives_the_same_bytes(world):
    before = world.page(PAGES[4])
    assert world.dossier(TRIAGE[1])[0] == 0
    assert world.page(PAGES[4]) == before


def test_a_whole_release_has_an_index(world):
    status, out, err = world.bundler("dossier", "ch", "-o", "release", "--json")
    assert status == 0, err
    (entry,) = json.loads(out)
    assert (entry["model"], entry["version"], entry["problem"]) == ("rude-comments", "1.1.0", None)
    assert len(entry["missing"]) == 2
    index = Structure((world.folder / "release/index.html").read_text("utf-8"))
    assert (index.problems, index.links) == ([], ["rude-comments%401.1.0.html"])
    assert (world.folder / "release/rude-comments@1.1.0.html").is_file()


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        ("rude-coments:1.1.0", 55, "did you mean 'rude-comments:1.1.0'?"),
        ("rude-comments", 2, "is not NAME:VERSION, for example issue-triage:1.4.0"),
        ("rude-comments:one", 2, "is not SemVer"),
    ],
)
def test_what_there_is_no_page_about(world, wanted, code, said):
    status, out, err = world.bundler("dossier", "ch", wanted, "-o", "none")
    assert (status, out) == (code, "")
    assert said in err
    assert not (world.folder / "none" / "index.html").exists()


def test_a_graph_that_does_not_answer_as_recorded_is_drawn_and_one_that_cannot_is_told(world, monkeypatch):
    from sealift.errors import SelfTestError
    from sealift.model.trial.process import SelfTestProcess

    def refuse(*_):
        raise SelfTestError("model 'm' crashed its self-test with SIGSEGV <b>")

    monkeypatch.setattr(SelfTestProcess, "compare", refuse)
    status, out, err = world.bundler("dossier", "ch", "m:1.0.0", "-o", "crashed")
    assert (status, err) == (0, "")
    assert "  it did not answer here: model 'm' crashed" in out
    found = Structure((world.folder / "crashed/m@1.0.0.html").read_text("utf-8"))
    assert "It did not answer here: model 'm' crashed its self-test with SIGSEGV <b>" in found.text


def test_a_copy_without_its_files_is_told_so(world, tmp_path):
    import shutil

    copy = shutil.copytree(world.channel.directory, tmp_path / "copy")
    shutil.rmtree(copy / "blobs")
    status, _, err = world.bundler("dossier", str(copy), "m:1.0.0", "-o", str(tmp_path / "pages"))
    assert status == 55
    assert "get a complete copy of the channel" in err


def test_the_preview_and_the_report_are_of_one_look(world):
    assert world.bundler("preview", "--channel", "ch", "--html", "preview.html")[0] == 0
    # The recipe of the version that was staged last lies there still.
    assert world.add("--report", "report.html")[0] == 0
    styles = set()
    for name in ("preview.html", "report.html", "pages/rude-comments@1.1.0.html"):
        found = Structure((world.folder / name).read_text("utf-8"))
        assert found.problems == [], name
        styles.add(found.style)
    assert len(styles) == 1


def test_names_and_versions_are_completed(world):
    import click

    from sealift_bundler.cli.options import complete_all_references

    context = click.Context(click.Command("dossier"))
    context.params["directory"] = world.channel.directory
    assert complete_all_references(context, None, "rude") == ["rude-comments:1.1.0", "rude-comments:1.0.0"]
