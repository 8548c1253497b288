"""Type a page of the documentation into a shell, and compare what it shows with what the shell says."""

import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

_BLOCK = re.compile(r"^```(bash|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LISTED = re.compile(r"^( +)```console\n.*?^\1```$", re.DOTALL | re.MULTILINE)
_DONE = "== command ended =="


def unindented(page: str) -> str:
    """The page with the blocks of its lists at the margin, where `commands` looks for them."""
    return _LISTED.sub(lambda block: dedent(block[0]), page)


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

    def __init__(self, directory: Path, environment: dict[str, str], within: tuple[str, ...] = ()) -> None:
        # `within`: the command that enters another place first, such as chroot.
        self.process = subprocess.Popen(
            [*within, "bash", "--noprofile", "--norc"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
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
        # With what the page left running in the background.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def missing(shown: list[str], output: list[str]) -> str | None:
    """The first shown line that is not in the output, after the lines shown before it."""
    rest = iter(output)
    for line in shown:
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        if not any(pattern.fullmatch(found) for found in rest):
            return line
    return None
