"""Who approved what until when, on the instance; and the statements for tools that know nothing of Sealift."""

import json
import re
from functools import partial
from pathlib import Path

import pytest
from support.pages.admin_page import page_file
from support.pages.dossiers import HOSTILE
from support.pages.page_shell import Shell, commands, missing
from support.pages.structure import Structure
from support.release.instance import Instance
from support.release.reviews import ReviewedChannel

from sealift.cli import cli
from sealift_common import fingerprint
from sealift_common.names import ModelVersion

NOTE = HOSTILE.replace("\u202e", "").replace("\u202c", "")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An instance with one version that two people approved, and one that nobody was asked about."""
    folder = tmp_path_factory.mktemp("reviewed")
    sim = ReviewedChannel(folder / "ch", ())
    sim.add("plain", "1.0.0")
    sim.release()
    sim.join("security", "ada")
    sim.join("legal", "bob")
    model = sim.stage("1.4.0", "limited", name="issue-triage")
    sim.say(model, "security", "ada")
    sim.say(model, "legal", "bob", note="licenses checked")
    sim.release()
    instance = Instance(folder / "instance")
    instance.pin(sim.root_bytes)
    instance.install(sim.pack(folder / "b.tar"))
    return sim, instance


@pytest.fixture
def sealift(made, call, monkeypatch, tmp_path):
    made[1].export(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return partial(call, cli)


def test_who_approved_until_when(made, sealift):
    sim, instance = made
    before = instance.snapshot()
    status, out, err = sealift("review", "issue-triage")
    assert (status, err) == (0, "")
    assert "issue-triage 1.4.0   channel sim, release " in out
    assert "policy   neither the channel nor this instance asks for approvals" in out
    assert re.search(r"\nlegal +approved +bob +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d +licenses checked\n", out)
    document = json.loads(sealift("review", "issue-triage", "--json")[1])
    assert [one["by"] for one in document["decisions"]] == ["bob", "ada"]
    assert document["decisions"][1]["fingerprint"] == fingerprint.of_key(sim.people["ada"].public_key)
    assert (document["roles"], document["unmet"], document["attestations"]) == (None, [], [])
    assert document["record"].startswith("sha256:")
    assert instance.snapshot() == before


def test_a_policy_is_judged_and_the_status_stays_zero(made, sealift):
    _, instance = made
    policy = instance.trust_path / "policy.toml"
    policy.write_text('schema = "sealift.policy/1"\n[require]\nroles = ["security", "privacy"]\n')
    try:
        status, out, _ = sealift("review", "issue-triage")
        assert status == 0
        assert "policy   asked for here: security, privacy\n" in out
        assert "it is not loaded here: channel 'sim' has no reviewers for 'privacy'\n" in out
        assert sealift("review", "issue-triage", "--html", "r.html")[0] == 0
        assert "It is not loaded: channel 'sim' has no reviewers" in Structure(Path("r.html").read_text()).text
        policy.write_text(
            'schema = "sealift.policy/1"\n[require]\nroles = ["security"]\n[[except]]\n'
            f'digest = "{sim_digest(made[0], "plain", "1.0.0")}"\nreason = "before reviews"\nuntil = 2099-03-01\n'
        )
        assert "excepted until 2099-03-01: before reviews" in sealift("review", "plain")[1]
    finally:
        policy.unlink()


def sim_digest(sim, name, version):
    return sim.digest(ModelVersion.parse(name, version))


def test_a_version_without_decisions_and_a_model_that_is_not_there(sealift):
    status, out, _ = sealift("review", "plain", "--attestations", "none")
    assert status == 0
    assert "nobody has decided about this version" in out
    assert list(Path("none").iterdir()) == []
    for words in (("review", "unknown"), ("review", "issue-triage", "--version", "9.0.0")):
        status, out, err = sealift(*words)
        assert (status, out) == (31, "")
        assert "[not-installed]" in err


def test_a_rejection_with_a_hostile_note_is_shown_and_obeyed_by_nobody(tmp_path, call, monkeypatch, no_replay):
    sim = ReviewedChannel(tmp_path / "ch")
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    sim.release()
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    instance.install(sim.pack(tmp_path / "b.tar"))
    sim.say(model, "legal", "bob", "rejected", note=NOTE)
    sim.release()
    instance.install(sim.pack(tmp_path / "c.tar"))
    instance.export(monkeypatch)
    page = tmp_path / "r.html"
    status, out, err = call(cli, "review", "toy", "--html", page, "--attestations", tmp_path / "a")
    assert status == 0, err
    assert "rejected" in out
    found = Structure(page.read_text("utf-8"))
    assert (found.problems, NOTE in found.text) == ([], True)
    assert not {"script", "img"} & found.tags
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "a").iterdir()) == [
        "legal", "security", "toy@1.0.0.legal", "toy@1.0.0.security",
    ]  # fmt: skip


def test_the_page_about_it_is_typed(made, tmp_path, require_tool):
    for tool in ("openssl", "jq"):
        require_tool(tool)
    import sys

    text = page_file("show-who-approved.md").read_text("utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "check.py").write_text(script)
    (tmp_path / "store").symlink_to(made[1].store_path)
    environment = {**made[1].environment, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LANG": "C.UTF-8"}
    shell = Shell(tmp_path, environment)
    try:
        typed = commands(text.replace("gitlab-models", "sim"))
        assert len(typed) > 10
        for one in typed:
            output = shell.type(one.command)
            status = shell.type("echo $status; (exit $status)")[0]
            refused = any("VerificationError" in shown for shown in one.shown)
            assert (status != "0") == refused, f"$ {one.command}\n" + "\n".join(output)
            line = missing([line for line in one.shown if line != "…"], output)
            assert line is None, f"the page shows: {line}\n$ {one.command}\n" + "\n".join(output)
        # One flipped bit of what is signed, and openssl refuses it.
        (verify,) = [one.command for one in typed if one.command.startswith("openssl dgst")]
        (tmp_path / "signed").write_bytes((tmp_path / "signed").read_bytes()[:-1] + b"|")
        assert shell.type(verify)[0] == "Verification failure"
    finally:
        shell.close()
    digest = made[0].digest(ModelVersion.parse("issue-triage", "1.4.0")).removeprefix("sha256:")
    assert digest in (tmp_path / "payload").read_text()


def test_models_are_completed(made, sealift):
    import click

    from sealift.cli.state.review import command

    context = click.Context(command)
    (name,) = [parameter for parameter in command.params if parameter.name == "name"]
    found = [item.value for item in name.shell_complete(context, "issue")]
    assert found == ["issue-triage"]
