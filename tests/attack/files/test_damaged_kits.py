"""A kit that is damaged, or that somebody added to: one line, and nothing that came with it runs."""

import errno
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from sealift_bundler.kit import carried
from sealift_bundler.kit import install as script

PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
SEEDS = 200
# What ends in a refusal: this machine, not a kit, other bytes than listed, not for this machine.
STATUSES = {3, 10, 26, 40}


def describe(**changes):
    return {
        "schema": "sealift.kit/1",
        "version": "1.0.0",
        "machine": os.uname().machine,
        "glibc": [2, 17],
        "pip": "pip-1-py3-none-any.whl",
        "pythons": {PYTHON: "this one"},
        "unpacked_bytes": 1000,
        **changes,
    }


def seal(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


@pytest.fixture
def kit(tmp_path):
    """A small one; it is whole, but its wheels are none."""
    folder = tmp_path / "kit"
    for name in (f"requirements/{PYTHON}.txt", "wheels/pip-1-py3-none-any.whl", "docs/how-to/a.html", "man/man1/s.1"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    for one in carried.INSTALL_SCRIPTS:
        shutil.copy(one, folder)
    (folder / "kit.json").write_text(json.dumps(describe()))
    seal(folder)
    return folder


@pytest.fixture
def attempt(tmp_path, monkeypatch, capsys):
    """Run the script on a folder in this process; what came with the kit is never run, but it is noted when it would."""
    ran = []

    class Second:
        @staticmethod
        def install(*_):
            ran.append("install")

    monkeypatch.setattr(script, "second", lambda _: Second)
    capsys.readouterr()

    def attempt(folder):
        ran.clear()
        status = script.main(folder, ["--prefix", str(tmp_path / "opt")])
        said = capsys.readouterr()
        assert said.out == ""
        assert not (tmp_path / "opt").exists()
        if status == 0:
            assert (said.err, ran) == ("", ["install"])
            return 0, ""
        (line,) = said.err.splitlines()
        assert line.startswith("install.py: ")
        assert line.isprintable()
        assert len(line) < 1000
        assert ran == []
        assert status in STATUSES, line
        return status, line

    return attempt


def test_a_whole_kit_is_taken(kit, attempt):
    assert attempt(kit) == (0, "")


# --- the list is closed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "wheels/evil-1-py3-none-any.whl",
        "argparse.py",
        "sitecustomize.py",
        "x.pth",
        "__pycache__/environments.cpython-311.pyc",
        "docs/more/b.html",
        "requirements/cp99.txt",
        ".hidden",
        "a line\nand another \x1b[2J",
    ],
)
def test_a_file_that_the_list_does_not_name_is_refused(kit, attempt, name):
    (kit / name).parent.mkdir(exist_ok=True)
    (kit / name).write_text("import os; os.abort()")
    status, line = attempt(kit)
    assert status == 10
    assert "is not a regular file that 'SHA256SUMS' lists" in line


def test_an_empty_list_lets_nothing_in(kit, attempt):
    (kit / "SHA256SUMS").write_text("")
    status, line = attempt(kit)
    assert status == 10
    assert "lists no 'install.py'" in line


def shortened(text, _kit):
    return text[:-20]


def with_an_odd_name(name):
    def damage(text, _kit):
        return text + f"{'0' * 64}  {name}\n"

    return damage


def without(name):
    return lambda text, _kit: "".join(line for line in text.splitlines(True) if not line.endswith(f"  {name}\n"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text, _: text.replace("\n", "\r\n"), "line 1 of"),
        (lambda text, _: text + text, "expected a SHA-256 and one new name"),
        (lambda text, _: text.upper(), "line 1 of"),
        (lambda text, _: text + "x" * 2_000_000 + "\n", "more than 1,048,576 bytes"),
        (lambda text, _: text + "".join(f"{'0' * 64}  f{n}\n" for n in range(5001)), "more than 5,000 lines"),
        (lambda text, _: text + "\n", "is damaged: ''"),
        (lambda text, _: text + "\0", "no end of line"),
        (shortened, "no end of line"),
        (with_an_odd_name("../outside"), "is damaged"),
        (with_an_odd_name("/etc/passwd"), "is damaged"),
        (with_an_odd_name("wheels//x"), "is damaged"),
        (with_an_odd_name("a/" * 50 + "x"), "is damaged"),
        (with_an_odd_name("SHA256SUMS"), "is damaged"),
        (with_an_odd_name("kit.json/below"), "'kit.json/below' of this kit is missing"),
        (with_an_odd_name("never.there"), "'never.there' of this kit is missing"),
        (without("docs/how-to/a.html"), "'docs' in the folder of this kit"),
        (without("environments.py"), "lists no 'environments.py'"),
        (without("kit.json"), "lists no 'kit.json'"),
    ],
)
def test_a_damaged_list_is_one_line(kit, attempt, damage, said):
    path = kit / "SHA256SUMS"
    path.write_bytes(damage(path.read_text(), kit).encode())
    status, line = attempt(kit)
    assert status == 10
    assert said in line


