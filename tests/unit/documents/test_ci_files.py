"""templates/release.yml, and the file for scheduled retraining that `init` writes: keys of GitLab's, scripts of a shell's."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click import Context

from sealift.cli import cli as loader
from sealift_bundler.cli import command as bundler
from sealift_pipeline.cli import command as pipeline
from sealift_pipeline.settings.making import CI_FILE, Origin, make

COMPONENT = Path(__file__).parents[3] / "templates" / "release.yml"
# Of the schema that GitLab's own editor checks such files by.
GLOBAL = {"stages", "workflow", "include", "variables", "default", "spec"}
JOB = {
    *(
        "extends",
        "stage",
        "tags",
        "resource_group",
        "variables",
        "script",
        "artifacts",
        "needs",
        "environment",
        "rules",
    ),
    *("allow_failure", "timeout", "parallel", "id_tokens", "image"),
}
ARTIFACTS = {"when", "expose_as", "paths", "expire_in", "reports"}


@pytest.fixture(params=["component", "retraining"])
def document(request, tmp_path):
    if request.param == "component":
        header, body = yaml.safe_load_all(COMPONENT.read_text())
        for name, one in header["spec"]["inputs"].items():
            assert f"$[[ inputs.{name} ]]" in COMPONENT.read_text()
            assert set(one) <= {"description", "default", "type", "options"}
        return body
    make(tmp_path / "ev$ents", Origin())
    return yaml.safe_load((tmp_path / "ev$ents" / CI_FILE).read_text())


def jobs(document):
    return {name: job for name, job in document.items() if name not in GLOBAL}


def test_every_key_is_one_that_gitlab_knows(document):
    assert jobs(document)
    for name, job in jobs(document).items():
        assert set(job) <= JOB, name
        assert set(job.get("artifacts", {})) <= ARTIFACTS
        assert name.startswith(".") or job.get("stage", "test") in document.get("stages", ["test"])
        for needed in (*job.get("needs", ()), *([job["extends"]] if "extends" in job else ())):
            assert needed in document
        assert name.startswith(".") or all(isinstance(line, str) for line in job["script"])


def test_a_shell_and_shellcheck_have_nothing_to_say(document, require_tool):
    for job in jobs(document).values():
        script = "#!/bin/sh\nset -e\n" + "\n".join(job.get("script", [":"])) + "\n"
        done = subprocess.run(
            [require_tool("shellcheck"), "-"], input=script, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert shutil.which("sh")
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_every_option_is_one_that_the_command_has(document):
    groups = {"sealift": loader, "sealift-bundler": bundler, "sealift-pipeline": pipeline}
    lines = [
        line.split(" > ")[0].replace('"', "").split()
        for job in jobs(document).values()
        for line in job.get("script", [])
    ]
    called = [line for line in lines if Path(line[0]).name in groups]
    assert called
    for program, name, *rest in called:
        group = groups[Path(program).name]
        command = group.get_command(Context(group), name)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known


def test_nothing_is_approved_by_itself_and_no_secret_is_an_argument():
    _, document = yaml.safe_load_all(COMPONENT.read_text())
    assert document["sealift-approve"]["rules"] == [{"when": "manual"}]
    assert document["sealift-approve"]["allow_failure"] is False
    for name in ("sealift-pack", "sealift-push"):
        assert document[name]["needs"]
    text = COMPONENT.read_text()
    assert "JOB-TOKEN: $" not in text
    assert text.count("CI_JOB_TOKEN") == 1


def test_the_folder_of_the_pipeline_stands_in_it_as_gitlab_reads_it(tmp_path):
    make(tmp_path / "ev$ents", Origin())
    document = yaml.safe_load((tmp_path / "ev$ents" / CI_FILE).read_text())
    # A dollar begins a variable there, and two are one.
    assert document["retrain"]["variables"]["SEALIFT_PIPELINE"] == str(tmp_path / "ev$$ents")
    assert document["retrain"]["script"][0].endswith('retrain "$PROJECT.toml" --if-needed')
