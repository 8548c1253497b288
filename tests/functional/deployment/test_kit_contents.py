"""What is in a kit, that it is the same twice, and how it is signed."""

import hashlib
import json
import os
import platform
import posixpath
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support.kits.real import ELSEWHERE, HERE, OTHER, PLATFORM, kit

from sealift_bundler.kit import carried
from sealift_bundler.kit.lock import parse_lock
from sealift_bundler.kit.target import PLATFORMS, Target
from sealift_common.console import run
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command as keys

pytestmark = pytest.mark.slow

BUNDLER = "from sealift_bundler.cli import main; main()"


def test_every_wheel_is_one_of_the_lock_and_every_file_is_in_the_list(unpacked, kit_channel):
    target = Target(PLATFORM, HERE)
    pins = [pin for name in ("base.lock", "kit.lock") for pin in parse_lock(carried.lock(name).read_text(), target)]
    locked = {digest for pin in pins for digest in pin.digests}
    wheels = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (unpacked / "wheels").iterdir()}
    (own,) = (name for name in wheels if name.startswith("sealift-"))
    assert {digest for name, digest in wheels.items() if name != own} <= locked
    assert len(wheels) == len(pins) + 1

    wanted = (unpacked / "requirements" / f"{target.interpreter}.txt").read_text()
    assert set(re.findall(r"sha256:([0-9a-f]{64})", wanted)) == {
        digest for name, digest in wheels.items() if not name.startswith("pip-")
    }
    listed = {line.split("  ")[1] for line in (unpacked / "SHA256SUMS").read_text().splitlines()}
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert files - listed == {"SHA256SUMS"}
    assert listed <= files
    assert (unpacked / "1.root.json").read_bytes() == Channel.open(kit_channel).root_bytes(1)
    assert "`gitlab-models`" in (unpacked / "README.md").read_text()


def test_the_tar_names_no_user_and_no_moment_of_its_making(downloaded):
    with tarfile.open(downloaded) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname, member.mode) for member in members} == {
        (0, 0, "", "", 0o644)
    }
    assert len({member.mtime for member in members}) == 1
    assert [member.name for member in members] == sorted(member.name for member in members)


def test_the_same_wheels_give_the_same_bytes_and_no_connection(
    downloaded, unpacked, kit_channel, tmp_path, monkeypatch
):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "1.root.json").write_bytes(Channel.open(kit_channel).root_bytes(1))
    words = ["--platform", PLATFORM, "--python", HERE, "--wheels", unpacked / "wheels"]
    root = ["--root", tmp_path / "1.root.json"]
    # The kernel kills whatever opens a socket.
    again = [
        sys.executable,
        Path(__file__).parents[2] / "support/machine/no_internet.py",
        sys.executable,
        "-c",
        BUNDLER,
        "kit",
    ]
    subprocess.run([*again, *words, *root, "-o", tmp_path / "again.tar"], check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "again.tar").read_bytes() == downloaded.read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    kit(*words, *root, "-o", tmp_path / "dated.tar")
    with tarfile.open(tmp_path / "dated.tar") as archive:
        assert {member.mtime for member in archive} == {1700000000}


def test_what_takes_text_travels_on_request_with_its_licence(for_another_machine, unpacked):
    def there(kit):
        return [path.name for path in (kit / "wheels").iterdir() if path.name.startswith("tokenizers-")]

    assert there(unpacked) == []
    assert not (unpacked / "licenses").exists()
    (wheel,) = there(for_another_machine)
    assert wheel.endswith("aarch64.whl")
    assert "Apache License" in (for_another_machine / "licenses/tokenizers.txt").read_text()
    target = Target(ELSEWHERE, OTHER)
    assert "tokenizers==" in (for_another_machine / f"requirements/{target.interpreter}.txt").read_text()
    # Its client of a model hub stays away.
    assert not list((for_another_machine / "wheels").glob("huggingface*"))


def test_the_model_server_travels_on_request_and_its_units_always(for_another_machine, unpacked):
    def packages(kit):
        return {path.name.split("-")[0] for path in (kit / "wheels").iterdir()}

    assert packages(for_another_machine) - packages(unpacked) == {"h11", "httptools", "tokenizers", "uvicorn"}
    for folder in (for_another_machine, unpacked):
        carried_in = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in (folder / "deploy").rglob("*")
            if path.is_file()
        }
        root = Path(__file__).parents[3]
        ours = [*(root / "deploy" / "systemd").iterdir(), *(root / "deploy").glob("prometheus-*.yml")]
        assert carried_in == {path.relative_to(root).as_posix(): path.read_bytes() for path in ours}


def test_bash_completes_the_commands_of_a_kit(unpacked):
    for name, words, expected in (("sealift", "serv", "serve"), ("sealift-keys", "thresh", "threshold")):
        script = unpacked / "completion" / "bash" / name
        asked = (
            f"COMP_WORDS=({name} {words}) COMP_CWORD=1; _{name.replace('-', '_')}_completion {name}; echo $COMPREPLY"
        )
        typed = f"source {shlex.quote(str(script))} && {asked}"
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.split() == [expected], done.stderr


