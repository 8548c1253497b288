"""Take a bundle apart and put it together again with consistent digests, as an attacker would."""

import json
import tarfile
from pathlib import Path

from sealift.bundle.tarformat import END, Member
from sealift_common.oci import layout


def read_members(bundle: Path) -> dict[str, bytes]:
    with tarfile.open(bundle) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def write_members(
    members: dict[str, bytes], output: Path, *, mtime: int = 1_800_000_000, fix_index: bool = True
) -> Path:
    if fix_index:
        index = json.loads(members[layout.INDEX])
        for name, data in members.items():
            if name.startswith("tuf/") or name == layout.MANIFEST_MD:
                index["annotations"][layout.MEMBER_DIGEST + name] = layout.sha256(data)
        members = {**members, layout.INDEX: json.dumps(index, sort_keys=True, separators=(",", ":")).encode()}
    parts = []
    for name, data in members.items():
        member = Member(name, len(data), mtime)
        parts += [member.header(), data, bytes(member.padding)]
    output.write_bytes(b"".join([*parts, END]))
    return output
