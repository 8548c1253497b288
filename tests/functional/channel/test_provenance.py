"""Which pipeline converted a version: signed with it, shown, and no reason for other bytes of the same conversion."""

import base64
import json
from functools import partial

import pytest
from support.gitlab.trained import SAMPLES, model_bytes

from sealift.cli import cli
from sealift_bundler.cli import command
from sealift_bundler.release.provenance import CLAIMS, TOKEN, of_gitlab
from sealift_common.errors import LimitError, MalformedError, UsageError
from sealift_common.oci.provenance import parse_provenance

SHA = "5" * 40
JOB = {
    "CI_PROJECT_URL": "https://gitlab.example/models/triage",
    "CI_PROJECT_PATH": "models/triage",
    "CI_COMMIT_SHA": SHA,
    "CI_PIPELINE_URL": "https://gitlab.example/models/triage/-/pipelines/41",
    "CI_PIPELINE_ID": "41",
    "CI_JOB_URL": "https://gitlab.example/models/triage/-/jobs/7",
    "CI_JOB_ID": "7",
    "GITLAB_USER_LOGIN": "ada",
}
SAID = {"iss": "https://gitlab.example", "project_path": "models/triage", "sha": SHA, "ref": "main", "job_id": "7"}
# As GitLab gives them: numbers, truth values, and claims that nobody asked for.
OTHERS = {"pipeline_id": "41", "runner_id": 3, "ref_protected": "true", "user_email": "ada@gitlab.example", "exp": 1}
SECRET = "c2lnbmF0dXJl"


def token(**claims):
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in ({}, claims)]
    return ".".join([*parts, SECRET])


@pytest.fixture
def add(channel, call, tmp_path, monkeypatch, opened_here):
    (tmp_path / "model.joblib").write_bytes(model_bytes())
    (tmp_path / "samples.csv").write_text(SAMPLES)
    (tmp_path / "recipe.toml").write_text(
        'name = "triage"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "samples.csv"\n'
        'created_at = "2026-11-23T12:00:00Z"\n'
    )
    for name in (*JOB, TOKEN):
        monkeypatch.delenv(name, raising=False)

    def add(*arguments, **environment):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return call(command, "add", tmp_path / "recipe.toml", "--channel", channel.directory, "--json", *arguments)

    return add


def added(answer):
    status, out, err = answer
    assert status == 0, err
    return json.loads(out)


def test_it_is_signed_and_shown_and_another_pipeline_makes_no_other_version(add, channel, call, instance, tmp_path):
    first = added(add("--provenance", "gitlab", **JOB, SEALIFT_ID_TOKEN=token(**SAID, **OTHERS)))
    again = {**JOB, "CI_JOB_URL": JOB["CI_JOB_URL"] + "7", "CI_JOB_ID": "77"}
    for arguments, environment in ((("--provenance", "gitlab"), again), ((), {})):
        second = added(add(*arguments, **environment))
        assert (second["outcome"], second["digest"]) == ("unchanged", first["digest"])
    preview = partial(call, command, "preview", "--channel", channel.directory)
    assert (
        f"    converted by a pipeline: commit {SHA}, job https://gitlab.example/models/triage/-/jobs/7," in preview()[1]
    )
    channel.release()
    released = added(add("--provenance", "gitlab", **again))
    assert (released["outcome"], released["digest"]) == ("unchanged", first["digest"])
    assert not channel.channel.staged()

    instance.pin(channel.root_bytes)
    bundle = channel.pack(tmp_path / "b.tar")
    status, out, _ = call(cli, "inspect", bundle, "--json")
    assert status == 0
    (model,) = json.loads(out)["models"]
    assert model["provenance"] == {
        "pipeline": {
            "commit": SHA,
            "job": JOB["CI_JOB_URL"],
            "pipeline": JOB["CI_PIPELINE_URL"],
            "project": JOB["CI_PROJECT_URL"],
            "user": "ada",
        },
        "claims": {**SAID, "pipeline_id": "41", "ref_protected": "true", "runner_id": "3"},
    }
    text = call(cli, "inspect", bundle)[1]
    assert (
        "triage 1.0.0: token of that job, whose signature nobody checked: iss https://gitlab.example, job_id 7" in text
    )
    data = bundle.read_bytes()
    assert SECRET.encode() not in data
    assert b"user_email" not in data


