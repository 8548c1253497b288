"""templates/release.yml, run job by job by gitlab-ci-local: `make component`. GITLAB_CI_LOCAL is that command.

A project includes it as a component, in a repository whose GitLab is the one of the tests, behind a private CA.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.gitlab.trained import SAMPLES, model_bytes
from support.servers.gitlab_server import gitlab_server
from support.servers.registry_server import private_ca

COMPONENT = Path(__file__).parents[2] / "templates" / "release.yml"
HERE = "models/triage"
RECIPE = 'name = "triage"\nversion = "{}"\nsource = "model.joblib"\nsamples = "samples.csv"\nlicenses = ["MIT"]\n'
AUTHOR = {f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Project:
    """A project of a GitLab with a channel on its runner.

    Args:
        folder: an empty folder.
        server: the GitLab.
        ca: file of the certificate authority that its runner was told.
    """

    def __init__(self, folder, server, ca):
        self.repository, self.channel = folder / "project", folder / "channel"
        self.repository.mkdir()
        self.home = folder / "home"
        self.home.mkdir()
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith(("SEALIFT_", "CI_", "GITLAB_"))
        }
        self.environment = {**ours, **AUTHOR, "HOME": str(self.home), "SEALIFT_SYSLOG": "none"}
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text("correct horse\n")
        self.passphrase.chmod(0o600)
        self.run("sealift-keys", "new", folder / "key.pem", "--passphrase-file", self.passphrase)
        self.run(
            *("sealift-keys", "init", self.channel, "--name", "models", "--key", folder / "key.pem"),
            *("--passphrase-file", self.passphrase),
        )
        self.variables = {
            "CI_JOB_TOKEN": "job",
            "CI_SERVER_TLS_CA_FILE": {"type": "file", "values": {"*": ca.read_text()}},
            "SEALIFT_RELEASE_KEY": {"type": "file", "values": {"sealift": (folder / "key.pem").read_text()}},
            "SEALIFT_RELEASE_PASSPHRASE": {"type": "file", "values": {"sealift": self.passphrase.read_text()}},
        }
        self._write(server.server_address[1])

    def _write(self, port):
        (self.repository / "templates").mkdir()
        shutil.copy(COMPONENT, self.repository / "templates")
        inputs = {"recipe": f"{HERE}/recipe.toml", "channel": str(self.channel)}
        component = "$CI_SERVER_FQDN/$CI_PROJECT_PATH/release@$CI_COMMIT_SHA"
        document = {"include": [{"component": component, "inputs": inputs}]}
        (self.repository / ".gitlab-ci.yml").write_text(yaml.safe_dump(document))
        self.folder = self.repository / HERE
        self.folder.mkdir(parents=True)
        (self.folder / "model.joblib").write_bytes(model_bytes())
        (self.folder / "samples.csv").write_text(SAMPLES)
        (self.repository / ".gitignore").write_text(".gitlab-ci-local*\n")
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", f"https://127.0.0.1:{port}/models/triage.git")
        self.commit("1.0.0")

    def commit(self, version):
        # A pipeline of GitLab has the artifacts of its own jobs; here they would stay.
        shutil.rmtree(self.repository / ".gitlab-ci-local", ignore_errors=True)
        (self.folder / "recipe.toml").write_text(RECIPE.format(version))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", version)

    def git(self, *arguments):
        return self.run("git", *arguments, cwd=self.repository).stdout

    def run(self, *arguments, cwd=None, status=0):
        done = subprocess.run(
            [str(one) for one in arguments],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def pipeline(self, *arguments, status=0, **variables):
        """Run the pipeline as on a runner with the shell executor; `arguments` may start manual jobs."""
        (self.repository / ".gitlab-ci-local-variables.yml").write_text(yaml.safe_dump({**self.variables, **variables}))
        done = self.run(
            *(Path(os.environ["GITLAB_CI_LOCAL"]).absolute(), "--home", self.home),
            *("--shell-executor-no-image", "--shell-isolation", "--no-artifacts-to-source", "--no-color", *arguments),
            cwd=self.repository,
            status=status,
        )
        return done.stdout + done.stderr

    def artifact(self, job, name):
        return self.repository / ".gitlab-ci-local" / "artifacts" / job / name

    def status(self):
        return json.loads(self.run("sealift-keys", "status", self.channel, "--json").stdout)


@pytest.fixture
def gitlab(tmp_path):
    (tmp_path / "ca").mkdir()
    ca = private_ca(tmp_path / "ca")
    with gitlab_server((ca / "server.pem", ca / "server.key")) as server:
        yield server


@pytest.fixture
def project(tmp_path, gitlab):
    return Project(tmp_path, gitlab, tmp_path / "ca" / "ca.pem")


def test_a_recipe_becomes_a_release_once_a_person_approves(project, gitlab, tmp_path):
    assert "sealift-approve is when:manual, its needed by sealift-pack" in project.pipeline(status=1)
    project.pipeline("--needs", "sealift-review")
    state = project.status()
    assert (state["released"], state["staged"]) == (0, 1)
    (waiting,) = state["contents"]["new"]
    assert waiting["provenance"]["pipeline"]["commit"] == project.git("rev-parse", "HEAD").strip()
    assert gitlab.files == {}
    for job, name in (("add", "report.html"), ("review", "preview.html"), ("review", "dossier/index.html")):
        assert "triage" in project.artifact(f"sealift-{job}", name).read_text()

    # The same model once more, in another checkout and another commit, which did not touch it: the same conversion.
    for path in project.folder.iterdir():
        os.utime(path, (1, 1))
    (project.repository / "README.md").write_text("Models.\n")
    project.commit("1.0.0")
    assert "unchanged triage 1.0.0" in project.pipeline("--manual", "sealift-approve")
    state = project.status()
    assert (state["released"], state["staged"], state["complete"]) == (1, 0, True)
    ((name, bundle),) = gitlab.files.items()
    assert name == ("models", "2", "models-2.tar")
    (asked,) = gitlab.releases.values()
    assert asked["ref"] == project.git("rev-parse", "HEAD").strip()
    (link,) = asked["assets"]["links"]
    port = gitlab.server_address[1]
    url = f"https://127.0.0.1:{port}/api/v4/projects/1217/packages/generic/models/2/models-2.tar"
    assert link == {"name": "models-2.tar", "url": url, "link_type": "package"}
    (tmp_path / "bundle.tar").write_bytes(bundle)
    verdict = project.run("sealift", "inspect", tmp_path / "bundle.tar", "--json")
    (inspected,) = json.loads(verdict.stdout)["models"]
    assert (inspected["digest"], inspected["provenance"]) == (waiting["digest"], waiting["provenance"])

    # Tried again, as after a lost answer; then added again, and a new version.
    project.pipeline("sealift-push")
    assert f"unchanged triage 1.0.0 {waiting['digest']}" in project.pipeline("sealift-add")
    project.commit("1.1.0")
    project.pipeline("--manual", "sealift-approve")
    assert sorted(gitlab.releases) == ["models-2", "models-3"]
    assert sorted(version for _, version, _ in gitlab.files) == ["2", "3"]


def test_what_is_refused_stops_the_pipeline(project, gitlab):
    """A login that GitLab does not take, after the approval; and a model that nobody could approve."""
    out = project.pipeline("--manual", "sealift-approve", status=1, CI_JOB_TOKEN="another")
    assert "requires a token" in out
    assert (gitlab.files, gitlab.releases) == ({}, {})
    (project.folder / "samples.csv").write_text("a\n1\n")
    project.commit("1.1.0")
    assert "expected [rows, 2]" in project.pipeline("--manual", "sealift-approve", status=1)
    assert (project.status()["released"], project.status()["staged"]) == (1, 0)
