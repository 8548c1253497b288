"""The list of a kit is closed: one line for a file that it does not name, and for a damaged list."""

import pytest


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