# --- files that are none -------------------------------------------------------------------------------


def make_link(path, outside):
    shutil.move(path, outside)
    path.symlink_to(outside)


def make_pipe(path, _outside):
    path.unlink()
    os.mkfifo(path)


def make_device(path, _outside):
    path.unlink()
    path.symlink_to("/dev/zero")


def make_folder(path, _outside):
    path.unlink()
    path.mkdir()


def make_sparse(path, _outside):
    os.truncate(path, 2 * 1024**3)


@pytest.mark.parametrize("change", [make_link, make_pipe, make_device, make_folder, make_sparse])
@pytest.mark.parametrize("name", ["SHA256SUMS", "kit.json", "environments.py", "docs/how-to/a.html"])
def test_what_is_no_file_of_the_kit_is_refused_without_waiting(kit, attempt, tmp_path, name, change):
    change(kit / name, tmp_path / "outside")
    status, line = attempt(kit)
    assert status == 10, line
    assert name.split("/")[-1] in line


def test_a_folder_of_the_kit_that_is_a_link_is_refused(kit, attempt, tmp_path):
    make_link(kit / "wheels", tmp_path / "elsewhere")
    assert attempt(kit)[0] == 10


# --- kit.json ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 10, "is not JSON"),
        ("\xff", 10, "is not JSON"),
        ("[" * 30_000, 10, "is not JSON"),
        ("[]", 40, "is not of the form"),
        ("{}", 40, "is not of the form"),
        (json.dumps(describe(schema="sealift.kit/2")), 40, "is not of the form"),
        (json.dumps(describe())[:-1] + ', "pip": "evil.whl"}', 10, "a name stands twice"),
        (json.dumps(describe(unpacked_bytes=float("nan"))), 10, "it holds NaN"),
        (json.dumps(describe()).replace("1000", "9" * 5000), 10, "kit.json"),
        (" " * 70_000, 10, "more than 65,536 bytes"),
        *[
            (json.dumps(describe(**change)), 10, f"an impossible value of {next(iter(change))!r}")
            for change in (
                {"version": "../../../etc"},
                {"version": "1\n2"},
                {"version": None},
                {"machine": 7},
                {"machine": "x" * 1000},
                {"glibc": [2]},
                {"glibc": [2, True]},
                {"glibc": [2, 17.5]},
                {"glibc": "2.17"},
                {"glibc": [-1, 10**30]},
                {"pythons": {}},
                {"pythons": [PYTHON]},
                {"pythons": {"cp311/../..": "x"}},
                {"pythons": {PYTHON: "\x1b[2J"}},
                {"pythons": {f"cp{n}": "x" for n in range(100, 200)}},
                {"pip": "../evil.whl"},
                {"pip": ["pip.whl"]},
                {"unpacked_bytes": -1},
                {"unpacked_bytes": True},
                {"unpacked_bytes": "1000"},
                {"unpacked_bytes": 2**60},
                {"unpacked_bytes": 1.5},
            )
        ],
        (json.dumps(describe(extra=1)), 10, "has an unknown field 'extra'"),
        (json.dumps({**describe(), "\x1b" * 5000: 1}), 10, "has an unknown field"),
        (json.dumps({k: v for k, v in describe().items() if k != "pip"}), 10, "lacks the field 'pip'"),
        (json.dumps(describe(pip="other.whl")), 10, "lists no 'wheels/other.whl'"),
        (json.dumps(describe(pythons={PYTHON: "x", "cp99": "y"})), 10, "lists no 'requirements/cp99.txt'"),
    ],
)
def test_a_description_that_is_not_as_it_should_be_is_one_line(kit, attempt, text, status, said):
    (kit / "kit.json").write_text(text, "latin-1")
    seal(kit)
    got, line = attempt(kit)
    assert got == status
    assert said in line


# --- who else can change it ----------------------------------------------------------------------------


def test_a_folder_that_others_may_write_is_refused(kit, attempt, monkeypatch):
    for place in (kit, kit.parent):
        before = place.stat().st_mode
        place.chmod(0o777)
        status, line = attempt(kit)
        assert status == 3
        assert f"{str(place)!r} is writable by others" in line
        place.chmod(0o1777)
        assert attempt(kit)[0] == 0
        place.chmod(0o775)
        os.chown(place, -1, 65534)
        assert attempt(kit)[0] == 3
        os.chown(place, -1, 0)
        assert attempt(kit)[0] == 0
        place.chmod(before)
    os.chown(kit, 65534, -1)
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert "belongs to uid 65534" in attempt(kit)[1]
    # He unpacked it, and now says sudo.
    monkeypatch.setenv("SUDO_UID", "65534")
    assert attempt(kit)[0] == 0


