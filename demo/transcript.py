"""Run a story of commands and print it as a transcript that a newcomer can follow."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_BOLD, _DIM, _RED, _GREEN, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[0m"


class DeviationError(Exception):
    """The story did not go as it is told."""


@dataclass
class Place:
    """Where commands run.

    Attributes:
        prompt: shown before the `$`.
        directory: the working directory.
        environment: all variables that a command gets.
        wrapper: what stands before every command and is not shown, for example a network namespace.
    """

    prompt: str
    directory: Path
    environment: Mapping[str, str]
    wrapper: Sequence[str] = ()


@dataclass
class Transcript:
    """Prints and checks, step by step."""

    started: float = field(default_factory=time.monotonic)
    steps: int = 0

    def __post_init__(self) -> None:
        self._colors = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def part(self, title: str) -> None:
        """Begin a part of the story."""
        print(f"\n{self._paint(_BOLD, f'=== {title} ===')}", flush=True)

    def step(self, text: str) -> None:
        """Say in one line what comes next and why."""
        self.steps += 1
        print(f"\n{self._paint(_BOLD, f'{self.steps}. {text}')}", flush=True)

    def say(self, text: str) -> None:
        """Add a line that is not a command's output."""
        print(f"   {self._paint(_DIM, text)}", flush=True)

    def check(self, text: str, *, holds: bool) -> None:
        """Show a comparison that the demo itself makes, and stop when it does not hold."""
        if not holds:
            raise DeviationError(f"expected: {text}")
        print(f"   {self._paint(_GREEN, 'ok')}  {text}", flush=True)

    def run(
        self, place: Place, command: str, *, status: int = 0, contains: str = "", quiet: bool = False, shown: str = ""
    ) -> str:
        """Run a command line (no shell), print it and its output, and check both.

        Args:
            place: where to run it.
            command: as a person would type it.
            status: the exit status that the story expects.
            contains: text that the output must hold.
            quiet: print the output only when something is wrong.
            shown: what to print in place of `command`.

        Raises:
            DeviationError: another status, or other output.
        """
        print(f"   {self._paint(_DIM, place.prompt)}$ {shown or command}", flush=True)
        environment = dict(place.environment)
        done = subprocess.run(
            [*place.wrapper, *shlex.split(command)],
            cwd=place.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        deviates = done.returncode != status or contains not in done.stdout
        if not quiet or deviates:
            for line in done.stdout.rstrip().splitlines():
                print(f"   {line}")
        if status:
            print(f"   {self._paint(_RED, f'(exit status {done.returncode})')}")
        if deviates:
            wanted = f"exit status {status}" + (f" and {contains!r}" if contains else "")
            raise DeviationError(f"{command!r} ended with status {done.returncode}; the story expects {wanted}")
        return done.stdout

    def end(self) -> None:
        """Close the story."""
        seconds = time.monotonic() - self.started
        done = f"=== All {self.steps} steps went as told, in {seconds:.0f} s. ==="
        print(f"\n{self._paint(_GREEN, done)}")

    def fail(self, error: Exception) -> None:
        """Close a story that went wrong."""
        sys.stdout.flush()
        print(f"demo: step {self.steps} deviates: {error}", file=sys.stderr)

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{_RESET}" if self._colors else text
