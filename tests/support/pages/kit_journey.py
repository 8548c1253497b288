"""From nothing to a prediction: the page about bare systems, typed into one of them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support.machine.bare_system import BareSystem
from support.pages.page_shell import Shell, commands, missing, unindented
from support.release.channel_simulator import ChannelSimulator

from sealift_bundler import convert

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "deploy" / "start-on-a-bare-system.md"
# What the page is written for; anyone who follows it puts in what their own system is.
WRITTEN_FOR = {"platform": "linux-x86_64", "python": "3.11"}
CARRIED = "sealift-kit.tar", "gitlab-models.tar"


def triage() -> tuple[pd.DataFrame, Pipeline]:
    """Issues, as text and number, and a model that finds the urgent ones."""
    kinds, comments = ["bug", "bug", "idea", "question"] * 10, [n % 7 for n in range(40)]
    issues = pd.DataFrame({"kind": kinds, "comments": np.array(comments, float)})
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), (StandardScaler(), ["comments"]))
    urgent = np.where((issues["kind"] == "bug") & (issues["comments"] > 2), "urgent", "later")
    return issues, make_pipeline(columns, LogisticRegression()).fit(issues, urgent)


def release(place: Path) -> ChannelSimulator:
    """Make a channel that has one release of one model."""
    channel = ChannelSimulator(place, name="gitlab-models")
    issues, model = triage()
    channel.add("issue-triage", "1.4.0", convert(model, issues, name="issue-triage", version="1.4.0").files)
    channel.release()
    return channel


@contextmanager
def _outside(build_machine: Path) -> Iterator[Shell]:
    """A release engineer's shell."""
    (build_machine / "home").mkdir()
    kept = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_")) or key == "TMPDIR"}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    shell = Shell(build_machine, {"PATH": path, "HOME": str(build_machine / "home"), "LANG": "C.UTF-8", **kept})
    try:
        yield shell
    finally:
        shell.close()


@contextmanager
def inside(system: BareSystem) -> Iterator[Shell]:
    """The shell of its administrator."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    shell = Shell(system.root, environment, system.enter)
    try:
        for command in (*system.prepare, "cd /root"):
            assert shell.type(command) == [""]
        yield shell
    finally:
        shell.close()


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


def page_for(system: BareSystem) -> str:
    """The page with what this system is in the place of what the page's system is."""
    page = PAGE.read_text("utf-8")
    for name, written in WRITTEN_FOR.items():
        assert written in page
        page = page.replace(written, getattr(system, name))
    return page


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


def leads_to_a_prediction(system: BareSystem, build_machine: Path) -> None:
    """Follow the page from the kit's making to the answers of the model, through an upgrade and back."""
    before, heading, after = page_for(system).partition("## Check the kit\n")
    assert heading
    first, heading, later = after.partition("## Upgrade Sealift with a newer kit\n")
    assert heading
    upgrade, heading, back = later.partition("To go back, also without the kit:\n")
    assert heading

    release(build_machine / "channel")
    with _outside(build_machine) as outside:
        made = follow(outside, before)
    issues, model = triage()
    home = system.root / "root"
    for name in CARRIED:
        (home / name).write_bytes((build_machine / name).read_bytes())
    (home / "new-issues.csv").write_text(issues.to_csv(index=False))

    with inside(system) as shell:
        is_as_bare_as_promised(shell, system)
        seen = follow(shell, first)
        (kit_said,) = (lines for command, lines in made.items() if "bundler kit" in command)
        published = next(line for line in kit_said if line.startswith("sha256:")).removeprefix("sha256:")
        assert seen["sha256sum sealift-kit.tar"] == [f"{published}  sealift-kit.tar"]
        fingerprint = re.search(r"fingerprint: ([0-9a-f ]+)", "\n".join(kit_said))
        assert fingerprint
        assert f"fingerprint: {fingerprint[1]}" in seen["sealift trust init 1.root.json"]
        assert seen["sealift predict issue-triage --input new-issues.csv"] == model.predict(issues).tolist()

        make_newer(build_machine / "sealift-kit.tar", home / "newer-kit.tar")
        store, current = (system.root / name for name in ("var/opt/gitlab/sealift", "opt/sealift/current"))
        kept, old = content(store), os.readlink(current)
        for part, served in ((upgrade, "newer"), (back, "old")):
            follow(shell, part)
            assert (os.readlink(current) == old) == (served == "old")
            answers = [line for line in shell.type("sealift predict issue-triage --input ../new-issues.csv") if line]
            assert answers == model.predict(issues).tolist()
            assert content(store) == kept

        # What every user needs is readable by every user.
        assert [
            line for line in shell.type("find /opt/sealift -not -type l -not -name .lock -not -perm -o+r") if line
        ] == []
        shown = shell.type("cat /opt/sealift/current/share/doc/sealift/index.html")
        assert "<title>Documentation</title>" in "\n".join(shown)


def is_as_bare_as_promised(shell: Shell, system: BareSystem) -> None:
    """What it is, and what it lacks: a way out, pip, and what `python3 -m venv` needs for it."""
    said = [shell.type(command)[0] for command in ("uname -m", "python3 --version")]
    assert said[0] == system.platform.removeprefix("linux-")
    assert said[1].startswith(f"Python {system.python}.")
    devices = shell.type("sed -n '3,$p' /proc/net/dev | cut -d: -f1")
    assert [line.strip() for line in devices if line] == ["lo"]
    for module in ("pip", "ensurepip"):
        assert "No module named" in "\n".join(shell.type(f"python3 -m {module} --version"))
