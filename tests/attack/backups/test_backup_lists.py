"""The list of a backup that is not as we write it: refused by class, nothing of the store touched."""

import pytest
from support.backups import MODEL, document_of, dumped, packed

from sealift.errors import (
    DigestError,
    LimitError,
    MalformedError,
    MixError,
    NoSpaceError,
    UnsafeMemberError,
    UnsupportedVersionError,
)

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../../etc/passwd", UnsafeMemberError),
        ("/etc/passwd", UnsafeMemberError),
        ("models/toy/1.0.0/../../../current", UnsafeMemberError),
        ("models/../1.0.0/model.onnx", UnsafeMemberError),
        ("models/toy/../model.onnx", UnsafeMemberError),
        ("models/toy/1.0.0/.hidden", UnsafeMemberError),
        ("models/toy/1.0.0/a\x00b", UnsafeMemberError),
        ("models/Toy/1.0.0/model.onnx", UnsafeMemberError),
        ("manifests/../trust/floor.json", UnsafeMemberError),
        ("trust/root_history/../../x.root.json", UnsafeMemberError),
        ("trust/current", UnsafeMemberError),
        ("current", UnsafeMemberError),
        ("lock", UnsafeMemberError),
        ("store.json", UnsafeMemberError),
        ("", UnsafeMemberError),
        (7, MalformedError),
    ],
)
def test_a_name_that_no_store_has(path, error, good, attempt):
    document = document_of(good)
    document["files"][-1]["path"] = path
    attempt(error, packed({**good, "store.json": dumped(document)}))


def _listed_twice(good):
    document = document_of(good)
    document["files"].append(document["files"][-1])
    return {**good, "store.json": dumped(document)}


def _generation(change):
    def apply(good):
        document = document_of(good)
        document["generations"][0] |= change
        return {**good, "store.json": dumped(document)}

    return apply


def _top(change):
    return lambda good: {**good, "store.json": dumped(document_of(good) | change)}


def _without(path):
    def apply(good):
        document = document_of(good)
        document["files"] = [entry for entry in document["files"] if not entry["path"].startswith(path)]
        members = {name: data for name, data in good.items() if not name.startswith(path)}
        return {**members, "store.json": dumped(document)}

    return apply


def _size(path, size):
    def apply(good):
        document = document_of(good)
        next(entry for entry in document["files"] if entry["path"] == path)["size"] = size
        return {**good, "store.json": dumped(document)}

    return apply


DOCUMENTS = {
    "a file listed twice": (_listed_twice, MalformedError),
    "files out of order": (lambda good: _top({"files": document_of(good)["files"][::-1]})(good), MalformedError),
    "a form of the future": (_top({"schema": "sealift.backup/2"}), UnsupportedVersionError),
    "a field besides": (_top({"more": 1}), MalformedError),
    "no generation": (_top({"generations": []}), MalformedError),
    "another active generation": (_top({"active": 2}), MalformedError),
    "an active generation of text": (_top({"active": "1"}), MalformedError),
    "a model with a path for a name": (_generation({"models": {"../x": "1.0.0"}}), UnsafeMemberError),
    "a model with a path for a version": (_generation({"models": {"toy": "../../.."}}), UnsafeMemberError),
    "a huge generation": (_generation({"number": 10**12}), MalformedError),
    "a time that is none": (_generation({"created": "now\x1b[2J"}), MalformedError),
    "a list for a document": (lambda good: {**good, "store.json": b"[]"}, UnsupportedVersionError),
    "no JSON": (lambda good: {**good, "store.json": b"\xff"}, MalformedError),
    "nested": (lambda good: {**good, "store.json": b"[" * 100_000}, LimitError),
    "no model": (_without("models/"), MalformedError),
    "a file of the model missing": (_without(MODEL), MalformedError),
    "no manifests": (_without("manifests/"), DigestError),
    "no floor": (_without("trust/floor.json"), MalformedError),
    "no targets": (_without("trust/targets.json"), MalformedError),
    "no roots": (_without("trust/root_history"), MixError),
    "a huge model file": (_size(MODEL, 10**15), LimitError),
    "a model file larger than the disk": (_size(MODEL, 8 * 1024**3 - 1), (NoSpaceError, DigestError)),
    "a negative size": (_size(MODEL, -1), MalformedError),
    "a huge history": (_size("history.jsonl", 10**9), LimitError),
    "a huge root": (_size("trust/root_history/1.root.json", 10**9), LimitError),
    "another size": (_size("trust/targets.json", 5), DigestError),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_list_that_is_not_as_we_write_it(case, good, attempt):
    change, error = DOCUMENTS[case]
    attempt(error, packed(change(good)))
