"""One bundle of each form that a release could pack: every later Sealift installs it, and answers as it did.

`sealift-<version>/<form>` holds the root that an instance pins, and what is installed in turn: a bundle, a differential one
after it, or a folder of parts. They were packed by that version (`pack_release.py`); their keys are gone.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.release.command_line import in_process

from sealift.cli import cli
from sealift_pipeline.training.chain.bundle import walk

RELEASES = sorted(path for path in Path(__file__).parent.glob("sealift-*") if path.is_dir())
FORMS = [form for release in RELEASES for form in sorted(release.iterdir()) if form.is_dir()]
EXPECTED = {
    "a-side-file": {"newer": "1.0.0", "toy": "1.0.0"},
    "a-text-encoder": {"newer": "1.0.0", "toy": "1.0.0"},
    "differential": {"toy": "1.1.0"},
    "golden-examples-as-bytes": {"newer": "1.0.0", "toy": "1.0.0"},
    "in-parts": {"toy": "1.0.0"},
    "reviewed": {"toy": "1.0.0"},
    "several-graphs": {"newer": "1.0.0", "toy": "1.0.0"},
    "text-without-zeros": {"newer": "1.0.0", "toy": "1.0.0"},
    "trained": {"triage": "1.0.0"},
    "weights-in-GGUF": {"newer": "1.0.0", "toy": "1.0.0"},
    "weights-in-safetensors": {"newer": "1.0.0", "toy": "1.0.0"},
}


def made(form: Path) -> datetime:
    return datetime.fromisoformat((form.parent / "made").read_text().strip()).astimezone(UTC)


def test_each_form_is_there():
    assert {release.name: sorted(form.name for form in FORMS if form.parent == release) for release in RELEASES} == {
        "sealift-0.2.0": sorted(EXPECTED)
    }


@pytest.mark.parametrize("form", FORMS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_it_installs_and_answers(form, instance):
    instance.pin((form / "1.root.json").read_bytes())
    # Each install replays the golden examples, so it says whether a model answers as it did.
    for source in sorted(path for path in form.iterdir() if path.name != "1.root.json"):
        instance.install(source, now=made(form))
    listed = in_process(cli, "list", "--json", environment=instance.environment)
    found = json.loads(listed.stdout)
    assert {one["name"]: one["version"] for one in found} == EXPECTED[form.name]
    assert in_process(cli, "check", environment=instance.environment).returncode == 0
    if "toy" in EXPECTED[form.name]:
        rows = [[2.0, 2.0, 0.0, 0.0], [-2.0, -2.0, 0.0, 0.0]]
        assert instance.store.load("toy").predict(rows).tolist() == [1, 0]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_the_chain_of_a_trained_version_holds(release):
    folder = release / "trained"
    walked = walk(folder / "1.tar", (folder / "1.root.json").read_bytes(), now=made(folder))
    (linked,) = walked.linked
    assert (str(linked.manifest.model), linked.snapshot.kind) == ("triage 1.0.0", "issue")
