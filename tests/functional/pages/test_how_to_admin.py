"""The how-to pages for admins, typed into a shell on an instance of the test's own."""

import re
import shlex
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from support.machine.containers import instructions, stages
from support.machine.sudo_stand_in import USERS
from support.pages import chart
from support.pages.admin_page import Page, carry, page_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def carried(tmp_path_factory) -> Path:
    return carry(tmp_path_factory.mktemp("carried"))


@pytest.fixture
def page(tmp_path: Path, carried: Path) -> Page:
    return Page(tmp_path, carried)


def test_install_a_release(page: Page) -> None:
    page.follow("install-a-release.md")


def test_upgrade_a_release(page: Page) -> None:
    page.follow("upgrade-a-release.md", "sealift trust init 1.root.json", "sealift install gitlab-models-2.tar")


def test_roll_back_a_release(page: Page) -> None:
    installs = [f"sealift install gitlab-models-{number}.tar" for number in (2, 3)]
    page.follow("roll-back-a-release.md", "sealift trust init 1.root.json", *installs)


def test_use_with_omnibus_gitlab(page: Page) -> None:
    """Two users without accounts: what `sudo` and `install` call by name here are numbers."""
    page.work.parent.chmod(0o755)
    stand_in = [sys.executable, str(ROOT / "tests/support/machine/sudo_stand_in.py"), str(page.work.parent)]
    page.tool("sudo", f'exec {shlex.join(stand_in)} "$@"')
    names = " ".join(f"s/^{name}$/{uid}/;" for name, uid in USERS.items())
    page.tool("install", f"""exec /usr/bin/install $(printf '%s\\n' "$@" | sed -e '{names}')""")
    page.follow("use-with-omnibus-gitlab.md")
    assert page.store.stat().st_uid == USERS["sealift"]
    backups = page.work.parent / "backups"
    assert [path.name for path in backups.iterdir()] == ["store.tar"]


def test_what_is_not_run_is_only_what_needs_more_than_this_machine() -> None:
    """Blocks that no test types: building images, other people's clusters, settings of a shell; kits have a page."""
    for name in ("install-a-release", "upgrade-a-release", "roll-back-a-release", "use-in-a-container"):
        blocks = re.findall(r"```shell\n(.*?)```", page_file(f"{name}.md").read_text("utf-8"), re.DOTALL)
        for line in (line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()):
            assert not line or re.match(
                r"(docker (build|run --detach)|pip |sealift-bundler kit |python3 -I install\.py |export )", line
            )


def test_use_in_a_container(page: Page) -> None:
    stand_in = ROOT / "tests/support/machine/docker_stand_in.py"
    page.tool("docker", f'exec {shlex.quote(sys.executable)} {shlex.quote(str(stand_in))} "$@"')
    page.follow("use-in-a-container.md")
    assert page.store.stat().st_uid == 10001


def test_the_images_of_the_page_are_those_of_the_dockerfile() -> None:
    text = page_file("use-in-a-container.md").read_text("utf-8")
    serving = page_file("run-the-model-server.md").read_text("utf-8")
    named = {
        *re.findall(r"--target (\S+) -t \1 ", text),
        *re.findall(r"--target (\S+) -t sealift-\1:", serving),
    }
    assert named == set(stages()) - {"build", "build-server"}
    (base,) = {value.partition("=")[2] for name, value in instructions() if name == "ARG"}
    assert set(re.findall(r"--build-arg BASE=(\S+)", text + serving)) == {base}


def test_the_page_about_helm_sets_what_the_chart_knows() -> None:
    text = page_file("use-with-helm.md").read_text("utf-8")
    given = set(re.findall(r"--set(?:-file)? (\w+)=", text))
    assert given == {"root", "bundle", "model", "sealiftImage", "applicationImage"}
    assert given <= set(chart.default_values())
    values = [yaml.safe_load(dedent(block)) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(values) == 2
    assert {name for block in values for name in block} <= set(chart.default_values())
    containers = chart.render({}, "triage")["Deployment"]["spec"]["template"]["spec"]
    named = [container["name"] for container in containers["initContainers"] + containers["containers"]]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == named
