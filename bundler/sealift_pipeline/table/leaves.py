"""Leaves and roots: how a snapshot can be cited, and still hold when a row of it was erased. Pure.

A leaf is SHA-256 of a zero byte, the row's salt of sixteen random bytes, and the row as canonical JSON (RFC 8785). The
root over leaves is that of RFC 6962, section 2.1. A column that is null is left out of the row, so a new column changes
no old leaf; a time counts in microseconds since 1970. The salt goes with an erased row: nobody can then guess what a
leaf was made of.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785

SALT_BYTES = 16
LEAF_BYTES = 32


def row_document(
    kind: str, seq: int, key: str, received: int, subjects: Iterable[str], columns: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what of a row is hashed; see the page docs/reference/formats/events.md."""
    return {
        "columns": {name: value for name, value in columns.items() if value is not None},
        "key": key,
        "kind": kind,
        "received": received,
        "seq": seq,
        "subjects": list(subjects),
    }


def leaf(salt: bytes, document: Mapping[str, Any]) -> bytes:
    """Return the leaf of a row, 32 bytes.

    Raises:
        ValueError: the row holds what canonical JSON cannot write.
    """
    return hashlib.sha256(b"\0" + salt + rfc8785.dumps(dict(document))).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the Merkle tree hash (RFC 6962) over leaves in order, 32 bytes; memory grows with their logarithm."""
    # Complete subtrees from left to right, each with the number of its leaves.
    waiting: list[tuple[int, bytes]] = []
    for one in leaves:
        size, node = 1, one
        while waiting and waiting[-1][0] == size:
            node = hashlib.sha256(b"\1" + waiting.pop()[1] + node).digest()
            size *= 2
        waiting.append((size, node))
    if not waiting:
        return hashlib.sha256(b"").digest()
    _, node = waiting.pop()
    while waiting:
        node = hashlib.sha256(b"\1" + waiting.pop()[1] + node).digest()
    return node