def test_a_kit_for_another_platform_holds_its_wheels_and_no_root(for_another_machine):
    names = {path.name for path in (for_another_machine / "wheels").iterdir()}
    tag = f"cp{OTHER.replace('.', '')}"
    assert not [name for name in names if platform.machine() in name]
    for package in ("onnxruntime", "numpy", "backports_zstd"):
        assert [
            name
            for name in names
            if name.startswith(f"{package}-") and f"-{tag}-" in name and PLATFORMS[ELSEWHERE] in name
        ]
    assert not (for_another_machine / "1.root.json").exists()
    assert "root" not in (for_another_machine / "README.md").read_text().lower()


def test_the_manual_pages_are_in_order(unpacked, require_tool):
    completions = {str(path.relative_to(unpacked)) for path in (unpacked / "completion").rglob("*") if path.is_file()}
    assert completions >= {"completion/bash/sealift", "completion/zsh/_sealift-keys", "completion/fish/sealift.fish"}
    assert "_SEALIFT_COMPLETE=bash_complete" in (unpacked / "completion/bash/sealift").read_text()
    pages = sorted((unpacked / "man" / "man1").iterdir())
    assert [page.name for page in pages] == ["sealift-keys.1", "sealift.1"]
    lint = subprocess.run([require_tool("mandoc"), "-T", "lint", *pages], capture_output=True, text=True, check=False)
    assert (lint.stdout, lint.stderr) == ("", "")
    text = subprocess.run(
        [require_tool("mandoc"), "-T", "ascii", pages[1]], capture_output=True, text=True, check=True
    ).stdout
    plain = re.sub(".\b", "", text)
    assert re.search(r"^ +sealift status \[OPTIONS\]$", plain, re.MULTILINE)
    assert re.search(r"^ +--dry-run\n +Verify the head", plain, re.MULTILINE)
    assert re.search(r"^ +27 +withdrawn: ", plain, re.MULTILINE)


def test_every_link_of_the_pages_leads_somewhere_inside(unpacked):
    docs = unpacked / "docs"
    pages = {str(path.relative_to(docs)): path.read_text("utf-8") for path in docs.rglob("*.html")}
    assert {"index.html", "how-to/deploy/start-on-a-bare-system.html", "reference/errors.html"} <= set(pages)
    for path, text in pages.items():
        # The search has a script of its own, and may fetch nothing.
        assert "default-src 'none'" in text if path == "search.html" else "<script" not in text, path
        assert "<link" not in text, path
        for link in re.findall(r'\b(?:href|src)="([^"]+)"', text):
            if link.startswith("https://") and f'href="{link}"' in text:
                continue
            target, _, anchor = link.partition("#")
            destination = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
            assert (docs / destination).is_file(), f"{path} links to {link}"
            assert not anchor or f'id="{anchor}"' in pages[destination], f"{path} links to {link}"


def test_openssl_alone_checks_a_signed_kit_as_the_page_says(
    unpacked, kit_channel, downloaded, tmp_path, require_tool, capsys
):
    require_tool("openssl")
    (tmp_path / "passphrase").write_text("only for this test")
    (tmp_path / "passphrase").chmod(0o600)
    secret = ("--passphrase-file", tmp_path / "passphrase")
    assert run(keys, "sealift-keys", ["new", str(tmp_path / "kit-key"), *map(str, secret)]) == 0
    made = tmp_path / "sealift-kit.tar"
    words = ("--platform", PLATFORM, "--python", HERE, "--wheels", unpacked / "wheels", "--channel", kit_channel)
    capsys.readouterr()
    kit(*words, "-o", made, "--sign", tmp_path / "kit-key", *secret, "--json")
    said = json.loads(capsys.readouterr().out)
    assert made.read_bytes() == downloaded.read_bytes()

    page = (Path(__file__).parents[3] / "docs" / "how-to" / "deploy" / "start-on-a-bare-system.md").read_text("utf-8")
    typed = re.search(r"### Sign the kit\n.*?```shell\n(.*?)```", page, re.DOTALL)[1]
    check = ["bash", "-ec", typed]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True)
    digest, verdict = done.stdout.splitlines()
    assert digest.endswith(f"= {said['key_fingerprint']}")
    assert verdict == "Verified OK"
    with made.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"oops")
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Verified OK" not in done.stdout

    assert run(keys, "sealift-keys", ["new", str(tmp_path / "other"), "--algorithm", "ed25519", *map(str, secret)]) == 0
    capsys.readouterr()
    kit(*words, "-o", tmp_path / "no.tar", "--sign", tmp_path / "other", *secret, status=53)
    assert "is not a P-256 key; expected one for a kit" in capsys.readouterr().err
    assert not (tmp_path / "no.tar").exists()
