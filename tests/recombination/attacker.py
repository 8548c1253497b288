"""The other side: bundles made of every file that ever left the channel, and of what stolen keys can sign.

The attacker knows the instance's state. A uniform choice is refused almost always for a reason that any rule sees, so
the choice leans to what was an attack before: the newest root with old files that belong together, just as many
signatures as are asked for, and one fewer.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from recombination.channel import Channel, snapshot, targets, timestamp
from recombination.metadata import LONG_AFTER, ROLES, Bundle, Copy, File, Rules
from recombination.models import MODELS, OTHERS
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion

FAR = 2_000_000_000


class Attacker:
    """Composes bundles against one instance.

    Attributes:
        channel: read for what it published and for what was stolen.
        forged: what thieves signed so far; it can be used again.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._rng = channel.rng
        self.forged: dict[str, list[File]] = {role: [] for role in ROLES}

    def compose(self, accepted: Bundle) -> Bundle:
        """Make one bundle for an instance that has `accepted`."""
        rules = self._choose_root(accepted)
        if self._rng.random() < 0.05:
            files = {role: self._rng.choice(self._all(role)) for role in ROLES}
        else:
            files = self._choose_files(rules, accepted)
        return Bundle(rules.version, {role: Copy(file, self._sign(role, rules, file)) for role, file in files.items()})

    def _all(self, role: str) -> list[File]:
        return [*self._channel.published[role], *self.forged[role]]

    def _can_sign(self, role: str, rules: Rules) -> bool:
        return rules.met(role, self._channel.stolen)

    def _choose_root(self, accepted: Bundle) -> Rules:
        chance, every = self._rng.random(), self._channel.rules
        if chance < 0.8:
            return every[-1]
        return self._rng.choice(every[accepted.root - 1 :] if chance < 0.97 else every)

    def _choose_files(self, rules: Rules, accepted: Bundle) -> dict[str, File]:
        """Files that name each other: some old ones, or forged ones as far as the stolen keys go."""
        files = self._choose_published(rules, accepted)
        forged = {role for role in ROLES if self._can_sign(role, rules) and self._rng.random() < 0.7}
        if not forged or self._rng.random() < 0.4:
            return files
        if "targets" in forged:
            files["targets"] = self._keep("targets", self._forge_targets(accepted))
        for role, make, listed in (("snapshot", snapshot, "targets"), ("timestamp", timestamp, "snapshot")):
            if role in forged:
                files[role] = self._keep(role, make(self._choose_version(role, accepted), files[listed].version))
            else:
                fitting = [file for file in self._all(role) if _listed_version(file.signed) == files[listed].version]
                files[role] = self._prefer(role, rules, fitting or self._all(role))
        return files

    def _choose_published(self, rules: Rules, accepted: Bundle) -> dict[str, File]:
        """Files that once left the channel together, older than the accepted ones and still good if there are such."""
        published = self._channel.published
        sets = []
        for newest in published["timestamp"]:
            listing = published["snapshot"][_listed_version(newest.signed) - 1]
            listed = published["targets"][_listed_version(listing.signed) - 1]
            sets.append({"timestamp": newest, "snapshot": listing, "targets": listed})
        older = [files for files in sets if files["targets"].version < accepted.file("targets").version]
        good = [
            files
            for files in older or sets
            if all(rules.met(role, file.signers | self._channel.stolen) for role, file in files.items())
        ]
        return dict(self._rng.choice(good if good and self._rng.random() < 0.8 else sets))

    def _prefer(self, role: str, rules: Rules, files: list[File]) -> File:
        good = [file for file in files if rules.met(role, file.signers | self._channel.stolen)]
        return self._rng.choice(good if good and self._rng.random() < 0.95 else files)

    def _sign(self, role: str, rules: Rules, file: File) -> frozenset[str]:
        """Choose among the signatures that exist and those that the thief can add."""
        able = sorted(file.signers | self._channel.stolen)
        useful = [name for name in able if name in rules.keys[role]]
        self._rng.shuffle(useful)
        needed, chance = rules.thresholds[role], self._rng.random()
        if chance < 0.65:
            return frozenset(useful[:needed])
        return frozenset(able if chance < 0.95 else useful[: needed - 1])

    def _keep(self, role: str, signed: Any) -> File:
        file = File(signed, forged=True)
        self.forged[role].append(file)
        return file

    def _choose_version(self, role: str, accepted: Bundle) -> int:
        now = accepted.file(role).version
        return self._rng.choice((FAR, FAR, now, now + 1, self._channel.published[role][-1].version, max(1, now - 1)))

    def _forge_targets(self, accepted: Bundle) -> Any:
        """A release that lies about one thing, or about several."""
        before = accepted.file("targets").signed
        extra = before.unrecognized_fields["sealift"]
        released = datetime.fromisoformat(extra["released"]).astimezone(UTC)
        listed = {
            model: Blob("sha256:" + target.hashes["sha256"], target.length)
            for path, target in before.targets.items()
            for model in (ModelVersion.from_target_path(path),)
        }
        withdrawn = list(extra["withdrawn"])
        if withdrawn and self._rng.random() < 0.4:
            back = withdrawn.pop()
            model = ModelVersion.parse(back["model"], back["version"])
            listed |= {model: MODELS[model]}
        if self._rng.random() < 0.3:
            model = self._rng.choice(sorted(listed))
            listed |= {model: self._rng.choice((MODELS, OTHERS))[model]}
        if len(listed) > 1 and self._rng.random() < 0.2:
            gone = self._rng.choice(sorted(listed))
            del listed[gone]
            withdrawn.append(
                {"at": extra["released"], "model": gone.name, "reason": "a lie", "version": str(gone.version)}
            )
        released += timedelta(days=self._rng.choice((0, 0, 0, -1, 1, 30, 1000)))
        return targets(self._choose_version("targets", accepted), released, listed, withdrawn, LONG_AFTER)


def _listed_version(signed: Any) -> int:
    return int((signed.snapshot_meta if signed.type == "timestamp" else signed.meta["targets.json"]).version)
