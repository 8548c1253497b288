"""A kit: what is in it, that it is the same twice, what is refused while it is made, and what its script does."""

import hashlib
import json
import os
import platform
import posixpath
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.machine.unpacking import unpack_tar
from support.release.channel_simulator import ChannelSimulator

import sealift
from sealift_bundler.cli import command
from sealift_bundler.kit import carried
from sealift_bundler.kit.lock import parse_lock
from sealift_bundler.kit.target import PLATFORMS, Target
from sealift_common.console import run
from sealift_keys.cli import command as keys

pytestmark = pytest.mark.slow

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORM, ELSEWHERE = (
    f"linux-{platform.machine()}",
    "linux-x86_64" if platform.machine() == "aarch64" else "linux-aarch64",
)
OTHER = "3.12" if HERE == "3.13" else "3.13"
BUNDLER = "from sealift_bundler.cli import main; main()"
SCRIPT = [sys.executable, "-I", "install.py"]


def kit(*arguments: object, status: int = 0) -> None:
    assert run(command, "sealift-bundler", ["kit", *map(str, arguments)]) == status


def unpack(path: Path, place: Path) -> Path:
    with tarfile.open(path) as archive:
        unpack_tar(archive, place)
    (folder,) = place.iterdir()
    return folder


@pytest.fixture(scope="module")
def channel(tmp_path_factory) -> ChannelSimulator:
    return ChannelSimulator(tmp_path_factory.mktemp("kit") / "channel", name="gitlab-models")


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory, channel) -> Path:
    """A kit for this Python and processor, its wheels fetched by pip."""
    path = tmp_path_factory.mktemp("downloaded") / "kit.tar"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        kit("--platform", PLATFORM, "--python", HERE, "--channel", channel.directory, "-o", path)
    return path


@pytest.fixture(scope="module")
def for_another_machine(tmp_path_factory) -> Path:
    """A kit for another Python and processor, with both extras, unpacked."""
    place = tmp_path_factory.mktemp("aarch64")
    kit("--platform", ELSEWHERE, "--python", OTHER, "--extra", "text", "--extra", "serve", "-o", place)
    return unpack(place / f"sealift-kit-{sealift.__version__}-{ELSEWHERE}.tar", place / "unpacked")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory, downloaded) -> Path:
    """Not to be changed."""
    return unpack(downloaded, tmp_path_factory.mktemp("unpacked") / "kit")


@pytest.fixture
def own_kit(tmp_path, unpacked) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(unpacked, tmp_path / "own-kit"))


