"""`add` and `convert` meet a secret: what they say, what the recipe can accept, and what is left behind."""

import json
import re
import warnings
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import sealift_bundler
from sealift_bundler import Conversion, DisclosureWarning, SourceError, convert
from sealift_bundler.cli import command
from sealift_bundler.disclosure import finding
from sealift_bundler.proof import in_child, ladder
from sealift_bundler.proof.pages.conversion_page import report_html
from sealift_bundler.release.recipes.recipe import Recipe

TOKEN = "glpat-" + "Inv3nted" + "N0tR3al" + "T0ken7Xy"
MAIL = "maria.kowalska@invented-bank.example"
RECIPE = 'name = "triage"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "samples.txt"\n'
TEXTS = ["job fails with timeout", "dark mode please"] * 20


def leaking() -> object:
    """A text model of whose rows one holds a token and an address."""
    texts = list(TEXTS)
    texts[3] += f" my token is {TOKEN} mail {MAIL}"
    vectorizer = TfidfVectorizer(lowercase=False, token_pattern=r"\S+")
    return make_pipeline(vectorizer, LogisticRegression()).fit(texts, ["bug", "feature"] * 20)


@pytest.fixture(scope="module")
def leak() -> Conversion:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DisclosureWarning)
        return convert(leaking(), TEXTS[:2], name="triage", version="1.0.0")


