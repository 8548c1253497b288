"""One life from its seed: things happen to a channel, an instance follows now and then, an attacker gets in between."""

import random
from collections import Counter
from pathlib import Path

from recombination.admin import Admin
from recombination.attacker import Attacker
from recombination.channel import Channel
from recombination.instance import BrokenPromiseError, Follower

COMPOSITIONS = 20
_STEPS = 14


class Life:
    """One life.

    Attributes:
        diary: what happened, a line for each thing.
        outcomes: how many compositions were accepted, and how many refused by which class of error.
    """

    def __init__(self, seed: int, directory: Path) -> None:
        self.seed = seed
        self.diary: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self._rng = random.Random(seed)
        self._directory = directory

    def live(self) -> None:
        """Go through the life, and check after each bundle what must hold.

        Raises:
            BrokenPromiseError: with the diary, and how to run this life alone.
        """
        try:
            self._go()
        except BrokenPromiseError as violation:
            told = "\n".join(f"  {number:3} {line}" for number, line in enumerate(self.diary, 1))
            raise BrokenPromiseError(
                f"life {self.seed}: {violation}\n{told}\nTo run it alone: make recombine LIFE={self.seed}"
            ) from violation

    def _go(self) -> None:
        channel = Channel(self._rng)
        admin = Admin(channel)
        self.diary.append(f"root 1: {_tell(channel)}; {channel.bundles[-1]}")
        for _ in range(self._rng.choice((0, 0, 0, 2))):
            self._step(admin, channel)
        admin.forget_retired()
        follower, attacker = Follower(self._directory, channel), Attacker(channel)
        self._follow(channel, follower)
        for left in reversed(range(_STEPS)):
            # A new root is what makes old files interesting, until the instance knows it.
            changed = self._step(admin, channel)
            attacks = self._rng.randint(1, 3) if changed else self._rng.randint(0, 1)
            ahead = COMPOSITIONS - self.outcomes.total()
            for _ in range(min(attacks, ahead) if left else ahead):
                self._attack(follower, attacker)
            if self._rng.random() < 0.4:
                self._follow(channel, follower)
        self._reckon(admin, channel, follower)

    def _step(self, admin: Admin, channel: Channel) -> bool:
        """Let one thing happen to the channel; return whether it has a new root."""
        root = channel.newest.version
        what = admin.step()
        keys = f" (root {channel.newest.version}: {_tell(channel)})" if channel.newest.version > root else ""
        self.diary.append(f"{what}{keys}: {channel.bundles[-1]}")
        return channel.newest.version > root

    def _follow(self, channel: Channel, follower: Follower) -> None:
        self.diary.append(f"install {channel.bundles[-1]}")
        follower.follow()

    def _attack(self, follower: Follower, attacker: Attacker) -> None:
        assert follower.accepted is not None
        bundle = attacker.compose(follower.accepted)
        self.diary.append(f"COMPOSITION: {bundle}")
        refused = follower.offer(bundle)
        outcome = "accepted" if refused is None else type(refused).__name__
        self.outcomes[outcome] += 1
        self.diary[-1] += f" -> {outcome}"
        if refused is None:
            follower.check_the_way_on()

    def _reckon(self, admin: Admin, channel: Channel, follower: Follower) -> None:
        """The channel learns of every theft, and goes on."""
        if (what := admin.revoke(everything=True)) is not None:
            self.diary.append(f"{what} (root {channel.newest.version}: {_tell(channel)})")
        self.diary.append(channel.release())
        self._follow(channel, follower)


def _tell(channel: Channel) -> str:
    rules = channel.newest
    return ", ".join(
        f"{role} {rules.thresholds[role]} of {'+'.join(names)}" for role, names in rules.keys.items() if role != "root"
    )
