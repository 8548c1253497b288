"""What an author answers travels with the model: as a record, and as a bill of materials."""

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from support.release.review_answers import ANSWERS, said_of
from support.release.workbench import Workbench

from sealift_bundler.review.digests import digest_of
from sealift_common.names import ModelVersion
from sealift_common.review.questionnaire import FILE_NAME, default_bytes, parse_questionnaire
from sealift_common.review.record import parse_record
from sealift_keys.cli import command as keys_command

MODEL = ModelVersion.parse("m", "1.0.0")


@pytest.fixture
def bench(tmp_path, monkeypatch):
    bench = Workbench(tmp_path, monkeypatch)
    rows = pd.DataFrame({"a": np.arange(40.0) % 7, "b": np.arange(40.0) % 5})
    model = LogisticRegression().fit(rows, np.where(rows.a > rows.b, "yes", "no"))
    bench.recipe(model, bench.put("s", rows), 'golden = "generated"', 'review = "review.toml"')
    Path("review.toml").write_text(ANSWERS)
    return bench


def staged(bench):
    """The plain files of the version that is staged: the record and the bill of materials."""
    (record,) = [data for data in bench.plain().values() if b'"sealift.record/1"' in data]
    (bom,) = [data for data in bench.plain().values() if b'"CycloneDX"' in data]
    return record, bom


def test_answers_findings_and_digests_are_in_the_record(bench):
    status, _, err = bench.add()
    assert status == 0, err
    record = parse_record(staged(bench)[0], MODEL)
    assert (record.risk, record.personal_data, record.roles) == ("limited", False, ("security", "legal"))
    assert record.answers["evaluation"] == tomllib.loads(ANSWERS)["evaluation"]
    assert record.source == "sha256:" + hashlib.sha256(Path("model.joblib").read_bytes()).hexdigest()
    assert record.samples == "sha256:" + hashlib.sha256(Path("s.json").read_bytes()).hexdigest()
    assert record.questionnaire == "sha256:" + hashlib.sha256(default_bytes()).hexdigest()
    assert record.probe["membership"] == {"skipped": "no held-out rows were given"}
    assert {"python", "scikit-learn", "sealift"} <= set(record.versions)
    _, shown, _ = bench.bundler("preview", "--channel", "ch")
    assert "    review: risk limited, no personal data; to approve: security, legal\n" in shown
    page = bench.bundler("preview", "--channel", "ch", "--html", "p.html")
    assert page[0] == 0
    assert "to approve: security, legal" in Path("p.html").read_text()


def test_a_role_for_which_nobody_reviews_is_named_when_the_version_is_added(bench, call):
    assert call(keys_command, "new", "rev")[0] == 0
    assert call(keys_command, "reviewer", "ch", "--role", "security", "--add", "rev.pub", "--key", "k")[0] == 0
    status, _, err = bench.add()
    assert status == 0, err
    assert "warning: m 1.0.0 needs the approval of 'legal' by its class of risk" in err
    assert "sealift-keys reviewer ch --role legal --add PUB" in err
    assert "of 'security'" not in err
    assert call(keys_command, "new", "law")[0] == 0
    assert call(keys_command, "reviewer", "ch", "--role", "legal", "--add", "law.pub", "--key", "k")[0] == 0
    assert "needs the approval" not in bench.add()[2]


def test_the_same_answers_are_the_same_bytes_and_another_answer_is_another_digest(bench):
    assert bench.add()[0] == 0
    before, digest = staged(bench), next(iter(bench.channel.staged().values())).digest
    status, out, _ = bench.add()
    assert (status, out.split(" ")[0]) == (0, "unchanged")
    assert staged(bench) == before
    Path("review.toml").write_text(ANSWERS.replace("a person decides", "nobody decides"))
    assert bench.add()[1].startswith("replaced m 1.0.0 sha256:")
    assert next(iter(bench.channel.staged().values())).digest != digest


def every_key_of_the_schema(answers=ANSWERS):
    return (
        answers.replace(
            'license = "CC-BY-4.0"\n',
            f'license = "LicenseRef-cars"\nsha256 = "sha256:{"a" * 64}"\nlegal_basis = "consent"\nretention = "a year"\n'
            'dpia = "none needed"\n',
            1,
        )
        .replace("personal_data = false", "personal_data = true")
        .replace("[licenses]", 'anonymization = "names removed"\nmin_document_frequency = 5\n[licenses]')
    )


