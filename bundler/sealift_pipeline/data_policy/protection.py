"""Take persons and secrets out of values before they touch a disk. Pure.

A person becomes `u_` and 24 hexadecimal digits of HMAC-SHA256 (RFC 2104) under a key that never leaves the machine: the
same person is the same pseudonym in every table, and nobody without the key finds out who it is. In texts, what the
disclosure scan knows of becomes a constant, and so do mentions, addresses of IPv6, and the names that the event itself
gives to persons.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv6Address
from typing import Any

from sealift_bundler.disclosure.search import search
from sealift_pipeline.data_policy.paths import objects_in

KEY_BYTES = 32
_DIGITS = 24
PSEUDONYM = re.compile(rf"u_[0-9a-f]{{{_DIGITS}}}")
# The disclosure scan passes over what nobody owns, such as addresses for examples. Here a word too many does no harm,
# so whatever has the form goes, and a private key goes from its first line to its last. Each is looked for where the
# text that comes first is there.
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]{0,30}-----|\Z)", re.DOTALL)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_FORMS = {
    "gitlab-token": (
        "-",
        re.compile(r"gl(?:pat|oas|dt|rtr|rt|cbt|ptt|ft|imt|agent|soat|ffct|wt)-[A-Za-z0-9_.\-]{8,300}"),
    ),
    "github-token": ("_", re.compile(r"gh[oprsu]_[A-Za-z0-9]{8,255}|github_pat_[A-Za-z0-9_]{8,255}")),
    "e-mail": ("@", re.compile(r"(?<![\w.+%'\-])[\w.+%'\-]{1,256}+@\w[\w\-]{0,62}(?:\.\w[\w\-]{0,62}){1,8}")),
    "ipv4": (".", re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\d)", re.ASCII)),
    # A user name of GitLab, after a sign that is not part of a mail address.
    "mention": ("@", re.compile(r"(?<![\w@.+/-])@[A-Za-z0-9_][A-Za-z0-9_.\-]{0,254}(?:/[A-Za-z0-9_.\-]{1,255}){0,8}")),
}
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])")
# Base64 and escapes are looked into by the search; what it finds there is not in the text as it stands.
_OPAQUE = re.compile(r"[A-Za-z0-9+/_\-%\\&;#=]{24,}")
# Where an event has a person: an object with a user name or a mail address, or keys of its own for the one who acted.
_PERSON_KEYS = ("username", "email", "name", "public_email")
_ACTOR_KEYS = ("user_username", "user_email", "user_name", "old_username")
_SHORTEST_NAME, _LONGEST_NAME = 3, 320
_FEW = 50
_MOST_LENGTHS = 16
# A word, or one sign.
_WORD = re.compile(r"\w+|[^\w\s]")


def pseudonym(who: int | str, key: bytes) -> str:
    """Return what stands for a person in every table.

    Args:
        who: the number of a user (an int), or a user name or mail address, in any case.
        key: 32 bytes; see `read_key` for the file.

    Raises:
        ValueError: the key has another length.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"the key has {len(key)} bytes; expected {KEY_BYTES}")
    # A user may be named "42", and is not the user with that number.
    text = f"id:{who}" if isinstance(who, int) else f"name:{who.strip().casefold()}"
    return "u_" + hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:_DIGITS]


def scrub(text: str, names: Iterable[str] = ()) -> str:
    """Return a text in which tokens, keys, mail and IP addresses, numbers of persons and @mentions are constants.

    Args:
        text: of any language; what is found is replaced by `<gitlab-token>`, `<e-mail>`, `<mention>` and the like.
        names: of persons, which become `<person>` wherever they stand as whole words, in any case.

    The kinds are those of the disclosure scan, docs/reference/disclosure.md. A name that nobody gives here stays: free
    text is not anonymous.
    """
    text = _PRIVATE_KEY.sub("<private-key>", text)
    hits = list(search([text]))
    # The longest first, for one may hold another.
    for hit in sorted(hits, key=lambda hit: -len(hit.value)):
        text = text.replace(hit.value.replace(b"\x0b", b"\n").decode("utf-8", "replace"), f"<{hit.kind}>")
    if hits:
        text = _without_encoded(text)
    for kind, (anchor, form) in _FORMS.items():
        if anchor in text:
            text = form.sub(f"<{kind}>", text)
    if text.count(":") > 1:
        text = _IPV6.sub(_address, text)
    return _without_names(text, names)


def _without_encoded(text: str) -> str:
    """Replace what is a secret only once it is decoded: Base64, escapes, and letters with marks that nobody sees."""
    left = next(iter(search([text])), None)
    if left is None:
        return text
    kind = left.kind
    text = _OPAQUE.sub(lambda match: f"<{kind}>" if any(search([match[0]])) else match[0], text)
    # Nothing of a text is worth keeping that still hides something.
    return f"<{kind}>" if any(search([text])) else text


def _address(match: re.Match[str]) -> str:
    try:
        IPv6Address(match[0])
    except AddressValueError:
        return match[0]
    return "<ipv6>" if match[0].strip(":") else match[0]


class _Names:
    """Names by their first word and their length: what a text is compared with, word by word."""

    def __init__(self) -> None:
        self.by_first: dict[str, dict[int, set[str]]] = {}

    def add(self, name: str) -> None:
        if first := _WORD.match(name):
            self.by_first.setdefault(first[0].casefold(), {}).setdefault(len(name), set()).add(name)

    def bound(self) -> None:
        """Take names apart whose first word has too many lengths: each place of it would be compared with each."""
        crowded = [first for first, sizes in self.by_first.items() if len(sizes) > _MOST_LENGTHS]
        for sizes in [self.by_first.pop(first) for first in crowded]:
            for word in {word for some in sizes.values() for name in some for word in re.findall(r"\w+", name)}:
                self.add(word)

    def folded(self) -> dict[str, list[tuple[int, set[str]]]]:
        """Return them for a comparison in any case, the longest first, for one may hold another."""
        return {
            first: [(size, {name.casefold() for name in some}) for size, some in sorted(sizes.items(), reverse=True)]
            for first, sizes in self.by_first.items()
        }


def _without_names(text: str, names: Iterable[str]) -> str:
    """Replace names that stand as whole words, in any case; the work does not grow with how many there are."""
    given = _Names()
    for name in {name.strip() for name in names}:
        if _SHORTEST_NAME <= len(name) <= _LONGEST_NAME:
            given.add(name)
    given.bound()
    known = given.folded()
    if len(known) <= _FEW:
        # Mostly, none of a few names is there.
        folded = text.casefold()
        known = {first: sizes for first, sizes in known.items() if first in folded}
    if not known:
        return text
    parts, done = [], 0
    for word in _WORD.finditer(text):
        begin = word.start()
        sizes = known.get(word[0].casefold())
        if sizes is None or begin < done or (begin and _is_of_word(text[begin - 1])):
            continue
        for size, some in sizes:
            end = begin + size
            if text[begin:end].casefold() in some and not _is_of_word(text[end : end + 1]):
                parts += [text[done:begin], "<person>"]
                done = end
                break
    return "".join([*parts, text[done:]])


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def persons_in(event: Any) -> Iterator[str]:
    """Yield the names, user names and mail addresses that an event gives to persons, wherever they stand."""
    for value in objects_in(event):
        keys = _PERSON_KEYS if "username" in value or "email" in value else ()
        yield from (one for key in (*keys, *_ACTOR_KEYS) if isinstance(one := value.get(key), str))
