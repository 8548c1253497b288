"""From nothing to a prediction: one page, typed into a Debian system that has Python and no network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mounts
import numpy as np
import pandas as pd
import pytest
from channel_simulator import ChannelSimulator
from page_shell import Shell, commands, missing, unindented
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift_bundler import convert

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "start-on-a-bare-system.md"
# Its Python is the one that the page names.
SUITE = "bookworm"
CARRIED = "sealift-kit.tar", "gitlab-models.tar"


def mirror() -> str:
    """Where this machine's apt fetches Debian from; no address of our own."""
    fields = "$(ORIGIN) $(COMPONENT) $(REPO_URI)"
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in said.splitlines():
        origin, component, address = line.split()
        if (origin, component) == ("Debian", "main") and "security" not in address:
            return address
    pytest.fail("apt knows no Debian mirror, so debootstrap has none to take a bare system from")


@pytest.fixture(scope="session")
def bare_system(tmp_path_factory, require_tool):
    """A minimal Debian with Python, in memory: dpkg syncs every file, which takes minutes on a disk."""
    with mounts.tmpfs(tmp_path_factory.mktemp("bare"), "size=1200m") as root:
        mounts.command(require_tool("debootstrap"), "--variant=minbase", "--include=python3", SUITE, root, mirror())
        yield root


def triage() -> tuple[pd.DataFrame, Pipeline]:
    """Issues, as text and number, and a model that finds the urgent ones."""
    kinds, comments = ["bug", "bug", "idea", "question"] * 10, [n % 7 for n in range(40)]
    issues = pd.DataFrame({"kind": kinds, "comments": np.array(comments, float)})
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), (StandardScaler(), ["comments"]))
    urgent = np.where((issues["kind"] == "bug") & (issues["comments"] > 2), "urgent", "later")
    return issues, make_pipeline(columns, LogisticRegression()).fit(issues, urgent)


@pytest.fixture
def build_machine(tmp_path) -> Path:
    """The folder of a release engineer whose channel has one release of one model."""
    channel = ChannelSimulator(tmp_path / "channel", name="gitlab-models")
    issues, model = triage()
    channel.add("issue-triage", "1.4.0", convert(model, issues, name="issue-triage", version="1.4.0").files)
    channel.release()
    (tmp_path / "home").mkdir()
    return tmp_path


@pytest.fixture
def outside(build_machine):
    kept = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_")) or key == "TMPDIR"}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    shell = Shell(build_machine, {"PATH": path, "HOME": str(build_machine / "home"), "LANG": "C.UTF-8", **kept})
    yield shell
    shell.close()


@pytest.fixture
def inside(bare_system, tmp_path, require_tool):
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    # `--net`: a network of its own, in which there is no way out.
    shell = Shell(
        tmp_path, environment, (require_tool("unshare"), "--net", "--mount", require_tool("chroot"), str(bare_system))
    )
    for command in ("mount -t proc proc /proc", "cd /root"):
        assert shell.type(command) == [""]
    yield shell
    shell.close()


def make_newer(kit: Path, path: Path) -> None:
    """A kit as a later one is: with another list of digests, which gives it an environment of its own."""
    folder = kit.parent / "newer"
    folder.mkdir()
    script = (
        f"tar -xf {kit} -C {folder} && cd {folder}/* && echo 'This kit is newer.' >>README.md && rm SHA256SUMS && "
        f"find . -type f -printf '%P\\n' | sort | xargs sha256sum >../SHA256SUMS && mv ../SHA256SUMS . && "
        f"tar -cf {path} -C {folder} $(ls {folder})"
    )
    subprocess.run(["bash", "-euc", script], check=True)


def content(store: Path) -> dict[str, bytes | str]:
    """Everything in a store."""
    paths = [path for path in store.rglob("*") if path.is_symlink() or path.is_file()]
    return {
        str(path.relative_to(store)): os.readlink(path) if path.is_symlink() else path.read_bytes() for path in paths
    }


def follow(shell: Shell, part: str) -> dict[str, list[str]]:
    """Type every command of a part of the page; return what each said."""
    said = {}
    for one in commands(unindented(part)):
        output = shell.type(one.command)
        status = shell.type("echo $status; (exit $status)")[0]
        spoken = f"$ {one.command}\nstatus {status}\nthe shell says:\n" + "\n".join(output)
        line = missing([line for line in one.shown if line != "…"], output)
        assert line is None, f"the page shows: {line}\n{spoken}"
        assert status == "0", spoken
        if not one.shown:
            assert [line for line in output if line] == [], f"says more than the page\n{spoken}"
        said[one.command] = [line for line in output if line]
    return said


def test_the_page_leads_from_nothing_to_a_prediction_without_a_network(bare_system, build_machine, outside, inside):
    # What a bare system lacks: a way out, pip, and what `python3 -m venv` needs for it.
    devices = inside.type("sed -n '3,$p' /proc/net/dev | cut -d: -f1")
    assert [line.strip() for line in devices if line] == ["lo"]
    for module in ("pip", "ensurepip"):
        assert "No module named" in "\n".join(inside.type(f"python3 -m {module} --version"))

    before, heading, after = PAGE.read_text("utf-8").partition("## Check the kit\n")
    assert heading
    made = follow(outside, before)
    issues, model = triage()
    for name in CARRIED:
        (bare_system / "root" / name).write_bytes((build_machine / name).read_bytes())
    (bare_system / "root" / "new-issues.csv").write_text(issues.to_csv(index=False))
    first, heading, later = after.partition("## Upgrade Sealift by a newer kit\n")
    assert heading
    seen = follow(inside, first)

    (kit_said,) = (lines for command, lines in made.items() if "bundler kit" in command)
    published = next(line for line in kit_said if line.startswith("sha256:")).removeprefix("sha256:")
    assert seen["sha256sum sealift-kit.tar"] == [f"{published}  sealift-kit.tar"]
    fingerprint = re.search(r"fingerprint: ([0-9a-f ]+)", "\n".join(kit_said))
    assert fingerprint
    assert f"fingerprint: {fingerprint[1]}" in seen["sealift trust init 1.root.json"]
    assert seen["sealift predict issue-triage --input new-issues.csv"] == model.predict(issues).tolist()

    upgrade, heading, back = later.partition("To go back, also without the kit:\n")
    assert heading
    make_newer(build_machine / "sealift-kit.tar", bare_system / "root" / "newer-kit.tar")
    store = bare_system / "var" / "opt" / "gitlab" / "sealift"
    kept, old = content(store), os.readlink(bare_system / "opt" / "sealift" / "current")
    for part, served in ((upgrade, "newer"), (back, "old")):
        follow(inside, part)
        assert (os.readlink(bare_system / "opt" / "sealift" / "current") == old) == (served == "old")
        answers = [line for line in inside.type("sealift predict issue-triage --input ../new-issues.csv") if line]
        assert answers == model.predict(issues).tolist()
        assert content(store) == kept

    # What every user needs is readable by every user.
    assert [line for line in inside.type("find /opt/sealift -not -type l -not -perm -o+r") if line] == []
    assert "<title>Documentation</title>" in "\n".join(
        inside.type("cat /opt/sealift/current/share/doc/sealift/index.html")
    )