@pytest.fixture
def workplace(tmp_path, monkeypatch, leak, channel):
    """A recipe next to a channel; the conversion was made once for all tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finding, "_ROUNDS", 1)
    monkeypatch.setattr(sealift_bundler, "convert", lambda *_, **__: leak, raising=False)
    for name in ("model.joblib", "samples.txt"):
        Path(name).write_text("stands in")
    Path("recipe.toml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def bundler(workplace, channel, call):
    return partial(call, command, "add", "recipe.toml", "--channel", channel.directory)


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(directory.rglob("*"))}


def entries(findings: list[dict[str, object]], reason: str = "invented for a test") -> str:
    lines = ""
    for one in findings:
        entry = {key: one[key] for key in ("kind", "file", "fingerprint")} | {"reason": reason}
        lines += "\n[[accepted]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())
    return lines


def test_a_secret_of_one_row_stops_add(bundler, channel) -> None:
    before = tree(channel.directory)
    status, out, err = bundler()
    assert (status, out) == (60, "")
    first, second, last = err.splitlines()
    assert re.fullmatch(r"gitlab-token in frontend.json: term \d+ of 13 \(fingerprint [0-9a-f]{32}\)", first)
    assert re.fullmatch(r"e-mail in frontend.json: term \d+ of 13 \(fingerprint [0-9a-f]{32}\)", second)
    assert last.startswith("sealift-bundler: triage 1.0.0 would disclose gitlab-token in frontend.json: term ")
    assert ", and 1 other finding; nothing was staged." in last
    assert last.endswith("[disclosure]")
    assert TOKEN not in err
    assert MAIL not in err
    assert tree(channel.directory) == before


def test_as_json_each_finding_is_an_object(bundler) -> None:
    status, out, err = bundler("--json")
    error = json.loads(out)["error"]
    assert (status, error["exit_code"], error["code"]) == (60, 60, "disclosure")
    assert [(one["kind"], one["file"], one["count"]) for one in error["findings"]] == [
        ("gitlab-token", "frontend.json", 1),
        ("e-mail", "frontend.json", 1),
    ]
    assert all(re.fullmatch(r"term \d+ of 13", one["place"]) for one in error["findings"])
    assert TOKEN not in out + err


def test_an_accepted_finding_is_shown_and_another_one_is_refused(bundler, workplace, channel) -> None:
    findings = json.loads(bundler("--json")[1])["error"]["findings"]
    Path("recipe.toml").write_text(RECIPE + entries(findings[:1]))
    status, _, err = bundler()
    assert status == 60
    assert [line.split(" in ")[0] for line in err.splitlines()[:-1]] == ["e-mail"]
    Path("recipe.toml").write_text(RECIPE + entries(findings))
    status, out, err = bundler("--json")
    assert status == 0
    rows, *findings_told = err.splitlines()
    assert rows.startswith("golden.json: ")
    assert [line.split(": term")[0] for line in findings_told] == [
        "accepted: gitlab-token in frontend.json",
        "accepted: e-mail in frontend.json",
    ]
    document = json.loads(out)
    assert [(one["kind"], one["reason"]) for one in document["accepted"]] == [
        ("gitlab-token", "invented for a test"),
        ("e-mail", "invented for a test"),
    ]
    assert (document["outcome"], document["unused_acceptances"]) == ("added", [])
    # What was accepted is for those who review, and no file of the model holds it.
    blobs = [path.read_bytes() for path in channel.channel.blobs_dir.iterdir()]
    assert not any(b"invented for a test" in data or findings[0]["fingerprint"].encode() in data for data in blobs)


def test_a_reason_that_holds_the_value_is_not_shown(bundler, workplace) -> None:
    findings = json.loads(bundler("--json")[1])["error"]["findings"]
    gone = {**findings[0], "fingerprint": "0" * 32}
    Path("recipe.toml").write_text(RECIPE + entries([*findings, gone], f"{MAIL} agreed"))
    status, out, err = bundler("--json")
    assert status == 0
    assert json.loads(out)["accepted"][0]["reason"] == "(withheld: e-mail)"
    assert json.loads(out)["unused_acceptances"][0]["fingerprint"] == "0" * 32
    assert MAIL not in out + err


def test_a_model_that_does_not_take_a_cell_shows_it_to_nobody(tmp_path) -> None:
    (tmp_path / "result.json").write_text(
        json.dumps({"code": "source", "error": f"x: could not convert {MAIL!r} to float"})
    )
    with pytest.raises(SourceError, match=r"^x: could not convert '\(withheld: e-mail\)' to float$"):
        in_child._result(tmp_path, tmp_path, CompletedProcess([], 1, b"", b""))
    (tmp_path / "result.json").unlink()
    with pytest.raises(SourceError) as ended:
        in_child._result(tmp_path, tmp_path, CompletedProcess([], -11, b"", MAIL.encode()))
    assert str(ended.value).endswith("with signal 11: (withheld: e-mail)")


def test_an_acceptance_of_nothing_is_told(bundler, workplace) -> None:
    findings = json.loads(bundler("--json")[1])["error"]["findings"]
    gone = [{"kind": "phone", "file": "CARD.md", "fingerprint": "00"}]
    Path("recipe.toml").write_text(RECIPE + entries([*findings, *gone]))
    status, _, err = bundler()
    assert status == 0
    assert "accepted, and not found: phone in CARD.md (fingerprint 00); remove this entry from the recipe" in err


def test_an_acceptance_that_no_longer_fits_is_named_where_add_refuses(bundler, workplace) -> None:
    findings = json.loads(bundler("--json")[1])["error"]["findings"]
    old = {**findings[1], "fingerprint": "00"}
    gone = {"kind": "e-mial", "file": "frontend.json", "fingerprint": "01"}
    Path("recipe.toml").write_text(RECIPE + entries([findings[0], old, gone]))
    status, _, err = bundler()
    assert status == 60
    assert err.splitlines()[1:3] == [
        (
            "accepted, and now of other values: e-mail in frontend.json (fingerprint 00); where these may leave, too, "
            "write the new fingerprint"
        ),
        "accepted, and not found: e-mial in frontend.json (fingerprint 01); remove this entry from the recipe",
    ]


def test_a_reason_that_holds_a_value_is_withheld_in_json_too(bundler, workplace) -> None:
    findings = json.loads(bundler("--json")[1])["error"]["findings"]
    gone = [{"kind": "phone", "file": "CARD.md", "fingerprint": "00"}]
    Path("recipe.toml").write_text(RECIPE + entries([*findings, *gone], f"mailbox {MAIL}"))
    status, out, err = bundler("--json")
    assert status == 0
    assert MAIL not in out + err
    document = json.loads(out)
    told = [one["reason"] for one in [*document["accepted"], *document["unused_acceptances"]]]
    assert told == ["(withheld: e-mail)"] * 3
    assert [one["fingerprint"] for one in document["accepted"]] == [one["fingerprint"] for one in findings]


def test_addresses_of_authors_are_listed(bundler, workplace, monkeypatch) -> None:
    clean = DecisionTreeClassifier().fit(np.arange(6.0)[:, np.newaxis], [0, 1] * 3)
    made = convert(clean, np.arange(3.0)[:, np.newaxis], name="triage", version="1.0.0")
    monkeypatch.setattr(sealift_bundler, "convert", lambda *_, **__: made, raising=False)
    Path("CARD.md").write_text(f"# Triage\n\nWritten by {MAIL}.\n")
    Path("recipe.toml").write_text(RECIPE + f'card = "CARD.md"\nauthors = ["Ada <{MAIL}>"]\n')
    status, out, err = bundler("--json")
    assert status == 0
    assert err.splitlines()[1:] == [
        "addresses of authors: e-mail in recipe: 'authors' or 'vendor'",
        "addresses of authors: e-mail in CARD.md: line 3",
    ]
    assert [one["file"] for one in json.loads(out)["authors"]] == ["recipe", "CARD.md"]
    Path("recipe.toml").write_text(RECIPE + f'title = "of {MAIL}"\nsource_url = "https://u:{TOKEN}@git.example/"\n')
    refused = bundler()[2]
    told = re.findall(r"^(.*) \(", refused, re.MULTILINE)
    assert told == ["e-mail in recipe: title", "gitlab-token in recipe: 'sourceURL'"]
    assert TOKEN not in refused


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('kind = "e-mail"\nfile = "x"\nfingerprint = "0"\n', r"entry 1 of \[\[accepted\]\] has no 'reason'"),
        ('kind = "e-mail"\nfile = "x"\nfingerprint = "0"\nreason = " "\n', "has no 'reason'"),
        ('kind = "e-mail"\nfile = "x"\nreason = "x"\n', "has no 'fingerprint'"),
        ('kind = "e-mail"\nfile = 3\nfingerprint = "0"\nreason = "x"\n', "has no 'file'"),
        ('kind = "e-mail"\nplace = "x"\n', r"unknown key 'place' in \[accepted\]"),
    ],
)
def test_an_acceptance_without_all_its_keys_is_refused(bundler, workplace, entry: str, message: str) -> None:
    Path("recipe.toml").write_text(f"{RECIPE}[[accepted]]\n{entry}")
    status, _, err = bundler()
    assert status == 52
    assert re.search(r"recipe.toml:\d+: ", err)
    assert re.search(message, err)


def test_accepted_is_a_list_of_tables(bundler, workplace) -> None:
    Path("recipe.toml").write_text(RECIPE + '[accepted]\nkind = "e-mail"\n')
    status, _, err = bundler()
    assert (status, "write [[accepted]]" in err) == (52, True)
    Path("recipe.toml").write_text(RECIPE)
    assert Recipe.load("recipe.toml").accepted == ()


def test_convert_warns_in_python(leak) -> None:
    with pytest.warns(DisclosureWarning) as warned:
        conversion = convert(leaking(), TEXTS[:2])
    assert [re.sub(r"\d+ of", "N of", str(one.message)) for one in warned] == [
        "the conversion discloses gitlab-token in frontend.json: term N of 13",
        "the conversion discloses e-mail in frontend.json: term N of 13",
    ]
    assert all(Path(one.filename) == Path(__file__) for one in warned)
    assert [one.kind for one in conversion.findings] == ["gitlab-token", "e-mail"]


def test_convert_warns_on_the_command_line_and_the_page_withholds(tmp_path, monkeypatch, call) -> None:
    """The class is an address: it is in the proof's worst rows, and stands on the page about it."""
    model = DecisionTreeClassifier().fit(np.arange(8.0)[:, np.newaxis], ["bug", MAIL] * 4)

    def converted(*_: object, **__: object) -> Conversion:
        conversion = convert(model, np.arange(4.0)[:, np.newaxis])
        document = json.loads(conversion.files["model.json"])
        row = {"kind": "caller", "row": 1, "answer": "predict", "expected": MAIL, "got": "bug", "error": 0.0}
        document["parity"]["worst_rows"] = [row]
        return Conversion({**conversion.files, "model.json": json.dumps(document).encode()})

    monkeypatch.setattr(ladder, "convert", converted)
    arguments = ["convert", "model.joblib", "--samples", "rows.npy", "-o", tmp_path / "out", "--json"]
    status, out, err = call(command, *arguments, "--report", tmp_path / "page.html")
    assert status == 0
    document = json.loads(out)
    assert {one["kind"] for one in document["findings"]} == {"e-mail"}
    assert document["parity"]["worst_rows"][0]["expected"] == "(withheld: e-mail)"
    assert len(err.splitlines()) == len(document["findings"])
    assert all(line.startswith("warning: add will refuse this: e-mail in ") for line in err.splitlines())
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "(withheld: e-mail)" in page
    assert MAIL not in out + err + page


def test_names_and_labels_are_withheld_from_the_page() -> None:
    import pandas as pd

    table = pd.DataFrame({MAIL: np.arange(8.0), "size": np.arange(8.0)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DisclosureWarning)
        conversion = convert(DecisionTreeClassifier().fit(table, [TOKEN, "bug"] * 4), table)
    page = report_html(conversion)
    assert "(withheld: e-mail)" in page
    assert MAIL not in page
    assert TOKEN not in page
