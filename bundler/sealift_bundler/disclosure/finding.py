"""A finding: what was found where, how often, and a fingerprint of the values that tells nobody what they are. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sealift_bundler.disclosure.search import Hit, search

# A tenth of a second, so that a reader of a recipe can try guesses and no lists. PBKDF2 is allowed where FIPS rules.
_ROUNDS = 200_000
_FINGERPRINT_BYTES = 16
_SHOWN_CHARS = 60


@dataclass(frozen=True)
class Finding:
    """Values of one kind in one part of one file; it holds none of them.

    Attributes:
        kind: of the table of patterns, for example "e-mail".
        file: the file of the model, or "recipe" for the texts of the manifest.
        count: how many values there are, the same one again included.
        place: where the first of them is, for example "term 17 of 4,120".
        different: how many different values there are.
        people: they stand where addresses of authors are meant to stand.
    """

    kind: str
    file: str
    count: int
    place: str
    _digest: bytes = field(repr=False)
    different: int = 1
    people: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """The word that `[[accepted]]` names: the same for the same set of values, kind and file.

        The hash is slow on purpose (PBKDF2-HMAC-SHA256): an address or a number can be guessed, and each guess costs
        its reader as long as it costs us.
        """
        salt = f"sealift.disclosure/1\0{self.kind}\0{self.file}".encode()
        return hashlib.pbkdf2_hmac("sha256", self._digest, salt, _ROUNDS, _FINGERPRINT_BYTES).hex()

    def line(self) -> str:
        """Return the finding as a line for people."""
        more = f" and {self.count - 1:,} more" if self.count > 1 else ""
        return f"{self.kind} in {self.file}: {self.place}{more}"

    def document(self) -> dict[str, object]:
        """Return the finding as JSON has it."""
        return {
            "count": self.count,
            "file": self.file,
            "fingerprint": self.fingerprint,
            "kind": self.kind,
            "place": self.place,
        }


def gather(file: str, hits: Iterable[Hit], place: Callable[[int], str], *, people: bool = False) -> Iterator[Finding]:
    """Make one finding of all hits of a kind.

    Args:
        place: from the number of a string to where it is.
        people: whether addresses of authors are meant to stand there.
    """
    kinds: dict[str, list[Hit]] = {}
    for hit in hits:
        kinds.setdefault(hit.kind, []).append(hit)
    for kind, found in kinds.items():
        values = sorted({hit.value for hit in found})
        whole = hashlib.sha256(b"".join(len(value).to_bytes(8) + value for value in values)).digest()
        yield Finding(kind, file, len(found), place(found[0].line), whole, len(values), people)


def shown(name: str) -> str:
    """Return a name as a place may show it: names of columns, tensors and files can hold values themselves."""
    if any(search([name])):
        return "(name withheld)"
    return repr(name if len(name) <= _SHOWN_CHARS else name[:_SHOWN_CHARS] + "…")


def redacted(message: str, *, but: str = "") -> str:
    """Return a message of somebody else's code, with the word for it in place of each value that is a finding.

    Args:
        but: a text that stays, such as the path that the message is about.
    """
    if but and but in message:
        return but.join(redacted(part) for part in message.split(but))
    said = message
    for hit in search([message]):
        value = hit.value.decode("utf-8", "replace")
        if value not in message:
            # It stands there in an escape.
            return f"(withheld: {hit.kind})"
        said = said.replace(value, f"(withheld: {hit.kind})")
    return said


def withheld(value: Any) -> Any:
    """Return a document of JSON, or a text, in which every text that holds a finding is replaced by the word for it."""
    if isinstance(value, str):
        hit = next(search([value]), None)
        return value if hit is None else f"(withheld: {hit.kind})"
    if isinstance(value, Mapping):
        return {withheld(key): withheld(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [withheld(item) for item in value]
    return value
