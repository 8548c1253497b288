"""Search everything that would travel: strings, texts, and the files of a model. Pure."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from mmap import mmap
from typing import Any

from sealift.errors import Error
from sealift.model.documents.description import FILE_NAME, FRONTEND_FILE, GOLDEN_FILE, GRAPH_FILE
from sealift.model.documents.file_set import shard
from sealift.model.weights.check import check_file, format_of, longest_header
from sealift_bundler.disclosure.documents import (
    columns_of,
    description_passages,
    frontend_passages,
    golden_passages,
    manifest_passages,
)
from sealift_bundler.disclosure.finding import Finding, gather
from sealift_bundler.disclosure.graph import graph_passages, numbers
from sealift_bundler.disclosure.passages import Passage
from sealift_bundler.disclosure.search import search
from sealift_bundler.disclosure.unpacking import UnreadableError, contents
from sealift_common.oci.layout import own_name

UNREADABLE = "unreadable"
# Of the texts that the recipe puts into the manifest, and of the names of all files.
RECIPE, NAMES = "recipe", "file names"

# Whole words of a document's name: "cardholders.csv" holds no authors.
_AUTHORS = re.compile(
    r"(?:.*[._ -])?(?:CARD|LICEN[CS]ES?|COPYING|COPYRIGHT|NOTICES?|AUTHORS|CONTRIBUTORS|README)(?:[._ -].*)?",
    re.IGNORECASE,
)
_TABLES = re.compile(
    r".*\.(?:csv|tsv|jsonl?|ndjson|parquet|feather|arrow|xlsx?|ods|sqlite3?|db)(?:\..*)?", re.IGNORECASE
)
# Base64 of digests and of a signature, which we wrote ourselves.
_OWN_SIGNATURE = "model.sig"
# Before the numbers of weights, with a little of these.
# Shorter ones are everywhere by chance, and one in some megabytes looks like an address.
_PRINTABLE = re.compile(rb"[\x20-\x7e]{10,}")
# In either order of bytes; letters of other alphabets end a piece.
# No text has these; line ends, tabs, and the mark of an end of file are in texts.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
_WIDE = re.compile(rb"(?:[\x20-\x7e]\x00(?:\x00\x00)?+){6,}+")


def findings_in(strings: Iterable[object], file: str = "samples", what: str = "value") -> tuple[Finding, ...]:
    """Search values of a column, or any other strings; what is not text is passed over.

    Args:
        file: what the findings name as their file.
        what: what one string is called in their places, for example "row" or "category".
    """
    texts = [string if isinstance(string, str | bytes) else "" for string in strings]
    return tuple(gather(file, search(texts), lambda index: f"{what} {index + 1:,} of {len(texts):,}"))


def scan_text(text: str, file: str) -> tuple[Finding, ...]:
    """Search a text line by line."""
    return tuple(gather(file, search(text.splitlines()), lambda index: f"line {index + 1:,}"))


def scan_files(files: Mapping[str, bytes | mmap], descriptor: Mapping[str, Any] | None = None) -> tuple[Finding, ...]:
    """Search the files of a model, and their names.

    Args:
        files: file name to content: the very bytes that will be stored.
        descriptor: the texts that go into the manifest, as ModelPack has them.
    """
    columns = columns_of(bytes(files.get(FILE_NAME, b"{}")))
    findings: list[Finding] = []
    names = [_searchable(name) for name in files]
    findings += _found(NAMES, [Passage(names, lambda index: f"name {index + 1:,} of {len(files):,}")])
    if descriptor is not None:
        findings += _found(RECIPE, manifest_passages(descriptor))
    for number, (name, data) in enumerate(files.items(), 1):
        file = f"file {number:,}" if any(search([names[number - 1]])) else name
        try:
            # What was found before something unreadable stays.
            findings += _found(file, _passages(name, data, columns))
        except UnreadableError as error:
            findings.append(Finding(UNREADABLE, file, 1, str(error), hashlib.sha256(data).digest()))
    return tuple(findings)


def _found(file: str, passages: Iterable[Passage]) -> Iterator[Finding]:
    for passage in passages:
        yield from gather(file, passage.find(passage.strings), passage.place, people=passage.people)


def _passages(name: str, data: bytes | mmap, columns: Mapping[str, Sequence[str]]) -> Iterable[Passage]:
    if shard(name):
        return [numbers(data, [(0, len(data))])]
    if format_of(name) is not None:
        with suppress(Error):
            return _weights(name, data)
    data = bytes(data)
    known = {
        GRAPH_FILE: lambda: graph_passages(data, columns),
        FRONTEND_FILE: lambda: frontend_passages(data),
        GOLDEN_FILE: lambda: golden_passages(data),
        FILE_NAME: lambda: description_passages(data),
    }.get(own_name(name))
    if known is not None:
        try:
            return list(known())
        except (Error, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            # Not of its form: still bytes that would travel. Nothing else is done here with what is wrong.
            pass
    return _document(name, data)


def _weights(name: str, data: bytes | mmap) -> list[Passage]:
    """Look at the header of weights as at a text, and at their numbers as at any others."""
    header = check_file(name, iter([memoryview(data)[: longest_header(name)].tobytes()]), len(data), name)
    texts = _texts(data[:header], " of the header", people=False, own=False)
    return [*texts, numbers(data, [(header, len(data))])]


def _document(name: str, data: bytes) -> Iterator[Passage]:
    for place, part in enumerate(contents(data)):
        where = "" if place == 0 else ", unpacked"
        yield from _texts(part, where, people=place == 0 and _names_authors(name), own=name == _OWN_SIGNATURE)


def _texts(data: bytes, where: str, *, people: bool, own: bool) -> Iterator[Passage]:
    """Yield a text as its lines, and of anything else what can be read."""
    find: Callable[[Any], Any] = _without_terms if own else search
    text = _decoded(data)
    if text is not None:
        # Some texts end with zeros; and a row of texts may be divided by them.
        yield Passage(text.replace("\0", "\n").splitlines(), lambda index: f"line {index + 1:,}{where}", find, people)
    if text is None or "\0" in text:
        yield Passage(_PRINTABLE.findall(data), lambda _: f"bytes that are no text{where}", find)
        # The last letter may have its zeros before it.
        wide = [letters.replace(b"\0", b"") for letters in _WIDE.findall(data + bytes(3))]
        yield Passage(wide, lambda _: f"UTF-16 or UTF-32{where}", find)


def _decoded(data: bytes) -> str | None:
    """Return a text; None for bytes that are none."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    try:
        return data.decode(_MARKS.get(mark, "utf-8"))
    except UnicodeDecodeError:
        # Every byte is a letter of some older encoding; this one has those of Western Europe.
        text = data.decode("latin-1")
        return None if _CONTROLS.search(text) else text


def _names_authors(name: str) -> bool:
    return _AUTHORS.fullmatch(name) is not None and _TABLES.fullmatch(name) is None


def _searchable(name: str) -> str:
    """Return a file's name, or it without what stands behind its last point: that may be the end of an address."""
    stem = name.rpartition(".")[0]
    return stem if not any(search([name])) and any(search([stem])) else name


def _without_terms(strings: Iterable[str | bytes]) -> Any:
    return search(strings, kinds=lambda pattern: pattern.kind != "random-term")
