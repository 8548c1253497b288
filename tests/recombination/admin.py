"""What happens to a channel's keys: they are rotated, lost, found again and stolen, and its admin does what is due.

The admin keeps the rules of `sealift-keys`: see `Admin.revoke` for the one that an instance depends on.
"""

from typing import TYPE_CHECKING

from recombination.channel import Channel
from recombination.metadata import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable


class Admin:
    """The admin of one channel, and its thieves; what is not possible now returns None and changes nothing."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        # Stolen keys that the admin knows to be stolen.
        self._revoked: set[str] = set()
        # Keys that left in peace, with the roles that they had.
        self._retired: dict[str, tuple[str, ...]] = {}

    def forget_retired(self) -> None:
        """Bring back none of the keys that have left so far.

        An instance that pins a later root knows no key of the roots before it. Were one to come back and all others of
        its role to leave, nothing would tell the instance that its old signatures are good again.
        """
        self._retired.clear()

    def step(self) -> str:
        """Let one thing happen."""
        channel = self._channel
        events: list[tuple[Callable[[], str | None], int]] = [
            (channel.release, 6),
            (channel.withdraw, 3),
            (channel.refresh, 2),
            (self.rotate, 2),
            (self.retire, 1),
            (self.enlist, 1),
            (self.bring_back, 3),
            (self.change_threshold, 2),
            (self.lose, 1),
            (self.rotate_root, 1),
            (self.steal, 4),
            (self.revoke, 4),
        ]
        calls, weights = zip(*events, strict=True)
        while (what := channel.rng.choices(calls, weights)[0]()) is None:
            pass
        return what

    def rotate(self) -> str | None:
        """Put a new key in the place of one, everywhere."""
        channel = self._channel
        name = self._pick(channel.in_use())
        return f"rotate {name}" if self._replace(name, channel.fresh_keys(1)[0], retire=True) else None

    def retire(self) -> str | None:
        """Take a key out without a successor."""
        name = self._pick(self._channel.in_use())
        return f"retire {name}" if self._replace(name, None, retire=True) else None

    def enlist(self) -> str | None:
        """Add a key: one more machine, or one more person."""
        channel = self._channel
        new = channel.fresh_keys(1)[0]
        roles = channel.rng.choice((("timestamp", "snapshot"), ("targets",), ROLES))
        return f"enlist {new} for {', '.join(roles)}" if self._add(new, roles) else None

    def bring_back(self) -> str | None:
        """List a key again that had left in peace, in the roles that it had."""
        name = self._pick(sorted(set(self._retired) - self._revoked - self._channel.lost))
        if name is None:
            return None
        roles = tuple(role for role in self._retired[name] if role != "targets" or name not in self._exposed())
        if not roles or not self._add(name, roles):
            return None
        del self._retired[name]
        return f"bring {name} back for {', '.join(roles)}"

    def change_threshold(self) -> str | None:
        """Ask for one signer more, or for one less; what is published keeps its bytes and gets more signatures."""
        channel = self._channel
        role = channel.rng.choice(ROLES)
        thresholds = {
            **channel.newest.thresholds,
            role: channel.newest.thresholds[role] + channel.rng.choice((-1, 1)),
        }
        if not channel.is_possible(dict(channel.newest.keys), thresholds):
            return None
        channel.write_root(dict(channel.newest.keys), thresholds)
        channel.current(role).signers.update(channel.choose_signers(role))
        channel.publish()
        return f"threshold of {role} becomes {thresholds[role]}"

    def lose(self) -> str | None:
        """Lose a private key, and in half of the cases take it out at once."""
        channel = self._channel
        name = self._pick(sorted(set(channel.in_use()) - channel.lost))
        if name is None:
            return None
        channel.lost.add(name)
        if self._replace(name, channel.fresh_keys(1)[0] if channel.rng.random() < 0.5 else None):
            return f"lose {name}, and take it out"
        if channel.is_possible(dict(channel.newest.keys), dict(channel.newest.thresholds)):
            return f"lose {name}, which stays listed"
        channel.lost.discard(name)
        return None

    def rotate_root(self) -> str:
        """Change the root's own keys."""
        channel = self._channel
        new = channel.fresh_keys(1)[0]
        kept = channel.newest.keys["root"][1:]
        channel.write_root({**channel.newest.keys, "root": (*kept, new)}, dict(channel.newest.thresholds))
        channel.publish()
        return f"rotate a key of root to {new}"

    def steal(self) -> str | None:
        """Let a thief have a key, listed now or before; the admin does not know yet."""
        channel = self._channel
        name = self._pick(sorted({*channel.in_use(), *self._retired} - channel.stolen))
        if name is None:
            return None
        channel.stolen.add(name)
        return f"{name} is STOLEN"

    def revoke(self, *, everything: bool = False) -> str | None:
        """Revoke some stolen keys, and replace all targets keys where the thief had enough of them under any root."""
        channel = self._channel
        unknown = sorted(channel.stolen - self._revoked)
        if not unknown:
            return None
        found = unknown if everything or channel.rng.random() < 0.6 else [channel.rng.choice(unknown)]
        self._revoked.update(found)
        for name in found:
            self._retired.pop(name, None)
            if name in channel.in_use():
                extra = channel.rng.random() < 0.5 or not self._replace(name, None)
                if extra and not self._replace(name, channel.fresh_keys(1)[0]):
                    raise AssertionError(f"{name} cannot be replaced")
        said = f"REVOKE {', '.join(found)}"
        if too_old := set(channel.newest.keys["targets"]) & self._exposed():
            keys = tuple(
                channel.fresh_keys(1)[0] if name in too_old else name for name in channel.newest.keys["targets"]
            )
            channel.write_root({**channel.newest.keys, "targets": keys}, dict(channel.newest.thresholds))
            channel.remake("targets")
            said += f" and replace ALL targets keys, {', '.join(sorted(too_old))}"
        return said

    def _pick(self, names: list[str]) -> str | None:
        return self._channel.rng.choice(names) if names else None

    def _exposed(self) -> set[str]:
        """Targets keys up to the last root under which revoked keys were enough to sign targets: all of them must go.

        None may come back either: an instance that met the thief then, and none of the roots since, could not tell.
        """
        channel = self._channel
        last = max((rules.version for rules in channel.rules if rules.met("targets", self._revoked)), default=0)
        return {name for rules in channel.rules[:last] for name in rules.keys["targets"]}

    def _replace(self, name: str | None, new: str | None, *, retire: bool = False) -> bool:
        """Take a key out of all its roles, and put `new` in; False where too few would be left."""
        channel = self._channel
        if name is None:
            return False
        roles = tuple(role for role in ROLES if name in channel.newest.keys[role])
        keys = dict(channel.newest.keys)
        for role in roles:
            keys[role] = tuple(key for key in keys[role] if key != name) + ((new,) if new else ())
        if not channel.is_possible(keys, dict(channel.newest.thresholds)):
            return False
        if retire:
            self._retired[name] = roles
        channel.write_root(keys, dict(channel.newest.thresholds))
        channel.remake(max(roles, key=ROLES.index))
        return True

    def _add(self, name: str, roles: tuple[str, ...]) -> bool:
        channel = self._channel
        keys = dict(channel.newest.keys)
        for role in roles:
            keys[role] = (*keys[role], *(() if name in keys[role] else (name,)))
        if keys == channel.newest.keys or max(map(len, keys.values())) > 4:
            return False
        channel.write_root(keys, dict(channel.newest.thresholds))
        channel.remake(max(roles, key=ROLES.index))
        return True
