"""The tutorial, typed into a shell: every command runs, every line that the page shows appears."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "carry-a-model.md"
_BLOCK = re.compile(r"^```(bash|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_DONE = "== command ended =="


@dataclass
class Typed:
    """A command of the page, and the lines that the page shows below it."""

    command: str
    shown: list[str]


def commands(page: str) -> list[Typed]:
    found: list[Typed] = []
    for language, text in _BLOCK.findall(page):
        if language == "bash":
            found.append(Typed(text, []))
            continue
        for line in text.splitlines():
            if line.startswith("$ "):
                found.append(Typed(line[2:], []))
            elif re.match(r">( |$)", line):
                found[-1].command += "\n" + line[2:]
            else:
                found[-1].shown.append(line)
    return found


class Shell:
    """One bash for the whole page, so that `cd` and `export` last, as in a terminal."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, command: str) -> list[str]:
        assert self.process.stdin
        assert self.process.stdout
        # The page's `$?` is that of the command typed before.
        self.process.stdin.write(
            f"(exit ${{status:-0}}); eval {shlex.quote(command)}\nstatus=$?; echo; echo {shlex.quote(_DONE)}\n"
        )
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == _DONE:
                return lines
            lines.append(line.rstrip("\n"))
        pytest.fail(f"the shell ended in {command!r}: {lines}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def shell(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    environment |= {key: value for key, value in os.environ.items() if key in ("TMPDIR", "COVERAGE_PROCESS_START")}
    shell = Shell(work, environment)
    yield shell
    shell.close()
    # A page that promises to leave nothing behind elsewhere.
    assert list(home.iterdir()) == []


def missing(shown: list[str], output: list[str]) -> str | None:
    """The first shown line that is not in the output, after the lines shown before it."""
    rest = iter(output)
    for line in shown:
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        if not any(pattern.fullmatch(found) for found in rest):
            return line
    return None


def test_the_page_is_read_as_a_person_reads_it():
    page = "```console\n$ one \\\n>   two\nout …\n```\n```bash\nthree\n```\n```text\nfour\n```\n"
    assert commands(page) == [Typed("one \\\n  two", ["out …"]), Typed("three\n", [])]
    assert missing(["a…c", "d"], ["abc", "x", "d"]) is None
    assert missing(["d", "abc"], ["abc", "d"]) == "abc"


def test_every_command_of_the_tutorial_does_what_the_page_shows(shell):
    typed = commands(TUTORIAL.read_text("utf-8"))
    assert len(typed) > 40
    for one in typed:
        output = shell.type(one.command)
        line = missing(one.shown, output)
        assert line is None, f"$ {one.command}\nthe page shows: {line}\nthe shell says:\n" + "\n".join(output)
        if not one.shown:
            assert [line for line in output if line] == [], f"$ {one.command}\nsays more than the page: {output}"
