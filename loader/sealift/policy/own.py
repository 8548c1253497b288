"""The site's own reviewers: their keys and what they signed, in files beside the policy.

    policy.toml            [own]  security = ["own-security.pem.pub"]
    own-security.pem.pub   public key, as `sealift-keys new` writes it
    reviews/*.dsse.json    statements, as `sealift-keys own-review` writes them

Rules:

1. A role of `[own]` is this site's, whatever the channel calls its own: what these keys approve counts for it alone.
2. `reviews/` may also hold what reviewers of the channel signed, where it rejects or takes back: news that no bundle
   brought yet. Their approvals come with the bundle, or not at all.
3. A file that cannot be read stops everything: it may be a rejection.
"""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sealift import plain_file
from sealift.errors import Error, LocalError, UnsafeStoreError
from sealift.policy.policy import DIRECTORY
from sealift.trust import pin
from sealift_common import fingerprint
from sealift_common.parsing import strict_json
from sealift_common.parsing.public_key import MAX_SIZE_BYTES, default_name, parse_public
from sealift_common.review.dsse import parse_envelope
from sealift_common.review.index import StatementIndex
from sealift_common.review.judgement import signers
from sealift_common.review.reviewers import Reviewer, Reviewers, ReviewRole
from sealift_common.review.statement import APPROVED, parse_statement

SUFFIX = ".dsse.json"
MAX_FILES = 5000
# The largest statement, in base64, with its signatures.
_MAX_STATEMENT_BYTES = 1024 * 1024
# A file that changed just now may change again within one tick of the clock.
_SETTLED_NS = 2_000_000_000

# Of everything below: which file, of whom, and when it changed last.
Mark = tuple[tuple[str, int, int, int, int, int, int], ...]


class Own(NamedTuple):
    """What this site's reviewers say.

    Attributes:
        roles: of `[own]`, with their keys.
        statements: of the folder `reviews`.
        objections: those that reject or take back, for reviewers of the channel.
    """

    roles: Mapping[str, ReviewRole]
    statements: StatementIndex
    objections: tuple[Mapping[str, Any], ...]

    def reviewers(self, channel: str) -> Reviewers:
        """Return who reviews here for a channel."""
        return Reviewers(channel, self.roles, (), own=True)


_known: dict[str, tuple[Mapping[str, tuple[str, ...]], Mark, Own]] = {}


def read_own(directory: Path, keys: Mapping[str, tuple[str, ...]], store: Path | None) -> Own:
    """Read keys and statements, unless they are as they were.

    Args:
        directory: of the policy.
        keys: role to names of key files, as the policy says.
        store: as for `pin.read`.

    Raises:
        LocalError: a file is missing, cannot be read, or is not of its form.
        UnsafeStoreError: somebody can have changed one who may not change the pinned root.
    """
    place = os.fspath(directory)
    mark = _mark(directory, keys)
    known = _known.get(place)
    if known is not None and known[:2] == (keys, mark):
        return known[2]
    own = _read(directory, keys, store)
    if all(time.time_ns() - changed > _SETTLED_NS for *_, changed in mark):
        _known[place] = (keys, mark, own)
    else:
        _known.pop(place, None)
    return own


def _mark(directory: Path, keys: Mapping[str, tuple[str, ...]]) -> Mark:
    """Look at every file once; a few microseconds each, because every load comes here."""
    found = []
    for name in sorted({name for names in keys.values() for name in names}):
        path = directory / name
        try:
            found.append(_facts(name, os.stat(path)))
        except OSError as error:
            raise _unreadable(path, error) from error
    folder = directory / DIRECTORY
    try:
        found.append(_facts(DIRECTORY, os.stat(folder)))
        with os.scandir(folder) as entries:
            listed = [entry for entry in entries if entry.name.endswith(SUFFIX)]
            if len(listed) > MAX_FILES:
                raise LocalError(f"{str(folder)!r} holds {len(listed):,} statements; expected at most {MAX_FILES:,}")
            found += sorted(_facts(entry.name, entry.stat()) for entry in listed)
    except OSError as error:
        if os.path.lexists(folder):
            raise _unreadable(Path(error.filename or folder), error) from error
    return tuple(found)


def _facts(name: str, status: os.stat_result) -> tuple[str, int, int, int, int, int, int]:
    # The kernel alone sets the time of change.
    return name, status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_size, status.st_ctime_ns


def _read(directory: Path, keys: Mapping[str, tuple[str, ...]], store: Path | None) -> Own:
    roles = {}
    holders: dict[bytes, str] = {}
    for role, names in keys.items():
        found: dict[bytes, Reviewer] = {}
        for name in names:
            path = directory / name
            data = _safe_bytes(path, MAX_SIZE_BYTES, store)
            try:
                key = parse_public(data, str(path), default_name(name))
            except Error as error:
                raise LocalError(f"the policy's key for {role!r}: {error}") from error
            material = fingerprint.material(key)
            if holders.setdefault(material, role) != role:
                raise LocalError(f"{str(path)!r} reviews for {holders[material]!r} already; give each role its own key")
            found[material] = Reviewer(key, material, None)
        roles[role] = ReviewRole(role, 1, tuple(found.values()))
    statements = list(_statements(directory / DIRECTORY, store))
    return Own(
        roles,
        StatementIndex([document for document, _ in statements]),
        tuple(document for document, decision in statements if decision != APPROVED),
    )


def _statements(folder: Path, store: Path | None) -> Iterator[tuple[Mapping[str, Any], str]]:
    if not os.path.lexists(folder):
        return
    # An empty one too: somebody may have taken a rejection out.
    _require_safe(pin.unsafe_folder_beside(folder, store))
    for name in sorted(entry for entry in os.listdir(folder) if entry.endswith(SUFFIX)):
        path = folder / name
        data = _safe_bytes(path, _MAX_STATEMENT_BYTES, store)
        try:
            document = strict_json.parse(data, repr(name), max_size_bytes=_MAX_STATEMENT_BYTES)
            envelope = parse_envelope(document, repr(name))
            statement = parse_statement(envelope.payload, repr(name))
        except Error as error:
            raise LocalError(f"statement {str(path)!r} is damaged: {error}; restore it, or remove it") from error
        yield document, statement.decision


def _safe_bytes(path: Path, most: int, store: Path | None) -> bytes:
    try:
        _require_safe(pin.unsafe_beside(path, store))
        return plain_file.read(path, most, follow=True)
    except OSError as error:
        raise _unreadable(path, error) from error


def _require_safe(problems: list[str]) -> None:
    if problems:
        raise UnsafeStoreError(f"what the policy needs is not safe: {'; '.join(problems)}")


def _unreadable(path: Path, error: OSError) -> LocalError:
    return LocalError(
        f"{str(path)!r}, which the policy needs, cannot be read: {error.strerror}; nothing is installed or loaded"
    )


def is_key_name(name: object) -> bool:
    """Return whether the policy may name a key so: a file beside it, and no other place."""
    return isinstance(name, str) and name not in ("", ".", "..") and "/" not in name and name.isprintable()


def strangers(own: Own, channel: Reviewers | None, name: str) -> int:
    """Return how many statements of `reviews` nobody signed who reviews here or for the channel: they say nothing.

    Args:
        channel: who reviews for the channel.
        name: of the channel.
    """
    known = [own.reviewers(name), *([] if channel is None else [channel])]
    return sum(not any(signers(said, reviewers) for reviewers in known) for said in own.statements)