def test_a_file_that_changes_between_the_look_and_its_use_is_not_installed(kit, tmp_path):
    checked = script.Kit(kit)
    checked.check()
    (kit / "docs/how-to/a.html").write_text("changed meanwhile")
    with pytest.raises(script.RefusalError, match="was changed"):
        checked.copy("docs/how-to/a.html", tmp_path / "copy")
    os.mkfifo(tmp_path / "pipe")
    os.replace(tmp_path / "pipe", kit / "docs/how-to/a.html")
    with pytest.raises(script.RefusalError, match="not a regular file"):
        checked.read("docs/how-to/a.html")
    (kit / "docs/how-to/a.html").unlink()
    with pytest.raises(script.RefusalError, match="is missing"):
        checked.read("docs/how-to/a.html")


# --- the script as it is run ---------------------------------------------------------------------------


def run(kit, *words):
    return subprocess.run([sys.executable, *words], cwd=kit, capture_output=True, text=True, check=False, timeout=120)


def test_without_the_option_that_keeps_modules_beside_it_out_it_says_so(kit, tmp_path):
    for name in ("argparse", "errno", "sitecustomize", "typing"):
        (kit / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    done = run(kit, "install.py", "--prefix", str(tmp_path / "opt"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "install.py: run it as `python3 -I install.py`, so that nothing next to it is imported [usage]\n"
    )
    done = run(kit, "-I", "install.py", "--prefix", str(tmp_path / "opt"))
    assert done.returncode == 10
    assert len(done.stderr.splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == ["kit"]


def test_the_second_part_is_not_run_before_it_was_checked(kit, tmp_path):
    with (kit / "environments.py").open("a") as file:
        file.write(f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    done = run(kit, "-I", "install.py", "--prefix", str(tmp_path / "opt"))
    assert done.returncode == 26
    assert "'environments.py' of this kit is damaged" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["kit"]


# --- at random -----------------------------------------------------------------------------------------


def any_bytes(rng, data):
    choice = rng.randrange(6)
    at = rng.randrange(len(data) + 1)
    if choice == 0:
        return data[:at]
    if choice == 1:
        return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]
    if choice == 2:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if choice == 3:
        lines = data.splitlines(keepends=True)
        rng.shuffle(lines)
        return b"".join(lines[: rng.randint(0, len(lines))])
    if choice == 4:
        return data * 2
    return rng.randbytes(rng.randint(0, 2000))


def any_value(rng, depth=0):
    makers = [
        lambda: rng.choice([None, True, False, 0, -1, 2**64, 1.5, "", "x" * 300, "cp311", "\ud800", "../x", "1.0.0"]),
        lambda: [any_value(rng, depth + 1) for _ in range(rng.randrange(4))],
        lambda: {str(any_value(rng, 9)): any_value(rng, depth + 1) for _ in range(rng.randrange(4))},
    ]
    return rng.choice(makers[: 1 if depth > 3 else 3])()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_damage_is_one_line_and_nothing_is_installed(kit, attempt, tmp_path, seed):
    rng = random.Random(seed)
    names = [str(path.relative_to(kit)) for path in sorted(kit.rglob("*")) if path.is_file()]
    name = rng.choice(["SHA256SUMS", "kit.json", rng.choice(names)])
    path, kind = kit / name, rng.randrange(4)
    before = path.read_bytes()
    if name == "kit.json" and kind < 2:
        # By somebody who can write the list, too.
        described = describe()
        described[rng.choice([*described, "other"])] = any_value(rng)
        path.write_text(json.dumps(described))
        if kind:
            path.write_bytes(any_bytes(rng, path.read_bytes()))
        seal(kit)
    elif kind < 3:
        path.write_bytes(any_bytes(rng, before))
    else:
        rng.choice([make_link, make_pipe, make_device, make_folder, make_sparse])(path, tmp_path / "outside")
    status, line = attempt(kit)
    if status == 0:
        # Lines in another order, or a value that may be: the kit still says the same of the same files.
        assert name in ("SHA256SUMS", "kit.json") or path.read_bytes() == before
    assert os.strerror(errno.ENOENT) not in line


def test_nothing_is_installed_into_the_kit(kit, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(kit)
    before = sorted(kit.rglob("*"))
    out = str(tmp_path / "opt")
    for words in (
        ["--prefix", "relative/opt"],
        ["--prefix", "."],
        *(["--prefix", out, option, "here"] for option in ("--bin", "--man", "--completion")),
    ):
        assert script.main(kit, words) == 3
        said = capsys.readouterr().err
        assert f"{words[-2]} " in said
        assert "lies in the folder of the kit" in said
    assert sorted(kit.rglob("*")) == before


def test_a_prefix_without_rights_says_what_to_do(kit, monkeypatch, capsys):
    class Second:
        @staticmethod
        def install(*_):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/opt/sealift")

    monkeypatch.setattr(script, "second", lambda _: Second)
    assert script.main(kit, []) == 3
    assert "'/opt/sealift': Permission denied; run it as root, or give --prefix [local]" in capsys.readouterr().err
