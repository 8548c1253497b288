"""Whose turn it is in a folder where anybody may write: nobody's files, however many, keep another file out for good.

Two rules. Of more names than are examined at a time, all are reached in turn, in an order that nobody can foresee.
And where work is done, the owners of files take turns, so that thousands of files of one user delay another's by one.
"""

import hashlib
import os
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Generic, NamedTuple, TypeVar

from sealift.limits import LIMITS

_AROUND = 2**64

T = TypeVar("T")


class Signature(NamedTuple):
    """Properties that change while a file is being copied, and its owner."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    owner: int


def signature_of(found: os.stat_result) -> Signature:
    """Return the signature of a file."""
    return Signature(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_uid)


@dataclass
class _Ring:
    """Places for `most` names: the next ones on a ring from where the last round ended.

    A name's place on the ring follows from a secret, so that nobody can make names that always come before another.
    """

    most: int
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    start: int = 0
    # How far this time around the ring has come; names behind that had their turn.
    travelled: int = 0
    left_out: int = 0
    unreached: int = 0
    # Negative distances, because a heap gives up its smallest: here the farthest.
    _chosen: list[tuple[int, str, Signature]] = field(default_factory=list)

    def clear(self) -> None:
        self._chosen, self.left_out, self.unreached = [], 0, 0

    def offer(self, name: str, signature: Signature) -> None:
        digest = hashlib.sha256(self.secret + os.fsencode(name)).digest()
        distance = (int.from_bytes(digest[:8]) - self.start) % _AROUND
        heappush(self._chosen, (-distance, name, signature))
        if len(self._chosen) > self.most:
            farthest = -heappop(self._chosen)[0]
            self.left_out += 1
            self.unreached += farthest < _AROUND - self.travelled

    def chosen(self) -> dict[str, Signature]:
        return {name: signature for _, name, signature in self._chosen}

    def advance(self, *, anew: bool) -> None:
        if not self.left_out:
            return
        width = 1 - self._chosen[0][0]
        self.start = (self.start + width) % _AROUND
        self.travelled = 0 if anew else self.travelled + width


class Places:
    """The names that are looked at in this round; too short ones have places of their own."""

    def __init__(self) -> None:
        self._bundles = _Ring(LIMITS.drop_folder_files)
        self._short = _Ring(LIMITS.drop_short_files)
        self._rings = (self._bundles, self._short)

    @property
    def left_out(self) -> int:
        """Number of names without a place in this round."""
        return sum(ring.left_out for ring in self._rings)

    @property
    def unreached(self) -> int:
        """Number of them that had none in the rounds before either."""
        return sum(ring.unreached for ring in self._rings)

    def choose(self, found: Iterable[tuple[str, Signature]]) -> dict[str, Signature]:
        """Return the files that are looked at in this round; memory does not grow with what is left out."""
        for ring in self._rings:
            ring.clear()
        for name, signature in found:
            ring = self._short if signature.size < LIMITS.drop_short_bytes else self._bundles
            ring.offer(name, signature)
        return {name: signature for ring in self._rings for name, signature in ring.chosen().items()}

    def advance(self) -> None:
        """Begin the next round where this one ended; once all names were reached, begin anew."""
        anew = not self.unreached
        for ring in self._rings:
            if anew or ring.unreached:
                ring.advance(anew=anew)


class OwnerTurns(Generic[T]):
    """An order of work in which the owner that was served longest ago comes first; remembered from look to look."""

    def __init__(self) -> None:
        self._served: dict[int, int] = {}
        self._count = 0

    def order(self, waiting: Iterable[tuple[int, T]]) -> Iterator[T]:
        """Yield everything that waits; each owner's own things in the order given."""
        queues: dict[int, deque[T]] = {}
        for owner, one in waiting:
            queues.setdefault(owner, deque()).append(one)
        self._served = {owner: served for owner, served in self._served.items() if owner in queues}
        turns = [(self._served.get(owner, 0), owner) for owner in queues]
        heapify(turns)
        while turns:
            _, owner = heappop(turns)
            self._count += 1
            self._served[owner] = self._count
            yield queues[owner].popleft()
            if queues[owner]:
                heappush(turns, (self._count, owner))