@pytest.mark.parametrize("answers", ["few", "all"])
def test_the_bill_of_materials_is_valid_under_the_official_schema(bench, answers):
    if answers == "all":
        Path("review.toml").write_text(every_key_of_the_schema())
        Path("cars.txt").write_text("You may drive it.\n")
        with Path("recipe.toml").open("a") as recipe:
            recipe.write('description = "Cars."\n[files]\n"LicenseRef-cars.txt" = "cars.txt"\n')
    status, _, err = bench.add()
    assert status == 0, err
    record, bom = staged(bench)
    assert said_of(bom.decode()) is None
    document = json.loads(bom)
    assert document["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "accuracy", "value": "0.93"},
        {"slice": "old cars", "type": "accuracy", "value": "0.8"},
    ]
    files = {one["name"] for one in document["metadata"]["component"]["components"]}
    assert {"model.onnx", "model.json", "golden.json"} <= files
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert parse_record(record, MODEL).roles == (
        ("security", "legal", "privacy") if answers == "all" else ("security", "legal")
    )


def test_the_schema_is_one_that_refuses():
    """That a validator says nothing proves something only if it can speak."""
    for wrong in ('{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": "one"}', '{"bomFormat": "x"}'):
        assert said_of(wrong) is not None


def test_a_bundle_with_a_review_installs_as_any_other(bench, tmp_path, no_replay):
    from support.release.instance import Instance

    assert bench.add()[0] == 0
    bench.released()
    instance = Instance(tmp_path / "instance")
    instance.pin(bench.channel.root_bytes(1))
    instance.install(tmp_path / "c.tar")
    folder = instance.store_path / "models" / "m" / "1.0.0"
    assert {"REVIEW.json", "model.cdx.json"} <= {path.name for path in folder.iterdir()}


def refused(bench, answers, code, *says):
    Path("review.toml").write_text(answers)
    before = sorted(bench.plain())
    status, out, err = bench.add()
    assert (status, out) == (code, ""), err
    last = err.splitlines()[-1]
    for one in says:
        assert one in last
    assert sorted(bench.plain()) == before
    assert bench.channel.staged() == {}


