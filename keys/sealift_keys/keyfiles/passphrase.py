"""Sources of passphrases, in this order: `--passphrase-file`, the environment, the terminal.

One `--passphrase-file` serves every key of the command; several serve the keys in the order given.
`SEALIFT_PASSPHRASE` serves every key, except one that has a variable of its own:
`SEALIFT_PASSPHRASE_<STEM>`, STEM being the key's file name without `.pem` or `.key`, in capitals, with
every character that is not a letter or digit as `_`: `keys/approver-2.pem` has
`SEALIFT_PASSPHRASE_APPROVER_2`. A passphrase is never taken from the command line, where other users see it.

A passphrase file is guarded like a key (see `secret_file`). `/dev/stdin`, `/dev/fd/N` and so `<(…)` of a shell name
what the caller has opened, which may be a pipe.
"""

import os
import re
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import click

from sealift_common.console import local_error
from sealift_common.errors import KeyFileError, UsageError
from sealift_common.files.secret_file import read_regular, require_private, require_private_mode
from sealift_common.loudness import asking
from sealift_common.wording import counted

VARIABLE = "SEALIFT_PASSPHRASE"
MAX_FILE_BYTES = 4096
# Of a new passphrase. A stolen key file is tried offline, with a quarter of a second for each guess: a dozen characters
# keep that hopeless for words that a person can remember.
LEAST_CHARS = 12
# How often a person may type it.
TRIES = 3

_DESCRIPTOR = re.compile(r"/dev/(?:stdin|fd/(\d{1,9}))|/proc/self/fd/(\d{1,9})", re.ASCII)
_INSTEAD = f"; or pipe it to --passphrase-file /dev/stdin, or set {VARIABLE}"

_TYPED_WRONG = "the passphrase is wrong, or the file is damaged"

Prompt = Callable[[str], str]
T = TypeVar("T")


def _prompt(text: str) -> str:
    with asking():
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
    # A pipe can be read once only, and may serve several keys.
    _read: dict[Path, bytes] = field(default_factory=dict, init=False, repr=False)

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

    def opening(self, key: Path, open_: Callable[[bytes], T]) -> T:
        """Open an existing key file with its passphrase; a person who mistypes it is asked again.

        Args:
            key: the key file.
            open_: opens it; raises `ValueError` for a wrong passphrase.

        Raises:
            KeyFileError, LocalError: as `existing`.
            ValueError: the passphrase is wrong, as it was given, or as it was typed for the third time.

        """
        tries = TRIES if self._given(key) is None else 1
        for left in reversed(range(tries)):
            try:
                return open_(self.existing(key))
            except ValueError:
                if not left:
                    raise
                click.echo(f"{_TYPED_WRONG}; once more", err=True)
        raise AssertionError  # the last try returned or raised

    def pin(self, key: Path) -> str:
        """The PIN of the token that holds `key`; as `existing`.

        Raises:
            KeyFileError, LocalError: as `existing`; or it is not text.

        """
        try:
            return self.existing(key, "PIN").decode()
        except UnicodeDecodeError:
            raise KeyFileError(f"the PIN for {str(key)!r} is not UTF-8; check where it comes from") from None

    def new(self, key: Path) -> bytes:
        """The passphrase for a key file to be made; a person types it twice, and may try that three times.

        Raises:
            KeyFileError: it is shorter than `LEAST_CHARS`, the two differ, or none is given and there is no terminal
                to ask on.
            LocalError: the passphrase file cannot be read.

        """
        given = self._given(key)
        if given is not None:
            return _long_enough(given, f"the passphrase for {str(key)!r}")
        for left in reversed(range(TRIES)):
            try:
                return self._typed_twice(key)
            except KeyFileError as error:
                if not left or self.prompt is None:
                    raise
                click.echo(f"{error}; once more", err=True)
        raise AssertionError  # the last try returned or raised

    def _typed_twice(self, key: Path) -> bytes:
        first = _long_enough(self._ask(key, f"New passphrase for {key}"), "the passphrase typed")
        if self._ask(key, "The same passphrase again") != first:
            raise KeyFileError(f"the two passphrases for {str(key)!r} differ; nothing was written")
        return first

    def _given(self, key: Path) -> bytes | None:
        if self.files:
            position = list(self.keys).index(str(key)) if len(self.files) > 1 else 0
            file = self.files[position]
            if file not in self._read:
                self._read[file] = _from_file(file)
            return self._read[file]
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


def _long_enough(passphrase: bytes, what: str) -> bytes:
    length = len(passphrase.decode("utf-8", "surrogateescape"))
    if length < LEAST_CHARS:
        raise KeyFileError(f"{what} has {counted(length, 'character')}; expected {LEAST_CHARS} or more")
    return passphrase


def _from_file(path: Path) -> bytes:
    what = f"passphrase file {str(path)!r}"
    try:
        data = _content(path)
    except OSError as error:
        raise local_error(error, "cannot read passphrase file") from error
    # Editors end the line; the passphrase is the line without its end.
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    if len(data) > MAX_FILE_BYTES or b"\n" in line:
        raise KeyFileError(f"{what} must hold one line of at most {MAX_FILE_BYTES} bytes")
    if not line:
        raise KeyFileError(f"{what} is empty; a key needs a passphrase")
    return line


def _content(path: Path) -> bytes:
    """Read a passphrase file, and never wait but for a pipe that the caller has opened for us."""
    match = _DESCRIPTOR.fullmatch(str(path))
    if match is None:
        data, status = read_regular(path, MAX_FILE_BYTES + 1)
        require_private(path, status, "passphrase file", instead=_INSTEAD)
        return data
    descriptor = int(match[1] or match[2] or 0)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        require_private_mode(path, status, "the file behind", instead=_INSTEAD)
    elif not stat.S_ISFIFO(status.st_mode) and not stat.S_ISSOCK(status.st_mode):
        raise KeyFileError(f"{str(path)!r} is neither a pipe nor a file; leave --passphrase-file out to be asked")
    data = b""
    while len(data) <= MAX_FILE_BYTES and (chunk := os.read(descriptor, MAX_FILE_BYTES + 1 - len(data))):
        data += chunk
    return data


def _not_empty(text: str, what: str) -> bytes:
    if not text:
        raise KeyFileError(f"{what} is empty; a key needs a passphrase")
    # What is not UTF-8 is the same passphrase here as in a file: its bytes.
    return text.encode("utf-8", "surrogateescape")
