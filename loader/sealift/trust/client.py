"""Check a channel's metadata with python-tuf's client, over bytes that we already hold.

The client works in a directory of its own (staging), never in the store's: valid metadata with a
missing payload must not advance what the store trusts. Committing is the installer's last step.

Order of checks: the metadata descends from the pinned root · local state is what the floor says ·
python-tuf's workflow (root chain, timestamp, snapshot, targets) · no version below the floor.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from securesystemslib.exceptions import UnverifiedSignatureError
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from sealift.errors import RollbackError, RootError
from sealift.limits import LIMITS
from sealift.trust import floor as floors
from sealift.trust import local_state, threshold
from sealift.trust.floor import Floor
from sealift.trust.metadata import parse
from sealift.trust.python_tuf.fetcher import BASE_URL, StrictFetcher
from sealift.trust.python_tuf.ngclient import FetcherInterface, Updater, UpdaterConfig, set_reference_time, trusted_set
from sealift.trust.state import ROOT_HISTORY
from sealift.trust.verdict import Attempt, refusal
from sealift_common.fingerprint import grouped, of_bytes
from sealift_common.metadata.succession import replaced


class Trusted(NamedTuple):
    """Metadata that python-tuf and our floors accepted.

    Attributes:
        roots: the chain from the pinned root to `root`.
    """

    roots: tuple[Root, ...]
    root: Root
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets

    def versions(self) -> dict[str, int]:
        """Return role to version."""
        return {name: getattr(self, name).version for name in ("root", "timestamp", "snapshot", "targets")}


class TrustClient:
    """One refresh of a directory of trusted metadata.

    Args:
        directory: a private, writable copy of the state; changed by `refresh`, also by a failing one.
        pinned_root: the root's bytes from outside the store.
        fetcher: where new metadata comes from.
        floor: what was seen before; None only for an instance that never accepted anything.
        time: the reference time (UTC) for expiry.

    Attributes:
        accepted: what the state says was accepted last, checked; None where nothing ever was.
    """

    def __init__(
        self,
        directory: Path,
        pinned_root: bytes,
        fetcher: FetcherInterface,
        floor: Floor | None,
        time: datetime,
        *,
        base_url: str = BASE_URL,
    ) -> None:
        self._directory = directory
        self._fetcher = StrictFetcher(fetcher)
        self._floor = floor
        self._time = time
        config = UpdaterConfig(
            max_root_rotations=LIMITS.root_rotations,
            root_max_length=LIMITS.root_size_bytes,
            timestamp_max_length=LIMITS.timestamp_size_bytes,
            snapshot_max_length=LIMITS.snapshot_size_bytes,
            targets_max_length=LIMITS.targets_size_bytes,
        )
        self.accepted = local_state.require(directory, floor, pinned_root)
        try:
            self.updater = Updater(
                str(directory), base_url, fetcher=self._fetcher, config=config, bootstrap=pinned_root
            )
            self._pinned = trusted_set(self.updater).root
        except (RepositoryError, ValueError) as error:
            raise RootError(f"the pinned root is not a valid root: {error}; pin it again") from None

    def refresh(self) -> Trusted:
        """Run the client workflow and return what is now trusted.

        Raises:
            RootError, SignatureError, ThresholdError, UntrustedKeyError, ExpiredError, RollbackError,
            DigestError, MixError: refused by trust.
            MalformedError, LimitError: not metadata.
            CorruptError: the local state is not what was left there.
        """
        set_reference_time(self.updater, self._time)
        trusted = trusted_set(self.updater)
        try:
            self.updater.refresh()
        except (
            RepositoryError,
            DownloadError,
            DeserializationError,
            UnverifiedSignatureError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            # python-tuf lets malformed-but-parsed metadata escape as plain ValueError and its kin.
            role = self._fetcher.role
            accepted = getattr(self._floor, role, 0)
            earlier = tuple((name, trusted[name]) for name in floors.ROLES if name in trusted and name != role)
            attempt = Attempt(role, self._fetcher.data, trusted.root, accepted, self._time, earlier)
            raise refusal(error, attempt) from None
        roots = self._require_distinct_signers(trusted.root)
        result = Trusted(roots, trusted.root, trusted.timestamp, trusted.snapshot, trusted.targets)
        if self._floor is not None and self.accepted is not None:
            if result.root.version < self._floor.root:
                raise RollbackError(f"root is version {result.root.version}; version {self._floor.root} was accepted")
            floors.check(self._floor, result.versions(), self.accepted.roots, result.root)
        return result

    def targets_keys_replaced(self) -> bool:
        """Return whether the newest root that was followed leaves nothing good that earlier targets keys signed."""
        return self.accepted is not None and replaced(Targets.type, self.accepted.roots, trusted_set(self.updater).root)

    def _require_distinct_signers(self, newest: Root) -> tuple[Root, ...]:
        """Count the signatures that python-tuf accepted again, by key instead of by key id; return the roots."""
        history = self._directory / ROOT_HISTORY
        roots = [self._pinned]
        while roots[-1].version < newest.version:
            new = Metadata[Root].from_file(str(history / f"{roots[-1].version + 1}.root.json"))
            threshold.require(roots[-1], "root", new)
            threshold.require(new.signed, "root", new)
            roots.append(new.signed)
        for role in floors.ROLES:
            threshold.require(newest, role, Metadata.from_file(str(self._directory / f"{role}.json")))
        return tuple(roots)


def same_channel(pinned_root: bytes, metadata: Mapping[str, bytes]) -> None:
    """Check that a bundle's roots descend from the pinned one, before anything else is looked at.

    Raises:
        RootError: another channel, or another root under the same version.
        RollbackError: the bundle is so old that it does not know the pinned root.
        MalformedError: the bundle's root is not TUF metadata.
    """
    pinned = parse(pinned_root, "root", "the pinned root")
    data = metadata.get(f"{pinned.signed.version}.root.json")
    if data is None:
        raise RollbackError(
            f"the bundle's roots end before version {pinned.signed.version}, which is pinned here: "
            "it is older, fetch a newer one"
        )
    found = parse(data, "root", "the bundle's root")
    if found.signed_bytes != pinned.signed_bytes:
        expected, got = (_channel_name(root.signed) for root in (pinned, found))
        raise RootError(
            f"the bundle comes from channel {got!r} with a root that is not the pinned one of {expected!r}: "
            f"the bundle's root is {grouped(of_bytes(data))}, pinned is {grouped(of_bytes(pinned_root))}; "
            "compare both with the published one; `sealift trust show` prints what is pinned here"
        )


def _channel_name(root: Any) -> str:
    extra = root.unrecognized_fields.get("sealift")
    return str(extra.get("channel") if isinstance(extra, dict) else None)[:120]
