"""An instance that installs bundles with the real installer, and what must hold after each of them.

What a thief of keys may do until they are revoked, and nothing else, is allowed here: sign files of a role while the
newest root of the bundle lists enough of the stolen keys for it. With timestamp and snapshot alone that freezes an
instance or drives version numbers up; with targets as well it makes a release, but one that goes on from the last: no
earlier number or time, nothing that was withdrawn, no other bytes under an old version. That ends where a root leaves
too few of the earlier targets keys for anything that they signed: only then may a release start afresh, and if a thief
has enough of the new keys too, it is the thief who starts.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from support.release.instance import Instance
from support.release.repack import write_members

from recombination.channel import Channel
from recombination.metadata import ROLES, Bundle, replaced
from recombination.models import put_into
from sealift.errors import Error, NotInstalledError, WithdrawnError
from sealift.install.steps import install
from sealift_common.names import ModelVersion
from sealift_common.oci import layout


class BrokenPromiseError(AssertionError):
    """Something happened to an instance that must not happen."""


class Follower:
    """An instance that follows one channel.

    Attributes:
        accepted: what was accepted last, None before the first install.
    """

    def __init__(self, directory: Path, channel: Channel) -> None:
        self._channel = channel
        self._instance = Instance(directory / "instance")
        self._bundle = directory / "bundle.tar"
        self._withdrawn: set[ModelVersion] = set()
        self.accepted: Bundle | None = None
        put_into(self._instance.store.layout)
        # An instance that is set up later pins what is newest then.
        self._instance.pin(self._root_bytes(channel.newest.version))
        self._trace = self._look()

    def follow(self) -> None:
        """Install the channel's newest bundle, as the admin does.

        Raises:
            BrokenPromiseError: it is refused without a thief who can still bring that about.
        """
        bundle = self._channel.bundles[-1]
        refused = self.offer(bundle)
        if refused is not None and not self._may_be_stuck(bundle):
            raise BrokenPromiseError(f"the channel cannot go on: {type(refused).__name__}: {refused}")

    def check_the_way_on(self) -> None:
        """Check that the channel's newest bundle could be installed, without installing it.

        Raises:
            BrokenPromiseError: as `follow`.
        """
        bundle = self._channel.bundles[-1]
        if self._may_be_stuck(bundle):
            return
        try:
            self._install(bundle, dry_run=True)
        except Error as error:
            raise BrokenPromiseError(f"the channel could not go on: {type(error).__name__}: {error}") from error

    def offer(self, bundle: Bundle) -> Error | None:
        """Try to install `bundle`; return why it was refused, or None.

        Raises:
            BrokenPromiseError: it was accepted and breaks a promise, or refused and has left a trace.
        """
        before = self._trace
        try:
            self._install(bundle)
        except Error as error:
            self._trace = self._look()
            if self._trace != before:
                changed = sorted(dict(self._trace.items() ^ before.items()))
                raise BrokenPromiseError(f"a refusal ({error}) changed the store: {changed}") from error
            return error
        self._trace = self._look()
        self._accept(bundle)
        return None

    def _accept(self, bundle: Bundle) -> None:
        """Compare with what was accepted before; see the rules at the top."""
        before = self.accepted
        if before is not None:
            # Roots that a bundle leaves out are in the store.
            bundle = bundle._replace(root=max(before.root, bundle.root))
        rules = self._channel.rules[bundle.root - 1]
        for role, copy in bundle.copies.items():
            if not rules.met(role, copy.signers):
                raise BrokenPromiseError(f"{role} has too few signatures for root {bundle.root}")
            if copy.file.forged and not rules.met(role, self._channel.stolen):
                raise BrokenPromiseError(f"{role} was signed with stolen keys that root {bundle.root} does not list")
        new = _Said(bundle)
        if before is not None:
            self._compare(before, bundle)
        self._withdrawn |= new.withdrawn
        self.accepted = bundle
        self._check_store(new)

    def _compare(self, before: Bundle, bundle: Bundle) -> None:
        old, new = _Said(before), _Said(bundle)
        if self._is_replaced(before.root, bundle.root):
            # All targets keys are others: what the old ones said binds nobody, and what the new ones say does. The
            # channel itself goes on saying what it withdrew; what a thief said was withdrawn may come back.
            known = self._withdrawn & self._channel.withdrawn
            lost = set() if self._needs_a_thief(bundle, "targets") else known - new.withdrawn
            self._withdrawn = set()
        else:
            if (new.number, new.released) < (old.number, old.released) or new.released < old.released:
                raise BrokenPromiseError(
                    f"the release went back from {old.number} of {old.released} to {new.number} of {new.released}"
                )
            lost = self._withdrawn - new.withdrawn
            changed = [
                model for model in new.digests if old.digests.get(model, new.digests[model]) != new.digests[model]
            ]
            if changed:
                raise BrokenPromiseError(f"other bytes under {', '.join(map(str, changed))}")
        if lost:
            raise BrokenPromiseError(f"withdrawn and back again: {', '.join(map(str, sorted(lost)))}")

    def _check_store(self, new: "_Said") -> None:
        store = self._instance.store
        if store.release().number != new.number:
            raise BrokenPromiseError(
                f"the store has release {store.release().number}; release {new.number} was accepted"
            )
        for model in self._withdrawn:
            try:
                store.find(model.name, str(model.version))
            except (WithdrawnError, NotInstalledError):
                continue
            raise BrokenPromiseError(f"{model} was withdrawn and can be loaded")

    def _needs_a_thief(self, bundle: Bundle, role: str) -> bool:
        """Whether the signatures that the channel published would not do, under the newest root of `bundle`."""
        copy = bundle.copies[role]
        return not self._channel.rules[bundle.root - 1].met(role, copy.signers & copy.file.signers)

    def _is_replaced(self, old: int, new: int) -> bool:
        return replaced("targets", self._channel.rules[:old], self._channel.rules[new - 1])

    def _may_be_stuck(self, bundle: Bundle) -> bool:
        """Whether what a thief made this instance accept may stand in the way of `bundle`.

        A forged timestamp or snapshot may until a key of the thief leaves the role and too few are left; forged
        targets may until all targets keys are replaced. Then none may, and before them nothing that is not forged.
        """
        if self.accepted is None:
            return False
        stolen = self._channel.stolen
        before, now = (self._channel.rules[root - 1] for root in (self.accepted.root, bundle.root))
        for role in ("timestamp", "snapshot"):
            file = self.accepted.file(role)
            in_the_way = file.forged and file.version >= bundle.file(role).version
            revoked = stolen & set(before.keys[role]) - set(now.keys[role])
            if in_the_way and (not revoked or now.met(role, stolen)):
                return True
        return self.accepted.file("targets").forged and not self._is_replaced(before.version, now.version)

    def _install(self, bundle: Bundle, *, dry_run: bool = False) -> None:
        head = {layout.root_name(version): self._root_bytes(version) for version in range(1, bundle.root + 1)}
        head |= {layout.role_name(role): bundle.file(role).to_bytes(bundle.copies[role].signers) for role in ROLES}
        head[layout.MANIFEST_MD] = b"# lives\n"
        index = layout.index_bytes([], {name: layout.sha256(data) for name, data in head.items()})
        members = {layout.OCI_LAYOUT: layout.OCI_LAYOUT_BYTES, layout.INDEX: index, **head}
        write_members(members, self._bundle, fix_index=False)
        install(str(self._bundle), self._instance.store, now=self._channel.clock, dry_run=dry_run)

    def _root_bytes(self, version: int) -> bytes:
        file = self._channel.roots[version - 1]
        return file.to_bytes(file.signers)

    def _look(self) -> dict[str, str]:
        """Look at all that a refusal may not change: as `Instance.snapshot` does, but no model is read again."""
        store = self._instance.store_path
        found = {}
        for base, directories, files in os.walk(self._instance.directory):
            for name in [*directories, *files]:
                path = os.path.join(base, name)
                status = os.lstat(path)
                if base.startswith(f"{store}/models"):
                    content = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
                elif path == f"{store}/lock":
                    continue
                else:
                    content = _content(path)
                found[path] = f"{status.st_mode:o} {content}"
        return found


class _Said:
    """What the targets of a bundle say."""

    def __init__(self, bundle: Bundle) -> None:
        signed: Any = bundle.file("targets").signed
        extra = signed.unrecognized_fields["sealift"]
        self.number: int = signed.version
        self.released: str = extra["released"]
        self.withdrawn = {ModelVersion.parse(one["model"], one["version"]) for one in extra["withdrawn"]}
        self.digests = {ModelVersion.from_target_path(path): one.hashes for path, one in signed.targets.items()}


def _content(path: str) -> str:
    if os.path.islink(path):
        return os.readlink(path)
    if os.path.isdir(path):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