def install(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCRIPT, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def refuses(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert re.fullmatch(r"(installing \d+ packages \.\.\.\n)?", done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("install.py: ")
    for word in words:
        assert word in line


def seal(folder: Path) -> None:
    """Write SHA256SUMS anew, as somebody can who makes a whole kit."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


# --- what is in it ------------------------------------------------------------------------------


def test_every_wheel_is_one_of_the_lock_and_every_file_is_in_the_list(unpacked, channel):
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
    assert (unpacked / "1.root.json").read_bytes() == channel.root_bytes
    assert "`gitlab-models`" in (unpacked / "README.md").read_text()


def test_the_tar_names_no_user_and_no_moment_of_its_making(downloaded):
    with tarfile.open(downloaded) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname, member.mode) for member in members} == {
        (0, 0, "", "", 0o644)
    }
    assert len({member.mtime for member in members}) == 1
    assert [member.name for member in members] == sorted(member.name for member in members)


def test_the_same_wheels_give_the_same_bytes_and_no_connection(downloaded, unpacked, channel, tmp_path, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "1.root.json").write_bytes(channel.root_bytes)
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
    for kit in (for_another_machine, unpacked):
        carried_in = {
            path.relative_to(kit).as_posix(): path.read_bytes()
            for path in (kit / "deploy").rglob("*")
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
    unpacked, channel, downloaded, tmp_path, require_tool, capsys
):
    require_tool("openssl")
    (tmp_path / "passphrase").write_text("only for this test")
    (tmp_path / "passphrase").chmod(0o600)
    secret = ("--passphrase-file", tmp_path / "passphrase")
    assert run(keys, "sealift-keys", ["new", str(tmp_path / "kit-key"), *map(str, secret)]) == 0
    made = tmp_path / "sealift-kit.tar"
    words = ("--platform", PLATFORM, "--python", HERE, "--wheels", unpacked / "wheels", "--channel", channel.directory)
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


# --- what is refused while it is made -----------------------------------------------------------


def test_a_wheel_with_other_bytes_is_refused_and_named(unpacked, tmp_path, capsys):
    wheels = Path(shutil.copytree(unpacked / "wheels", tmp_path / "wheels"))
    (victim,) = wheels.glob("click-*.whl")
    victim.write_bytes(victim.read_bytes() + b"\0")
    out = tmp_path / "out"
    out.mkdir()
    kit("--platform", PLATFORM, "--python", HERE, "--wheels", wheels, "-o", out, status=54)
    assert f"{str(victim)!r} is not a wheel that the lock file lists for click " in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_a_missing_wheel_names_package_platform_and_python(unpacked, tmp_path, capsys):
    words = ("--platform", ELSEWHERE, "--python", HERE, "--wheels", unpacked / "wheels", "-o", tmp_path, "--json")
    kit(*words, status=54)
    said = capsys.readouterr()
    assert f"no wheel of backports-zstd 1.8.0 for {ELSEWHERE}, Python {HERE} in " in said.err
    assert json.loads(said.out)["error"]["code"] == "gate"
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_the_index_lacks_is_named(tmp_path, monkeypatch, capsys):
    lock = tmp_path / "base.lock"
    lock.write_text(f"click==0.0.0.1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(carried, "lock", lambda _name: lock)
    kit("--platform", PLATFORM, "--python", HERE, "-o", tmp_path / "kit.tar", status=54)
    assert f"pip finds no wheel of click 0.0.0.1 for {PLATFORM}, Python {HERE}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--channel", "a", "--root", "b"], 2, "give one of them"),
        (["--channel", "nowhere"], 55, "is not a directory"),
        (["--root", "nowhere"], 3, "nowhere"),
        (["--wheels", "nowhere"], 2, "does not exist"),
    ],
)
def test_a_path_that_is_not_there_is_one_line(words, status, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kit("--platform", PLATFORM, "--python", HERE, "-o", "kit.tar", *words, status=status)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_root_does_not_travel(tmp_path):
    (tmp_path / "1.root.json").write_text("{}")
    kit(
        "--platform",
        PLATFORM,
        "--python",
        HERE,
        "-o",
        tmp_path / "k",
        "--root",
        tmp_path / "1.root.json",
        status=10,
    )
    assert not (tmp_path / "k").exists()


# --- what the script refuses --------------------------------------------------------------------


def test_a_wrong_python_is_refused_in_one_line(for_another_machine, tmp_path):
    done = install(for_another_machine, "--prefix", tmp_path / "opt")
    refuses(done, 40, f"this kit is for Python {OTHER}, and this is CPython {HERE}", "[incompatible]")
    assert not (tmp_path / "opt").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("machine", "riscv64", "this kit is for riscv64, and this machine is "),
        ("glibc", [9, 99], "this kit needs glibc 9.99 or newer, and this machine has glibc 2."),
        ("schema", "sealift.kit/2", "this kit is not of the form 'sealift.kit/1'"),
    ],
)
def test_a_wrong_machine_is_refused_in_one_line(own_kit, tmp_path, key, value, said):
    described = json.loads((own_kit / "kit.json").read_text()) | {key: value}
    (own_kit / "kit.json").write_text(json.dumps(described))
    seal(own_kit)
    refuses(install(own_kit, "--prefix", tmp_path / "opt"), 40, said)
    assert not (tmp_path / "opt").exists()


def test_a_file_that_changed_is_found_by_the_documented_check_and_by_the_script(own_kit, tmp_path):
    (victim,) = own_kit.glob("wheels/onnxruntime-*.whl")
    with victim.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"oops")
    name = str(victim.relative_to(own_kit))
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    by_hand = subprocess.run(check, cwd=own_kit, capture_output=True, text=True, check=False)
    assert by_hand.returncode != 0
    assert by_hand.stdout == f"{name}: FAILED\n"
    refuses(install(own_kit, "--prefix", tmp_path / "opt"), 26, repr(name), "do not use this kit", "[digest]")
    victim.unlink()
    refuses(install(own_kit, "--prefix", tmp_path / "opt"), 10, repr(name), "is missing", "[malformed]")
    assert not (tmp_path / "opt").exists()


def test_a_link_never_replaces_what_somebody_else_put_there(unpacked, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sealift-keys").write_text("mine")
    done = install(unpacked, "--prefix", tmp_path / "opt", "--bin", tmp_path / "bin")
    refuses(done, 3, str(tmp_path / "bin" / "sealift-keys"), "is there and is not the link to")
    assert os.listdir(tmp_path / "bin") == ["sealift-keys"]
    assert not (tmp_path / "opt").exists()


# --- installing, upgrading, going back ----------------------------------------------------------


def newer(folder: Path, note: str) -> Path:
    """Make another kit of it, as a later one is."""
    (folder / "README.md").write_text(note)
    seal(folder)
    return folder


def break_sealift(folder: Path) -> None:
    """Give the kit a Sealift whose doctor finds a problem, with all hashes as they must be."""
    (wheel,) = folder.glob("wheels/sealift-*.whl")
    before = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with zipfile.ZipFile(wheel) as archive:
        files = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for info, data in files.items():
            changed = (
                data + b"\nraise ImportError('broken')\n" if info.filename == "sealift/model/runtime/onnx.py" else data
            )
            archive.writestr(info, changed)
    (requirements,) = folder.glob("requirements/*.txt")
    after = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirements.write_text(requirements.read_text().replace(before, after))
    seal(folder)


def test_a_newer_kit_takes_over_only_when_it_works_and_the_older_one_comes_back(unpacked, own_kit, tmp_path):
    prefix, bin_dir, man = tmp_path / "opt", tmp_path / "bin", tmp_path / "man"
    places = {"SEALIFT_STORE": str(tmp_path / "store"), "SEALIFT_TRUST": str(tmp_path / "etc")}
    words = ("--prefix", prefix, "--bin", bin_dir, "--man", man, "--completion", tmp_path / "completion")
    # Settings that would keep pip from installing anything, if they reached it.
    hostile = {"PIP_REQUIRE_VIRTUALENV": "1", "PIP_TARGET": str(tmp_path / "else"), "PYTHONHOME": "/nowhere"}

    first = install(
        unpacked, *words, **places, **{key: hostile[key] for key in ("PIP_REQUIRE_VIRTUALENV", "PIP_TARGET")}
    )
    assert first.returncode == 0, first.stderr
    assert not (tmp_path / "else").exists()
    one = os.readlink(prefix / "current")
    said = subprocess.run([bin_dir / "sealift", "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"sealift {sealift.__version__}\n"
    assert (man / "man1" / "sealift.1").read_bytes() == (unpacked / "man" / "man1" / "sealift.1").read_bytes()
    assert "_SEALIFT_KEYS_COMPLETE" in (tmp_path / "completion" / "sealift-keys").read_text()
    unit = "deploy/systemd/sealift-serve.service"
    assert (prefix / "current" / "share" / "sealift" / unit).read_bytes() == (unpacked / unit).read_bytes()
    assert not list((prefix / "current").glob("lib/python*/site-packages/pip"))

    # The same kit again changes nothing, and takes what an interrupted run left for what it is.
    before = (prefix / one).stat().st_ino
    again = install(unpacked, *words, **places)
    assert (again.returncode, os.readlink(prefix / "current"), (prefix / one).stat().st_ino) == (0, one, before)
    refuses(install(unpacked, "--prefix", prefix, "--roll-back"), 3, "there is no earlier Sealift")

    broken = Path(shutil.copytree(own_kit, tmp_path / "broken-kit"))
    break_sealift(broken)
    refuses(
        install(broken, *words, **places),
        40,
        "the new Sealift has problems here, so nothing was switched: ONNX Runtime",
    )
    assert os.readlink(prefix / "current") == one
    assert not (prefix / "previous").is_symlink()

    newer(own_kit, "a later kit\n")
    half = prefix / "environments" / name_of(own_kit)
    half.mkdir()
    (half / "pyvenv.cfg").write_text("left by an interrupted run")
    second = install(own_kit, *words, **places)
    assert second.returncode == 0, second.stderr
    two = os.readlink(prefix / "current")
    assert two == f"environments/{name_of(own_kit)}"
    assert os.readlink(prefix / "previous") == one
    assert f"previous: {Path(one).name}" in second.stdout

    for expected in (one, two):
        # Without a kit, by the copy of the script that the environment has.
        back = install(prefix / "current", "--prefix", prefix, "--roll-back")
        assert (back.returncode, back.stderr) == (0, "")
        assert os.readlink(prefix / "current") == expected
    assert {path.name for path in prefix.iterdir()} == {".lock", "environments", "current", "previous"}


def name_of(folder: Path) -> str:
    listed = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    return f"{sealift.__version__}-cp{HERE.replace('.', '')}-{listed[:12]}"


def test_an_installed_sealift_makes_kits_too(unpacked, tmp_path):
    """In an environment with nothing of the checkout; what making adds to the base install is put next to it."""
    prefix, beside = tmp_path / "opt", tmp_path / "beside"
    places = {"SEALIFT_STORE": str(tmp_path / "store"), "SEALIFT_TRUST": str(tmp_path / "etc")}
    assert install(unpacked, "--prefix", prefix, **places).returncode == 0
    beside.mkdir()
    for name in ("markdown_it", "mdurl", "rfc8785"):
        module = sys.modules.get(name) or __import__(name)
        (beside / name).symlink_to(Path(str(module.__file__)).parent)
    made = [prefix / "current" / "bin" / "sealift-bundler", "kit", "--platform", PLATFORM, "--python", HERE]
    made += ["--wheels", unpacked / "wheels", "--root", unpacked / "1.root.json", "-o", tmp_path / "kit.tar"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(beside)}
    done = subprocess.run(made, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = unpack(tmp_path / "kit.tar", tmp_path / "again")
    # Only Sealift's wheel is another zip, and what depends on its digest; inside it all is the same.
    changed = {"SHA256SUMS", "kit.json", f"requirements/cp{HERE.replace('.', '')}.txt"}
    for path in (path for path in unpacked.rglob("*") if path.is_file()):
        name = str(path.relative_to(unpacked))
        if name not in changed and not name.startswith("wheels/sealift-"):
            assert (again / name).read_bytes() == path.read_bytes(), name
    contents = []
    for folder in (unpacked, again):
        (wheel,) = folder.glob("wheels/sealift-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist()})
    for files in contents:
        (record,) = (name for name in files if name.endswith("/RECORD"))
        files[record] = b"\n".join(sorted(files[record].splitlines()))
    assert contents[0] == contents[1]

    (edited,) = prefix.glob("current/lib/python*/site-packages/sealift/limits.py")
    edited.write_text(edited.read_text() + "\n# edited on this machine\n")
    done = subprocess.run(made, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 54
    assert "sealift/limits.py' is not what was installed" in done.stderr
