"""A root that is being changed: keys in, keys out, each compared by its material. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from securesystemslib.signer import Key
from tuf.api.metadata import Root

from sealift_common import fingerprint
from sealift_common.errors import UsageError
from sealift_common.metadata.release_document import key_name, revocations
from sealift_common.metadata.succession import keys_of
from sealift_common.review.reviewers import read_reviewers


@dataclass
class Draft:
    """A root that is being changed.

    Attributes:
        previous: the root before it, None for the first.
        earlier: every root before it, oldest first.
        roles: need new metadata for it.
    """

    root: Root
    previous: Root | None
    earlier: Sequence[Root] = ()
    lines: list[str] = field(default_factory=list)
    roles: set[str] = field(default_factory=set)

    def find(self, name: str) -> Key:
        """Return the key called `name`.

        Raises:
            UsageError: no key of this root has that name.

        """
        for key in self.root.keys.values():
            if name in (key_name(key), key.keyid):
                return key
        names = ", ".join(sorted(repr(key_name(key)) for key in self.root.keys.values()))
        raise UsageError(f"no key of this channel is named {name[:80]!r}; its keys are {names}")

    def remove(self, key: Key, role: str) -> None:
        """Take a key out of a role.

        Raises:
            UsageError: it is not in it.

        """
        if key.keyid not in self.root.roles[role].keyids:
            raise UsageError(f"key {key_name(key)!r} does not sign {role!r}; `sealift-keys show` lists who does")
        self.root.revoke_key(key.keyid, role)
        self.roles.add(role)
        self.lines.append(f"{role}: removed {key_name(key)!r}")

    def add(self, key: Key, role: str) -> None:
        """Give a role one more key.

        Raises:
            UsageError: the role has that key or had it once, it was revoked, or an older key has its name.

        """
        material = fingerprint.material(key)
        for entry in revocations(self.root):
            if entry["fingerprint"] == fingerprint.of_bytes(material):
                raise UsageError(
                    f"key {key_name(key)!r} was revoked at {entry['at']}: {entry['reason']!r}; make a new one"
                )
        if self._reviewed(material):
            raise UsageError(f"key {key_name(key)!r} reviews for this channel, or did; take another for {role!r}")
        if role != Root.type and self._left(material, role):
            # What it signed then would verify again, also where a later root is pinned and nobody remembers it.
            raise UsageError(
                f"key {key_name(key)!r} signed {role!r} once and left; what it signed would count again: make a new one"
            )
        for known in [*self.root.keys.values(), *(self.previous.keys.values() if self.previous else ())]:
            if fingerprint.material(known) == material:
                key = known
            elif key_name(known) == key_name(key):
                # While a rotation is pending, messages name keys of both roots.
                raise UsageError(
                    f"another key of this channel is named {key_name(key)!r}; give the new one another name: "
                    "put 'name: NEW' on the first line of its .pub file"
                )
        if key.keyid in self.root.roles[role].keyids:
            raise UsageError(f"role {role!r} has the key {key_name(key)!r} already; give each key once")
        self.root.add_key(key, role)
        self.roles.add(role)
        self.lines.append(f"{role}: added {key_name(key)!r}")

    def _reviewed(self, material: bytes) -> bool:
        """Return whether any root lists the key as that of a reviewer."""
        found = [read_reviewers(root) for root in (*self.earlier, self.root)]
        roles = [role for reviewers in found if reviewers is not None for role in reviewers.roles.values()]
        return any(one.material == material for role in roles for one in role.reviewers)

    def _left(self, material: bytes, role: str) -> bool:
        """Return whether an earlier root gave the key to `role`, and the last complete one does not."""
        before = () if self.previous is None else keys_of(self.previous, role)
        return material not in before and any(material in keys_of(root, role) for root in self.earlier)