def test_a_version_without_it_says_nothing(add, channel, call, tmp_path):
    added(add(**JOB, SEALIFT_ID_TOKEN=token(**SAID)))
    channel.release()
    bundle = channel.pack(tmp_path / "b.tar")
    assert json.loads(call(cli, "inspect", bundle, "--json")[1])["models"][0]["provenance"] is None
    assert "pipeline" not in call(cli, "inspect", bundle)[1]


def test_other_bytes_stay_other_bytes(add, channel, tmp_path):
    added(add("--provenance", "gitlab", **JOB))
    channel.release()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(recipe.read_text() + 'title = "another"\n')
    status, _, err = add("--provenance", "gitlab", **JOB)
    assert status == 55, err
    assert "a released version never changes" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CI_JOB_URL": None}, "CI_JOB_URL is not set; it is for jobs of GitLab"),
        ({"CI_COMMIT_SHA": "HEAD"}, "CI_COMMIT_SHA is 'HEAD'; expected the 40 or 64 digits"),
        ({"CI_PROJECT_URL": "https://bot:secret@gitlab.example/a"}, "CI_PROJECT_URL is not an address that"),
        ({"CI_PROJECT_URL": "file:///etc"}, "CI_PROJECT_URL is not an address that"),
        ({"CI_PROJECT_URL": "https://[gitlab"}, "CI_PROJECT_URL is not an address that"),
        ({"GITLAB_USER_LOGIN": "ada\x1b[2J"}, "GITLAB_USER_LOGIN has 7 characters, or some that cannot be printed"),
        ({"GITLAB_USER_LOGIN": "a" * 501}, "GITLAB_USER_LOGIN has 501 characters"),
        ({TOKEN: "secret"}, "SEALIFT_ID_TOKEN is not a token"),
        ({TOKEN: "a." + "A" * 20_000 + ".secret"}, "SEALIFT_ID_TOKEN is not a token"),
        ({TOKEN: "a.!!!.secret"}, "SEALIFT_ID_TOKEN holds no JSON object"),
        ({TOKEN: "a.W10.secret"}, "SEALIFT_ID_TOKEN holds no JSON object"),
        ({TOKEN: token(ref={"a": 1})}, "claim 'ref' is not one line"),
        ({TOKEN: token(ref="a\nb")}, "claim 'ref' is not one line"),
        ({TOKEN: token(sha="6" * 40)}, "SEALIFT_ID_TOKEN is of another job: its sha is '666"),
        ({TOKEN: token(project_path="models/other")}, "its project_path is 'models/other', and this job's 'models/tri"),
        ({TOKEN: token(job_id=8)}, "its job_id is '8', and this job's '7'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_job_of_gitlab_is_refused_without_its_secrets(change, message):
    environment = {name: value for name, value in {**JOB, **change}.items() if value is not None}
    with pytest.raises(UsageError) as caught:
        of_gitlab(environment)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_staged_outside_of_a_job(add, channel):
    status, out, _ = add("--provenance", "gitlab")
    assert status == 2
    assert "is not set" in json.loads(out)["error"]["message"]
    assert not channel.channel.staged()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (7, MalformedError),
        ("[]", MalformedError),
        ('{"claims": {}}', MalformedError),
        ('{"claims": {}, "pipeline": {"job": 7}}', MalformedError),
        ('{"claims": {}, "pipeline": {"job": "\\u001b[2J"}}', MalformedError),
        ('{"claims": {"A": "b"}, "pipeline": {}}', MalformedError),
        (json.dumps({"claims": {}, "pipeline": {"job": "x" * 501}}), MalformedError),
        (json.dumps({"claims": {f"c{n}": "x" for n in range(41)}, "pipeline": {}}), LimitError),
        ("\ud800", MalformedError),
        ('"' + "x" * 200_001 + '"', LimitError),
    ],
    ids=range(10),
)
def test_a_signed_annotation_of_another_form_is_refused(value, error):
    with pytest.raises(error):
        parse_provenance(value, "manifest of toy 1.0.0")


def test_every_claim_that_is_taken_is_one_of_gitlab_s(request):
    page = (request.config.rootpath / "docs/reference/formats/bundle-format.md").read_text()
    assert all(f"`{claim}`" in page for claim in CLAIMS)