def test_every_question_that_is_open_is_named_at_once(bench):
    text = ANSWERS.replace('purpose = "Says whether a car is new."\n', "").replace('known = ["trucks"]', "known = []")
    refused(
        bench, text, 52,
        "review.toml: 2 questions of class 'limited' are not answered: "
        "use.purpose (What is the model for?); limits.known (When is it wrong?)",
    )  # fmt: skip
    refused(bench, ANSWERS.replace('risk = "limited"', 'risk = "high"'), 52, "datasets.sha256 (", "preprocessing.anony")
    personal = ANSWERS.replace("personal_data = false", "personal_data = true")
    refused(bench, personal, 52, "datasets.legal_basis (", "datasets.dpia (")
    # One data set of two without an answer is one too few.
    second = '[[datasets]]\nname = "more"\nowner = "x"\nclassification = "y"\npersonal_data = false\n[preprocessing]'
    refused(bench, ANSWERS.replace("[preprocessing]", second), 52, "datasets.license (", "datasets.private_projects (")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[licenses]", "[licences]", "unknown key 'licences'; did you mean 'licenses'?"),
        ("purpose =", "purposse =", "review.toml:4: unknown key 'purposse' in [use]; did you mean 'purpose'?"),
        ('"advises"', '"helps"', "review.toml:6: 'decision' of [use] is 'helps'; expected 'advises' or 'decides'"),
        ('"limited"', '"low"', "review.toml:2: 'risk' is 'low'; expected 'minimal' or 'limited' or 'high'"),
        ("review/1", "review/2", "review.toml:1: 'schema' is 'sealift.review/2'; expected 'sealift.review/1'"),
        ("AML.T0015", "T15", "'atlas' of [abuse] is ['T15']; expected a list of MITRE ATLAS techniques"),
        ("accuracy = 0.93", "accuracy = nan", "expected a table of numbers by name"),
        ("accuracy = 0.93", "accuracy = true", "expected a table of numbers by name"),
        ('"trucks"', '"tr\\u001bcks"', "expected a list of texts"),
        ("security_model = false", 'security_model = "no"', "expected true or false"),
        ('source = "generated"', 'source = "samples"', "[golden] source is 'samples', and generated rows travel"),
        ('model = "MIT"', 'model = "LicenseRef-ours"', '[files] "LicenseRef-ours.txt"'),
        ('model = "MIT"', 'model = "M I T"', "expected an SPDX expression"),
        ("[use]", "[use", "is not TOML"),
        ("[[datasets]]", "[datasets]", "'datasets' is not a list of tables; write [[datasets]]"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_one_line_with_its_place(bench, old, new, says):
    assert old in ANSWERS
    refused(bench, ANSWERS.replace(old, new, 1), 52, says)


def test_a_secret_in_an_answer_stops_add(bench):
    refused(bench, ANSWERS.replace('"the team of cars"', '"ada@dealers.org"'), 60, "e-mail in")


def test_an_acceptance_of_the_review_counts_and_is_in_the_record(bench):
    Path("card.md").write_text("Ask glpat-abcdefghij0123456789 for it.\n")
    text = Path("recipe.toml").read_text()
    Path("recipe.toml").write_text(text + 'card = "card.md"\n')
    _, _, err = bench.add()
    line = next(line for line in err.splitlines() if "CARD.md" in line)
    document = json.loads(bench.add("--json")[1])
    (finding,) = document["error"]["findings"]
    entry = "".join(f'{key} = "{finding[key]}"\n' for key in ("kind", "file", "fingerprint"))
    Path("review.toml").write_text(f"{ANSWERS}[[accepted]]\n{entry}reason = 'a made-up token'\n")
    status, _, err = bench.add()
    assert status == 0, (line, err)
    (accepted,) = parse_record(staged(bench)[0], MODEL).accepted
    assert (accepted["file"], accepted["reason"]) == ("CARD.md", "a made-up token")
    assert ": a made-up token" in bench.bundler("preview", "--channel", "ch")[1]
    assert not any(b"glpat" in data for data in staged(bench))


def test_a_channel_with_a_questionnaire_asks_every_recipe(bench):
    assert bench.bundler("review", "questionnaire", "--channel", "ch")[0] == 0
    assert bench.bundler("review", "questionnaire", "--channel", "ch")[0] == 2
    text = Path("recipe.toml").read_text()
    Path("recipe.toml").write_text(text.replace('review = "review.toml"\n', ""))
    refused(bench, ANSWERS, 52, "this channel has reviewers or a questionnaire", "sealift-bundler review new m")


def test_a_questionnaire_of_ones_own_asks_more_and_has_its_own_digest(bench):
    own = default_bytes().decode().replace('questions = ["use.purpose"', 'questions = ["own.color", "use.purpose"')
    own += '\n[[question]]\nkey = "own.color"\nask = "Which color?"\nframeworks = []\n'
    path = bench.channel.directory / FILE_NAME
    path.write_text(own)
    refused(bench, ANSWERS, 52, "1 questions of class 'limited' are not answered: own.color (Which color?)")
    Path("review.toml").write_text(ANSWERS + '[own]\ncolor = "red"\n')
    assert bench.add()[0] == 0
    record = parse_record(staged(bench)[0], MODEL)
    assert record.questionnaire == parse_questionnaire(own.encode()).digest
    assert record.answers["own"] == {"color": "red"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[classes.high]", "[classes.highest]", "did you mean 'high'?"),
        ('roles = ["security"]', "roles = []", "no role reviews the lightest class"),
        ('roles = ["security"]', 'roles = ["Security!"]', "role 'Security!' is not allowed"),
        ('"use.purpose", "use.users"', '"use.porpoise"', "no [[question]] has the key 'use.porpoise'"),
        ('key = "use.purpose"', 'key = "use.users"', "each once"),
        ("questionnaire/1", "questionnaire/2", "this Sealift knows 'sealift.questionnaire/1'"),
        ('key = "export.control"', 'key = "export.kontrol"', "no [[question]] has the key 'export.control'"),
    ],
)  # fmt: skip
def test_a_questionnaire_that_is_wrong_is_refused(bench, old, new, says):
    text = default_bytes().decode()
    assert old in text
    (bench.channel.directory / FILE_NAME).write_text(text.replace(old, new, 1))
    refused(bench, ANSWERS, 55, says)


def test_the_template_holds_every_question_and_is_read_once_it_is_filled_in(bench):
    assert bench.bundler("review", "new", "m", "-o", "new.toml")[0] == 0
    text = Path("new.toml").read_text()
    questionnaire = parse_questionnaire(default_bytes())
    for question in questionnaire.questions.values():
        assert f"# {question.ask}" in text
        assert f"\n# {question.key.partition('.')[2]} = " in text
    assert "EU AI Act Annex IV" in text
    refused(bench, text, 52, "questions of class 'limited' are not answered")
    assert bench.bundler("review", "new", "m", "-o", "new.toml")[0] == 2
    assert bench.bundler("review", "new", "UPPER")[0] == 2
    assert Path("new.toml").read_text() == text


def test_the_digest_of_a_folder_is_what_sha256sum_gives(tmp_path):
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("a")
    (folder / "data" / "x").write_text("b")
    lines = "".join(
        f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in (("MLmodel", b"a"), ("data/x", b"b"))
    )
    assert digest_of(folder) == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
