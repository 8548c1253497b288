"""The claims of a file in the drop folder, before anybody verifies it: complete or not, and which release.

Goes from header to header and reads no weights. Verifies nothing: installing does. Every look is bounded, whatever
length the file claims.
"""

import os

from sealift.bundle.holes import only_zeros
from sealift.bundle.tarformat import BLOCK, END, parse_header
from sealift.errors import Error
from sealift.limits import LIMITS
from sealift_common.oci import layout
from sealift_common.parsing import strict_json

# What stands before the signed targets: layout, index, roots, timestamp and snapshot.
_MOST_BEFORE_TARGETS = LIMITS.root_rotations + 4


def unfinished(descriptor: int) -> str | None:
    """Say how a tar is cut short; None when it ends as it should, or when more bytes would not fix it."""
    size = os.fstat(descriptor).st_size
    offset = 0
    for _ in range(LIMITS.walked_members):
        block = os.pread(descriptor, BLOCK, offset)
        if block == bytes(len(block)):
            if size - offset == len(END) and offset and os.pread(descriptor, len(END), offset) == END:
                return None
            if size - offset > len(END) and not only_zeros(descriptor, offset):
                return None
            return f"only {offset:,} bytes of it are there"
        beginning = layout.OCI_LAYOUT.encode("ascii")[: len(block)]
        if offset == 0 and not block.startswith(beginning):
            return None
        if len(block) < BLOCK:
            return f"it ends inside a tar header after {offset:,} bytes"
        try:
            member = parse_header(block, f"at byte {offset}")
        except Error:
            whole = offset + BLOCK >= size or not only_zeros(descriptor, offset + BLOCK)
            return None if whole else f"only {offset:,} bytes of it are there"
        offset += BLOCK + member.size + member.padding
        if offset > size:
            return f"it ends inside {member.name!r}, {offset - size:,} bytes too early"
    return None


def claimed_number(descriptor: int) -> int | None:
    """Return the release that a bundle says it is, unverified and good for ordering alone; None: it does not say."""
    offset = 0
    try:
        for _ in range(_MOST_BEFORE_TARGETS + 1):
            member = parse_header(os.pread(descriptor, BLOCK, offset), f"at byte {offset}")
            if member.name == layout.role_name("targets"):
                data = os.pread(descriptor, min(member.size, LIMITS.targets_size_bytes), offset + BLOCK)
                number = strict_json.parse(data, member.name)["signed"]["version"]
                return number if type(number) is int and number > 0 else None
            offset += BLOCK + member.size + member.padding
    except (Error, OSError, TypeError, KeyError):
        pass
    return None
