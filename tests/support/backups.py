"""A backup of a store as member name to content, and packed again with what an attacker would put in."""

import hashlib
import json
import tarfile

from sealift.bundle.tarformat import END, Member

MODEL = "models/toy/1.0.0/model.onnx"


def members_of(backup):
    with tarfile.open(backup) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def packed(members, *, mtime=1_800_000_000, end=END):
    parts = []
    for name, data in members.items() if isinstance(members, dict) else members:
        member = Member(name, len(data), mtime)
        parts += [member.header(), data, bytes(member.padding)]
    return b"".join([*parts, end])


def document_of(members):
    return json.loads(members["store.json"])


def with_files(members, document=None, **files):
    """Put other content in, with a list that fits it, as an attacker would."""
    members = {**members, **files}
    document = document or document_of(members)
    for entry in document["files"]:
        if entry["path"] in members:
            data = members[entry["path"]]
            entry |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return {**members, "store.json": dumped(document)}


def dumped(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
