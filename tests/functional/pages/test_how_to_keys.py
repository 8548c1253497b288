"""The how-to pages about keys, typed into a shell on a channel of five people."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from support.pages.admin_page import page_file
from support.pages.page_shell import Shell, commands, missing

from sealift_common.console import run
from sealift_keys.cli import command
from sealift_keys.keyfiles import pbes2

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse"
PEOPLE = ("alice", "bob", "carol", "builder", "approver")


@pytest.fixture(scope="module")
def five_people(tmp_path_factory) -> Path:
    """What run-a-key-ceremony leaves behind; made in this process, because scrambling keys takes its time."""
    directory = tmp_path_factory.mktemp("five")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("SEALIFT_PASSPHRASE", PASSPHRASE)
        patch.setattr(pbes2, "ROUNDS", 2048)
        for name in PEOPLE:
            assert run(command, "sealift-keys", ["new", f"{name}.pem"]) == 0
        root = [item for name in PEOPLE[:3] for item in ("--root-key", f"{name}.pem.pub")]
        targets = [item for name in PEOPLE[3:] for item in ("--targets-key", f"{name}.pem.pub")]
        machine = ["--snapshot-key", "builder.pem.pub", "--timestamp-key", "builder.pem.pub"]
        signers = [item for name in PEOPLE for item in ("--key", f"{name}.pem")]
        thresholds = ["--root-threshold", "2", "--targets-threshold", "2"]
        made = ["init", "channel", "--name", "gitlab-models", *root, *targets, *machine, *thresholds, *signers]
        assert run(command, "sealift-keys", made) == 0
    return directory


def follow(page: str, work: Path, **environment: str) -> None:
    """Type every command; each must succeed unless the page shows its status, and say what the page shows."""
    home = work.parent / "home"
    home.mkdir()
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "SEALIFT_PASSPHRASE": PASSPHRASE,
        **environment,
    }
    shell = Shell(work, variables | {key: value for key, value in os.environ.items() if key == "TMPDIR"})
    try:
        typed = commands(page_file(page).read_text("utf-8"))
        assert typed
        for one in typed:
            output = shell.type(one.command)
            status = shell.type("echo $status; (exit $status)")[0]
            said = f"$ {one.command}\nstatus {status}\nthe shell says:\n" + "\n".join(output)
            line = missing([line for line in one.shown if line != "…"], output)
            assert line is None, f"the page shows: {line}\n{said}"
            if not any("[" in shown and shown.startswith("sealift") for shown in one.shown):
                assert status == "0", said
    finally:
        shell.close()


@pytest.mark.parametrize(
    "page",
    [
        "rotate-a-key.md",
        "replace-a-lost-key.md",
        "respond-to-a-stolen-key.md",
        "require-a-post-quantum-signature.md",
        "watch-expiry.md",
    ],
)
def test_a_page_for_a_channel_of_five_people(tmp_path: Path, five_people: Path, page: str) -> None:
    work = tmp_path / "work"
    shutil.copytree(five_people, work)
    follow(page, work)


@pytest.mark.parametrize("page", ["run-a-key-ceremony.md", "use-the-system-openssl.md"])
def test_a_page_that_starts_with_nothing(tmp_path: Path, page: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    follow(page, work)


def test_the_page_about_tokens(tmp_path: Path, require_tool) -> None:
    for tool in ("softhsm2-util", "pkcs11-tool"):
        require_tool(tool)
    work = tmp_path / "work"
    work.mkdir()
    follow("use-an-hsm.md", work)
