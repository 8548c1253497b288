"""The honest side: a channel that releases, withdraws, and publishes all that its keys sign.

It keeps the rules of `sealift-keys` and `sealift-bundler`: a change of keys makes new versions of the role and of those
that depend on it, a change of a threshold only adds signatures, a withdrawal stays, a release time never goes back.
Keys of the root are rotated but never stolen: a thief of the root owns the channel.
"""

import random
from datetime import UTC, datetime, timedelta

from tuf.api.metadata import MetaFile, Snapshot, TargetFile, Targets, Timestamp

from recombination.metadata import EXPIRES, ROLES, Bundle, Copy, File, Rules
from recombination.models import MODELS
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion


class Channel:
    """A channel of a few keys. `release`, `withdraw` and `refresh` publish a bundle and return what happened in words.

    Attributes:
        rules, roots: by version, from 1 on.
        published: every file of a role that ever left the channel.
        bundles: those that an instance may be given, oldest first.
        stolen: keys that thieves hold, whether the admin knows or not.
        lost: keys that nobody can sign with.
        clock: the time, the same for all.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.rules: list[Rules] = []
        self.roots: list[File] = []
        self.published: dict[str, list[File]] = {role: [] for role in ROLES}
        self.bundles: list[Bundle] = []
        self.stolen: set[str] = set()
        self.clock = datetime(2027, 1, 1, tzinfo=UTC)
        self.lost: set[str] = set()
        self._made = 0
        self._listed: dict[ModelVersion, Blob] = {}
        self._withdrawn: list[dict[str, str]] = []
        self._unused = list(MODELS)
        machines, people = self.fresh_keys(rng.choice((1, 2, 2, 3))), self.fresh_keys(rng.choice((1, 2, 2, 3)))
        keys = {
            "root": self.fresh_keys(rng.choice((1, 2))),
            # A channel of one person, or of one build machine that signs all.
            "targets": people if rng.random() < 0.55 else machines,
            "snapshot": machines,
            "timestamp": machines if rng.random() < 0.7 else self.fresh_keys(rng.choice((1, 2))),
        }
        self.write_root(keys, {role: self._some_threshold(len(names)) for role, names in keys.items()})
        self.release()

    @property
    def newest(self) -> Rules:
        """What the newest root says."""
        return self.rules[-1]

    @property
    def withdrawn(self) -> set[ModelVersion]:
        """What the channel itself took back."""
        return {ModelVersion.parse(one["model"], one["version"]) for one in self._withdrawn}

    def release(self) -> str:
        """List one more version, if there is one left."""
        added = self._unused.pop(0) if self._unused else None
        if added is not None:
            self._listed[added] = MODELS[added]
        self.remake("targets")
        return f"release {self.current('targets').version}{f' with {added}' if added else ''}"

    def withdraw(self) -> str | None:
        """Take a version back, for good; the last one stays, or there would be nothing to install."""
        if len(self._listed) < 2:
            return None
        gone = self.rng.choice(sorted(self._listed))
        del self._listed[gone]
        self._withdrawn.append(
            {"at": _rfc3339(self.clock), "model": gone.name, "reason": "wrong", "version": str(gone.version)}
        )
        self.remake("targets")
        return f"release {self.current('targets').version} without {gone}, withdrawn"

    def refresh(self) -> str:
        """Make new versions of timestamp, or of snapshot and timestamp, as for new expiry dates."""
        role = self.rng.choice(("timestamp", "snapshot"))
        self.remake(role)
        return f"new {role}"

    def current(self, role: str) -> File:
        """The newest version of a role's metadata."""
        return self.published[role][-1]

    def fresh_keys(self, count: int) -> tuple[str, ...]:
        """The names of keys that nobody has used."""
        first, self._made = self._made + 1, self._made + count
        return tuple(f"k{number}" for number in range(first, self._made + 1))

    def in_use(self) -> list[str]:
        """The keys that the newest root lists, but those of the root itself."""
        return sorted({name for role in ROLES for name in self.newest.keys[role]})

    def is_possible(self, keys: dict[str, tuple[str, ...]], thresholds: dict[str, int]) -> bool:
        """Whether enough keys that are not lost would be there to sign."""
        return all(0 < thresholds[role] <= len(set(keys[role]) - self.lost) for role in keys)

    def write_root(self, keys: dict[str, tuple[str, ...]], thresholds: dict[str, int]) -> None:
        """Make the next root; `publish` or `remake` follows."""
        rules = Rules(len(self.rules) + 1, keys, {**thresholds, "root": 1})
        file = File(rules.to_root())
        # The first old key and the first new one; thresholds of root say nothing about the floors.
        file.signers = {old.keys["root"][0] for old in (*self.rules[-1:], rules)}
        self.rules.append(rules)
        self.roots.append(file)

    def choose_signers(self, role: str) -> list[str]:
        """Mostly just enough, in an order that `remake` shuffled once: one machine signs all that it may."""
        able = [name for name in self._order() if name in self.newest.keys[role]]
        return able[: self.newest.thresholds[role]] if self.rng.random() < 0.8 else able

    def _some_threshold(self, count: int) -> int:
        return 1 if self.rng.random() < 0.7 else self.rng.randint(1, count)

    def _order(self) -> list[str]:
        able = sorted(set(self.in_use()) - self.lost)
        return random.Random(self._shuffle).sample(able, len(able))

    def remake(self, role: str) -> None:
        """Make a new version of `role` and of all that depend on it, and publish them."""
        if self.rng.random() < 0.7:  # otherwise two releases of the same second
            self.clock += timedelta(hours=self.rng.randint(1, 48))
        self._shuffle = self.rng.random()
        for one in reversed(ROLES[: ROLES.index(role) + 1]):
            version = self.current(one).version + 1 if self.published[one] else 1
            file = File(getattr(self, f"_{one}")(version))
            file.signers.update(self.choose_signers(one))
            self.published[one].append(file)
        self.publish()

    def _targets(self, version: int) -> Targets:
        return targets(version, self.clock, self._listed, self._withdrawn)

    def _snapshot(self, version: int) -> Snapshot:
        return snapshot(version, self.current("targets").version)

    def _timestamp(self, version: int) -> Timestamp:
        return timestamp(version, self.current("snapshot").version)

    def publish(self) -> None:
        """Make a bundle of what is newest, signed as the newest root asks."""
        for role in ROLES:
            # A new root may ask for more signers of what stays.
            if not self.newest.met(role, self.current(role).signers):
                self.current(role).signers.update(self.choose_signers(role))
        copies = {role: Copy(self.current(role), frozenset(self.current(role).signers)) for role in ROLES}
        self.bundles.append(Bundle(self.newest.version, copies))


def targets(
    version: int,
    released: datetime,
    listed: dict[ModelVersion, Blob],
    withdrawn: list[dict[str, str]],
    expires: datetime = EXPIRES,
) -> Targets:
    """Make unsigned targets."""
    return Targets(
        version=version,
        expires=expires,
        targets={
            model.target_path: TargetFile(blob.size, {"sha256": blob.digest.removeprefix("sha256:")}, model.target_path)
            for model, blob in listed.items()
        },
        unrecognized_fields={
            "sealift": {"released": _rfc3339(released), "withdrawn": [dict(one) for one in withdrawn]}
        },
    )


def snapshot(version: int, of_targets: int) -> Snapshot:
    """Make an unsigned snapshot."""
    return Snapshot(version=version, expires=EXPIRES, meta={"targets.json": MetaFile(of_targets)})


def timestamp(version: int, of_snapshot: int) -> Timestamp:
    """Make an unsigned timestamp."""
    return Timestamp(version=version, expires=EXPIRES, snapshot_meta=MetaFile(of_snapshot))


def _rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
