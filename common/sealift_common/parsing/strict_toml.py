"""A TOML document that a person wrote: unknown keys are errors, and errors name the file and the line.

An unknown key is an error because a misspelled one would be lost silently.
"""

import errno
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sealift_common.errors import Error, UnsupportedVersionError
from sealift_common.files.secret_file import read_regular
from sealift_common.wording import nearest

MAX_SIZE_BYTES = 1024 * 1024
# Tables in tables; more of them cannot even be shown in a message.
MAX_LEVELS = 64
# Of the dots of each line, squared: the parser's work for a key of many parts. One line may have a thousand.
_MAX_DOTS = 1_000_000

_KINDS = {errno.EISDIR: "it is a directory, not a file", errno.EINVAL: "it is not a plain file"}
_HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_.\"-]+)\s*\]")


def read_text(path: Path, what: str, error: type[Error]) -> str:
    """Read a document of at most 1 MiB.

    Args:
        what: how errors name it, for example "recipe".
        error: what is raised.

    Raises:
        error: the file is missing, no plain file, too large, or not UTF-8.
    """
    try:
        data, _ = read_regular(path, MAX_SIZE_BYTES + 1)
    except OSError as reason:
        why = _KINDS.get(reason.errno or 0, reason.strerror)
        raise error(f"cannot read {what} {str(path)!r}: {why}; give a TOML file") from reason
    if len(data) > MAX_SIZE_BYTES:
        raise error(f"{what} {str(path)!r} has more than {MAX_SIZE_BYTES:,} bytes; give a TOML file")
    return decoded(data, f"{what} {str(path)!r}", error)


def decoded(data: bytes, what: str, error: type[Error]) -> str:
    """Return the text of a document.

    Raises:
        error: it is not UTF-8.
    """
    try:
        # Editors on Windows begin a file with a byte order mark.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(f"{what} is not UTF-8 text; give a TOML file") from reason


class StrictToml:
    """One document; it holds the text for its messages.

    Args:
        name: how messages name the file.
        what: what it is, for example "recipe".
        error: the class that its messages are raised as.

    Raises:
        error: the text is not TOML.
    """

    def __init__(self, text: str, *, name: str, what: str, error: type[Error]) -> None:
        self.name = name
        self._text = text
        self._class = error
        if sum(line.count(".") ** 2 for line in text.splitlines()) > _MAX_DOTS:
            raise error(f"{what} {name!r} has lines of very many dots; expected keys of a few parts")
        try:
            self.document: dict[str, Any] = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as reason:
            raise error(f"{what} {name!r} is not TOML: {reason}") from reason
        if _is_deep(self.document):
            raise error(f"{what} {name!r} nests deeper than {MAX_LEVELS} levels; expected tables of a few levels")

    def check_keys(self, table: Mapping[str, Any], known: Collection[str], section: str = "") -> None:
        """Refuse a key that is not known, and propose the nearest one.

        Raises:
            The class of errors of this document.
        """
        for key in table:
            if key not in known:
                where = f" in [{section}]" if section else ""
                raise self.error(key, f"unknown key {key!r}{where}; {nearest(key, known)}", section)

    def require_format(self, known: int) -> None:
        """Check the key `format`.

        Raises:
            UnsupportedVersionError: it is newer than the one that is known.
            The class of errors of this document: it is missing, or no such number.
        """
        version = self.document.get("format")
        if type(version) is int and version > known:
            raise UnsupportedVersionError(f"{self.name}: format is {version}; this Sealift knows {known}: upgrade it")
        if type(version) is not int or version != known:
            raise self.error("format", f"'format' is {version!r:.80}; write format = {known}")

    def table(self, key: str) -> dict[str, Any]:
        """Return a table; an empty one where the document has none.

        Raises:
            The class of errors of this document.
        """
        value = self.document.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"{key!r} is {value!r:.120}; expected a table, [{key}]")
        return value

    def tables(self, key: str) -> list[dict[str, Any]]:
        """Return a list of tables; an empty one where the document has none.

        Raises:
            The class of errors of this document.
        """
        value = self.document.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self.error(key, f"{key!r} is not a list of tables; write [[{key}]]")
        return value

    def error(self, key: str, message: str, section: str = "") -> Error:
        """Return an error about `key`, with the file and the line where that is known."""
        line = self._line_of(key, section)
        return self._class(f"{self.name}{f':{line}' if line else ''}: {message}")

    def _line_of(self, key: str, section: str) -> int:
        """The line where `key` is set, or 0; a best effort on the text, because tomllib keeps no positions."""
        current = ""
        assignment = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""")
        for number, line in enumerate(self._text.splitlines(), 1):
            header = _HEADER.match(line)
            if header:
                current = header[1]
                if not section and current == key:
                    return number
            elif current == section and assignment.match(line):
                return number
        return 0


def _is_deep(document: dict[str, Any]) -> bool:
    """Return whether anything lies deeper than `MAX_LEVELS`, without going there by recursion."""
    level: list[Any] = [document]
    for _ in range(MAX_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)
