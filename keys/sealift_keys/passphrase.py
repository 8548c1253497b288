"""Where passphrases come from, in this order: `--passphrase-file`, the environment, the terminal.

One `--passphrase-file` serves every key of the command; several serve the keys in the order given.
`SEALIFT_PASSPHRASE` serves every key, except one that has a variable of its own:
`SEALIFT_PASSPHRASE_<STEM>`, STEM being the key's file name without `.pem` or `.key`, in capitals, with
every character that is not a letter or digit as `_`: `keys/approver-2.pem` has
`SEALIFT_PASSPHRASE_APPROVER_2`. A passphrase is never taken from the command line, where other users see it.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from sealift_keys.console import local_error
from sealift_keys.errors import KeyFileError, UsageError

VARIABLE = "SEALIFT_PASSPHRASE"
MAX_FILE_BYTES = 4096

Prompt = Callable[[str], str]


def _prompt(text: str) -> str:
    answer: str = click.prompt(text, hide_input=True, default="", show_default=False, err=True)
    return answer


def _has_terminal() -> bool:
    return sys.stdin.isatty()


@dataclass
class PassphraseSource:
    """Finds the passphrase of one key file after another.

    Attributes:
        files: passphrase files, one for all keys or one for each.
        keys: the key files of the command, in the order given; needed when there are several `files`.
        environment: variables; those of the process by default.
        prompt: asks a person without echo; None when nobody can be asked.

    """

    files: Sequence[Path] = ()
    keys: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    prompt: Prompt | None = field(default_factory=lambda: _prompt if _has_terminal() else None)

    def __post_init__(self) -> None:
        if len(self.files) > 1 and len(self.files) != len(self.keys):
            raise UsageError(
                f"{len(self.files)} passphrase files for {len(self.keys)} keys; give one for all keys, or one for each"
            )

    def existing(self, key: Path, what: str = "Passphrase") -> bytes:
        """The passphrase of an existing key file, or the PIN of a token.

        Raises:
            KeyFileError: it is empty, or none is given and there is no terminal to ask on.
            LocalError: the passphrase file cannot be read.

        """
        given = self._given(key)
        return given if given is not None else self._ask(key, f"{what} for {key}")

    def new(self, key: Path) -> bytes:
        """The passphrase for a key file to be made; a person types it twice.

        Raises:
            KeyFileError: it is empty, the two differ, or none is given and there is no terminal to ask on.
            LocalError: the passphrase file cannot be read.

        """
        given = self._given(key)
        if given is not None:
            return given
        first = self._ask(key, f"New passphrase for {key}")
        if self._ask(key, "The same passphrase again") != first:
            raise KeyFileError(f"the two passphrases for {str(key)!r} differ; nothing was written, run this again")
        return first

    def _given(self, key: Path) -> bytes | None:
        if self.files:
            position = list(self.keys).index(str(key)) if len(self.files) > 1 else 0
            return _from_file(self.files[position])
        for variable in (variable_of(key), VARIABLE):
            if variable in self.environment:
                return _not_empty(self.environment[variable], f"variable {variable}")
        return None

    def _ask(self, key: Path, text: str) -> bytes:
        if self.prompt is None:
            raise KeyFileError(
                f"no passphrase for {str(key)!r} and no terminal to ask on; "
                f"give --passphrase-file FILE or set {variable_of(key)} or {VARIABLE}"
            )
        return _not_empty(self.prompt(text), "the passphrase typed")


def variable_of(key: Path) -> str:
    """The environment variable that holds the passphrase of this key alone."""
    stem = key.name.removesuffix(".pem").removesuffix(".key")
    return f"{VARIABLE}_{re.sub('[^A-Za-z0-9]', '_', stem).upper()}"


def _from_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise local_error(error, "cannot read passphrase file") from error
    # Editors end the line; the passphrase is the line without its end.
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    if len(data) > MAX_FILE_BYTES or b"\n" in line:
        raise KeyFileError(f"passphrase file {str(path)!r} must hold one line of at most {MAX_FILE_BYTES} bytes")
    if not line:
        raise KeyFileError(f"passphrase file {str(path)!r} is empty; a key needs a passphrase")
    return line


def _not_empty(text: str, what: str) -> bytes:
    if not text:
        raise KeyFileError(f"{what} is empty; a key needs a passphrase")
    return text.encode()
