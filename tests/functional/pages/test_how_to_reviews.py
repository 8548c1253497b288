"""The pages of the five people of a review, followed by them in turn: every command that a page shows is typed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import joblib
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from support.pages.admin_page import page_file

from sealift_bundler.review.template import template
from sealift_common.console import run
from sealift_common.review.questionnaire import default_bytes, parse_questionnaire
from sealift_keys.cli import command
from sealift_keys.keyfiles import pbes2

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse"

ANSWERED = {
    "purpose": '"Proposes a label for a new issue."',
    "users": '["maintainers"]',
    "decision": '"advises"',
    "security_model": "false",
    "out_of_scope": '["closing issues without a person"]',
    "name": '"issues of public projects"',
    "owner": '"the triage team"',
    "classification": '"public"',
    "personal_data": "true",
    "legal_basis": '"legitimate interest"',
    "retention": '"a year after training"',
    "dpia": '"DPIA 2026-14"',
    "license": '"CC-BY-4.0"',
    "private_projects": "false",
    "steps": '["names removed"]',
    "anonymization": '"names removed"',
    "min_document_frequency": "5",
    "model": '"MIT"',
    "data": '["CC-BY-4.0"]',
    "control": '"none applies"',
    "metrics": "{accuracy = 0.93}",
    "mitigation": '"a person decides"',
    "known": '["other languages"]',
    "source": '"generated"',
}


class Desk:
    """A folder with what the pages take for given, and a shell that types their blocks in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "SEALIFT_PASSPHRASE": PASSPHRASE,
            **({"TMPDIR": os.environ["TMPDIR"]} if "TMPDIR" in os.environ else {}),
        }
        self.digest = ""

    def type(self, command: str, status: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def page(self, name: str, section: str, status: int = 0) -> str:
        """Type every command of a section; the digest is the one that was looked at."""
        text = page_file(f"{name}.md").read_text("utf-8")
        part = re.split(r"^## ", text, flags=re.MULTILINE)
        (body,) = [one for one in part if one.startswith(section + "\n")]
        blocks = [dedent(block) for block in re.findall(r"^ *```shell\n(.*?)^ *```$", body, re.DOTALL | re.MULTILINE)]
        blocks += re.findall(r"^1\. Run `(sealift\S* [^`]*)`", body, re.MULTILINE)
        assert blocks, f"{name}: {section}"
        return "".join(self.type(re.sub(r"sha256:\S*…", self.digest, block), status) for block in blocks)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = Desk(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", PASSPHRASE)
    # What is there already; scrambling keys takes its time.
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    root = ["--root-key", "alice.pem.pub", "--root-key", "bob.pem.pub", "--root-threshold", "2"]
    machine = [word for role in ("targets", "snapshot", "timestamp") for word in (f"--{role}-key", "builder.pem.pub")]
    signers = [word for name in ("alice", "bob", "builder") for word in ("--key", f"{name}.pem")]
    for name in ("alice", "bob", "builder", "legal", "privacy"):
        assert run(command, "sealift-keys", ["new", f"{name}.pem"]) == 0
    assert run(command, "sealift-keys", ["init", "channel", "--name", "gitlab-models", *root, *machine, *signers]) == 0
    texts = ["the pipeline fails", "the runner hangs", "add a button", "show a page"] * 10
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["bug", "bug", "wish", "wish"] * 10)
    joblib.dump(model, tmp_path / "model.joblib")
    (tmp_path / "samples.txt").write_text("\n".join(texts) + "\n")
    (tmp_path / "recipe.toml").write_text(
        'name = "issue-triage"\nversion = "1.4.0"\nsource = "model.joblib"\nsamples = "samples.txt"\n'
        'licenses = ["MIT"]\n'
    )
    return made


def fill_in(text: str) -> str:
    """Do what the page says: remove the `#` before each question that is asked, and write the answer."""
    names = "|".join(ANSWERED)
    return re.sub(rf"^# ({names}) = .*$", lambda found: f"{found[1]} = {ANSWERED[found[1]]}", text, flags=re.MULTILINE)


def test_five_people_bring_a_model_out(desk):
    # The release manager names the reviewers.
    said = desk.page("run-reviews", "Name the reviewers")
    assert "reviewers for legal: added 'legal'" in said
    desk.type("sealift-keys reviewer channel --role privacy --add privacy.pem.pub --key alice.pem --key bob.pem")
    # The author answers.
    desk.page("answer-for-reviewers", "Begin")
    review = desk.folder / "review.toml"
    assert review.read_text() == template("issue-triage", parse_questionnaire(default_bytes()))
    with (desk.folder / "recipe.toml").open("a") as file:
        file.write('review = "review.toml"\n')
    assert "questions of class 'limited' are not answered" in desk.page("answer-for-reviewers", "Fill it in", 52)
    review.write_text(fill_in(review.read_text()))
    said = desk.page("answer-for-reviewers", "Fill it in")
    desk.digest = re.findall(r"added issue-triage 1\.4\.0 (sha256:\w+)", said)[0]
    # Each reviewer gets a copy, reads the dossier, and decides.
    for role in ("security", "legal", "privacy"):
        desk.type("rm -rf copy dossier; cp -r channel copy")
        assert desk.digest in desk.page(f"review-for-{role}", "Look")
        assert "<title>issue-triage 1.4.0: dossier" in (desk.folder / "dossier/issue-triage@1.4.0.html").read_text()
        assert f"approved for {role} until" in desk.page(f"review-for-{role}", "Decide")
        if role == "security":
            assert "legal: 0 of 1 approvals" in desk.type(
                "sealift-bundler release --channel channel --key builder.pem", 61
            )
        desk.type("sealift-keys merge channel copy")
    # The release manager releases.
    said = desk.page("run-reviews", "Release")
    assert "made release 2 of channel 'gitlab-models': 1 model version" in said
    assert "packed" in desk.type("sealift-bundler pack --channel channel -o . && echo packed")
