"""Keys, rules and files of a channel that exists in memory only: made again from nothing but a seed."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Role, Root

ROLES = ("timestamp", "snapshot", "targets")
# A life lasts some weeks of 2027; a thief's release may say that it is made long after.
EXPIRES, LONG_AFTER = datetime(2028, 1, 1, tzinfo=UTC), datetime(2080, 1, 1, tzinfo=UTC)


@cache
def signer(name: str) -> CryptoSigner:
    """The key of that name, the same in every run. Fit for nothing but this test."""
    made = CryptoSigner(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))
    made.public_key.unrecognized_fields["x-sealift-name"] = name
    return made


class Rules(NamedTuple):
    """What one root says: who may sign which role, and how many must."""

    version: int
    keys: Mapping[str, tuple[str, ...]]
    thresholds: Mapping[str, int]

    def met(self, role: str, names: Iterable[str]) -> bool:
        """Whether the keys `names` are enough for `role`."""
        return len(set(names) & set(self.keys[role])) >= self.thresholds[role]

    def to_root(self) -> Root:
        names = sorted({name for names in self.keys.values() for name in names})
        ids = {name: signer(name).public_key.keyid for name in names}
        return Root(
            version=self.version,
            expires=EXPIRES,
            keys={ids[name]: signer(name).public_key for name in names},
            roles={role: Role([ids[name] for name in self.keys[role]], self.thresholds[role]) for role in self.keys},
            consistent_snapshot=False,
            unrecognized_fields={"sealift": {"channel": "lives"}},
        )


class File:
    """One version of a role's metadata.

    Attributes:
        signers: the names of all keys whose signatures of it were ever published.
        forged: a thief wrote it.
    """

    def __init__(self, signed: Any, *, forged: bool = False) -> None:
        self.signed = signed
        self.signers: set[str] = set()
        self.forged = forged
        self._payload = Metadata(signed).signed_bytes
        self._text = json.dumps(signed.to_dict())
        self._signatures: dict[str, str] = {}

    def __str__(self) -> str:
        signed, extra = self.signed, ""
        if signed.type == "timestamp":
            extra = f" of snapshot {signed.snapshot_meta.version}"
        elif signed.type == "snapshot":
            extra = f" of targets {signed.meta['targets.json'].version}"
        return f"{'forged ' if self.forged else ''}{signed.type} {signed.version}{extra}"

    @property
    def version(self) -> int:
        return int(self.signed.version)

    def to_bytes(self, names: Collection[str]) -> bytes:
        """Serialize with the signatures of `names`."""
        for name in names:
            if name not in self._signatures:
                self._signatures[name] = signer(name).sign(self._payload).signature
        listed = [{"keyid": signer(name).public_key.keyid, "sig": self._signatures[name]} for name in sorted(names)]
        return b'{"signatures": %s, "signed": %s}' % (json.dumps(listed).encode(), self._text.encode())


class Copy(NamedTuple):
    """A file as it stands in one bundle: with these signatures."""

    file: File
    signers: frozenset[str]

    def __str__(self) -> str:
        return f"{self.file} signed by {', '.join(sorted(self.signers)) or 'nobody'}"


class Bundle(NamedTuple):
    """The metadata of a bundle: roots 1 to `root`, and a copy for each of `ROLES`."""

    root: int
    copies: Mapping[str, Copy]

    def __str__(self) -> str:
        return "; ".join([f"root 1 to {self.root}", *(str(self.copies[role]) for role in ROLES)])

    def file(self, role: str) -> File:
        return self.copies[role].file


def replaced(role: str, chain: Iterable[Rules], new: Rules) -> bool:
    """Whether nothing that the keys of `chain` signed for `role` can verify under `new`."""
    earlier = {name for rules in chain for name in rules.keys[role]}
    return not new.met(role, earlier)
