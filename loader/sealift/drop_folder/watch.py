"""Watch a drop folder: install what was copied into it completely, in order of release, and never die of one file.

A file is taken once it did not change for the settle time and its tar ends as a tar does. What the bundle itself is to
blame for (10-29, 40-49) is refused; what this machine or its store is to blame for (locked, full, no trust) is tried
again. A signal abandons the running install, which is safe, and leaves its file where it is.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from sealift.drop_folder.files import DONE, REFUSED, DropFolder, printable, reopened
from sealift.drop_folder.first_look import claimed_number, unfinished
from sealift.drop_folder.turns import OwnerTurns, Places, Signature, signature_of
from sealift.errors import Error, LimitError, LockedError, PreflightError, UnsafeMemberError
from sealift.install.steps import InstallReport
from sealift.limits import LIMITS
from sealift_common.console import local_error
from sealift_common.interrupts import Interrupted, raise_if_heard

_Found = TypeVar("_Found")

_LONGEST_RETRY_S = 600.0
# Another install ends soon, and somebody who copied a bundle waits for it.
_LONGEST_LOCKED_S = 30.0


@dataclass(frozen=True)
class Event:
    """Something that happened: watching, crowded, waiting, installing, installed, refused, retrying or stopped."""

    kind: str
    file: str = ""
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the document of one line of `--json`."""
        return {"event": self.kind, "file": printable(self.file), "message": self.message, **self.details}


@dataclass
class _Candidate:
    """A file of the folder, and what is known of it since it last changed."""

    signature: Signature
    since: float
    changes: int = 0
    judged: bool = False
    unfinished: str | None = None
    number: int | None = None
    held: bool = False
    retry_at: float = 0.0
    delay: float = 0.0
    said: str = ""


@dataclass
class Watch:
    """One watcher.

    Attributes:
        install: installs the bundle at a path.
        tell: takes every event.
        settle_s: how long a file must not have changed, in seconds.
        interval_s: time between two looks at the folder, in seconds.
        clock: monotonic, in seconds; never the file's own times, which its owner sets.
        wall_clock: seconds since 1970, for when the kernel last noted a change of a file, which nobody sets.
    """

    folder: DropFolder
    install: Callable[[str], InstallReport]
    tell: Callable[[Event], object]
    settle_s: float = 10.0
    interval_s: float = 5.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    wall_clock: Callable[[], float] = time.time
    _seen: dict[str, _Candidate] = field(default_factory=dict)
    _stopped: list[tuple[str, Error]] = field(default_factory=list)
    _retried: dict[str, Error] = field(default_factory=dict)
    _outage: str = ""
    _places: Places = field(default_factory=Places)
    _examining: OwnerTurns[str] = field(default_factory=OwnerTurns)
    _dealing: OwnerTurns[str] = field(default_factory=OwnerTurns)
    _round_began: float = 0.0
    _crowded: bool = False

    def run(self, *, once: bool = False) -> None:
        """Watch until a signal comes, or with `once` until everything that is there has been dealt with.

        Raises:
            UnsafeStoreError: the folder is not safe to work in.
            OSError: the folder cannot be used at the start, or with `once` at any time.
            sealift.Error: with `once`, the most serious of what stopped a bundle.
        """
        self.folder.prepare()
        self.tell(Event("watching", message=f"watching {str(self.folder.path)!r}"))
        self._round_began, rounds = self.clock(), 1
        try:
            while True:
                self._look_or_wait(once=once)
                raise_if_heard()
                if not any(self._is_open(candidate) for candidate in self._seen.values()):
                    if once and (not self._places.unreached or rounds == LIMITS.drop_folder_rounds):
                        break
                    if self._places.left_out:
                        self._next_round()
                        rounds += 1
                self.sleep(self.interval_s)
        except (KeyboardInterrupt, SystemExit, Interrupted):
            self.tell(Event("stopped", message="stopped; a bundle that was not finished stays in the folder"))
            raise
        stopped = [(error, f"{name!r}: {error}") for name, error in [*self._stopped, *self._retried.items()]]
        if unreached := self._places.unreached:
            message = (
                f"{unreached:,} files in {str(self.folder.path)!r} were not looked at; "
                "remove everything that is not a bundle"
            )
            stopped.append((LimitError(message), message))
        if stopped:
            error, message = max(stopped, key=lambda one: _seriousness(one[0]))
            error.args = (message,)
            raise error

    def _next_round(self) -> None:
        for name, error in self._retried.items():
            self._note(name, error)
        self._places.advance()
        self._round_began = self.clock()

    def _note(self, name: str, error: Error) -> None:
        """Remember what stopped a bundle, if it is the most serious so far."""
        self._stopped = [max([*self._stopped, (name, error)], key=lambda one: _seriousness(one[1]))]

    def _is_open(self, candidate: _Candidate) -> bool:
        """Return whether this round still has to wait for a file: it was there in time, and its turn is to come."""
        if candidate.since > self._round_began + self.settle_s:
            return False
        if not self._is_settled(candidate):
            # What has changed under our eyes may go on changing.
            return candidate.changes == 0
        return not candidate.judged or (candidate.unfinished is None and not candidate.held and not candidate.delay)

    def _is_settled(self, candidate: _Candidate) -> bool:
        return self.clock() - candidate.since >= self.settle_s

    def _look_or_wait(self, *, once: bool) -> None:
        try:
            self.look()
        except OSError as error:
            if once:
                raise
            # A share that is not mounted at the moment.
            message = str(local_error(error))
            if message != self._outage:
                self.tell(Event("retrying", message=message))
            self._outage = message
        else:
            self._outage = ""

    def look(self) -> None:
        """Look at the folder once and deal with what is ready; what takes too long goes on with the next look.

        Raises:
            OSError: the folder cannot be read.
        """
        self._list()
        end = self.clock() + LIMITS.drop_look_s
        complete = self._examine(end)
        ready = [name for name, candidate in self._seen.items() if self._is_ready(candidate)]
        smallest = self._smallest_growing(end) if ready else None
        for name in self._while_time(end, self._in_order(ready, complete=complete)):
            candidate = self._seen[name]
            candidate.held = self._is_held(name, candidate, smallest)
            if not candidate.held:
                self._deal_with(name, candidate)

    def _while_time(self, end: float, names: Iterator[str]) -> Iterator[str]:
        """Yield one name at least, and no more once the time is over: who is asked for has had a turn."""
        for name in names:
            yield name
            if self.clock() > end:
                return

    def _list(self) -> None:
        found = self._places.choose(self.folder.files())
        self._seen = {name: candidate for name, candidate in self._seen.items() if name in found}
        self._retried = {name: error for name, error in self._retried.items() if name in found}
        for name, signature in found.items():
            candidate = self._seen.get(name)
            if candidate is None:
                self._seen[name] = _Candidate(signature, self.clock())
            elif candidate.signature != signature:
                self._changed(name, signature)
        left_out = self._places.left_out
        if left_out and not self._crowded:
            message = f"{len(found) + left_out:,} files are there; {len(found):,} at a time are looked at, each in turn"
            self.tell(Event("crowded", message=message, details={"left_out": left_out}))
        self._crowded = left_out > 0

    def _changed(self, name: str, signature: Signature) -> None:
        before = self._seen[name]
        after = self._seen[name] = _Candidate(signature, self.clock(), before.changes + 1, said=before.said)
        if signature.inode == before.signature.inode:
            after.number = before.number

    def _examine(self, end: float) -> bool:
        """Judge what has settled, owners in turn; return whether all of it is judged."""
        waiting = [
            (candidate.signature.owner, name)
            for name, candidate in self._seen.items()
            if not candidate.judged and self._is_settled(candidate)
        ]
        for name in self._while_time(end, self._examining.order(waiting)):
            candidate = self._seen[name]
            candidate.judged = True
            candidate.unfinished = self._of_file(name, unfinished)
            if candidate.unfinished is None:
                candidate.number = self._of_file(name, claimed_number)
            elif not self._crowded:
                self._say(name, candidate, "waiting", f"not completely copied yet: {candidate.unfinished}")
        return all(self._seen[name].judged for _, name in waiting)

    def _is_ready(self, candidate: _Candidate) -> bool:
        return candidate.judged and candidate.unfinished is None and self.clock() >= candidate.retry_at

    def _of_file(self, name: str, look: Callable[[int], _Found]) -> _Found | None:
        try:
            descriptor = self.folder.open(name)
        except (Error, OSError):
            return None  # whatever is wrong with it, `_deal_with` finds it again and says so
        try:
            return look(descriptor)
        finally:
            os.close(descriptor)

    def _in_order(self, ready: list[str], *, complete: bool) -> Iterator[str]:
        """Order by release, and what says none last; but nobody's claims keep others waiting for longer than the hold.

        Args:
            complete: False while something that goes first may not have been examined yet.
        """
        seen, now = self._seen, self.clock()
        late = [name for name in ready if now - seen[name].since > LIMITS.drop_hold_s]
        late.sort(key=lambda name: (seen[name].since, *self._place(name)))
        # A generator, because only who was served has had a turn.
        yield from self._dealing.order((seen[name].signature.owner, name) for name in late)
        if complete:
            yield from sorted(set(ready).difference(late), key=self._place)

    def _place(self, name: str) -> tuple[bool, int, str]:
        number = self._seen[name].number
        return (number is None, number or 0, name)

    def _smallest_growing(self, end: float) -> int | None:
        """Return the smallest release that is still being copied, as far as there is time to find out."""
        numbers = []
        for name, candidate in self._seen.items():
            if self._is_settled(candidate):
                continue
            if candidate.number is None and self.clock() <= end:
                candidate.number = self._of_file(name, claimed_number)
            if candidate.number is not None:
                numbers.append(candidate.number)
        return min(numbers, default=None)

    def _is_held(self, name: str, candidate: _Candidate, smallest: int | None) -> bool:
        """Return whether a smaller release is still being copied: installed later, it would be refused as older."""
        if smallest is None or candidate.number is None or smallest >= candidate.number:
            return False
        # By the kernel's clock as well: runs with `once` are short, and together they must not hold without end.
        age = max(self.clock() - candidate.since, self.wall_clock() - candidate.signature.changed_ns / 1e9)
        if age > LIMITS.drop_hold_s:
            return False
        self._say(name, candidate, "waiting", f"release {smallest} is still being copied and goes first")
        return True

    def _deal_with(self, name: str, candidate: _Candidate) -> None:
        try:
            descriptor = self.folder.open(name)
        except FileNotFoundError:
            return
        except UnsafeMemberError as error:
            self._put_away(name, candidate, error)
            return
        except OSError as error:
            self._try_again(name, candidate, local_error(error))
            return
        try:
            self._install(name, candidate, descriptor)
        finally:
            os.close(descriptor)

    def _install(self, name: str, candidate: _Candidate, descriptor: int) -> None:
        if not candidate.delay:
            self.tell(Event("installing", name))
        try:
            report = self.install(reopened(descriptor))
        except (Error, OSError) as raised:
            raise_if_heard()
            error = raised if isinstance(raised, Error) else local_error(raised)
            if _is_to_blame(error):
                self._put_away(name, candidate, error)
            else:
                self._try_again(name, candidate, error)
        except Exception as bug:
            # Out of the way, or the next start meets it again; then the bug is reported like every bug.
            self.folder.file_away(name, REFUSED, Error(f"a bug in Sealift: {bug!r}"), datetime.now(UTC))
            raise
        else:
            self._put_away(name, candidate, report)

    def _put_away(self, name: str, candidate: _Candidate, outcome: Error | InstallReport) -> None:
        refusal = outcome if isinstance(outcome, Error) else None
        try:
            now = signature_of((self.folder.path / name).lstat())
            if now != candidate.signature:
                # Written to or replaced meanwhile: the verdict is about bytes that are gone.
                self._changed(name, now)
                self._say(name, self._seen[name], "waiting", "it changed while it was read")
                return
            place = self.folder.file_away(name, REFUSED if refusal else DONE, refusal, datetime.now(UTC))
        except OSError as error:
            self._try_again(name, candidate, local_error(error))
            return
        self._retried.pop(name, None)
        del self._seen[name]
        if refusal is not None:
            self._note(name, refusal)
            details = {
                "code": refusal.code,
                "exit_code": refusal.exit_code,
                "moved_to": f"{REFUSED}/{printable(place or name)}",
            }
            self.tell(Event("refused", name, str(refusal), details))
        elif isinstance(outcome, InstallReport):
            said = f"{outcome.channel} release {outcome.plan.release}, generation {outcome.generation}"
            details = {
                "channel": outcome.channel,
                "release": outcome.plan.release,
                "generation": outcome.generation,
                "changed": outcome.changed,
                "moved_to": f"{DONE}/{printable(place or name)}",
            }
            self.tell(Event("installed", name, said, details))

    def _try_again(self, name: str, candidate: _Candidate, error: Error) -> None:
        self._retried[name] = error
        longest = _LONGEST_LOCKED_S if isinstance(error, LockedError) else _LONGEST_RETRY_S
        candidate.delay = min(max(2 * candidate.delay, self.interval_s), longest)
        candidate.retry_at = self.clock() + candidate.delay
        details = {"code": error.code, "exit_code": error.exit_code, "retry_in_s": candidate.delay}
        # A full disk says another number each time, which is not news.
        self._say(name, candidate, "retrying", str(error), details, key=error.code)

    def _say(
        self,
        name: str,
        candidate: _Candidate,
        kind: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
    ) -> None:
        """Tell an event once, not at every look."""
        said = f"{kind} {key or message}"
        if said != candidate.said:
            candidate.said = said
            self.tell(Event(kind, name, message, details or {}))


def _is_to_blame(error: Error) -> bool:
    """Return whether the bundle is at fault, and not this machine or its store."""
    if isinstance(error, PreflightError):
        return all(_is_to_blame(problem) for problem in error.problems)
    return 10 <= error.exit_code < 30 or 40 <= error.exit_code < 50


def _seriousness(error: Error) -> int:
    """Rank what stopped a bundle: trust, then damage, then models that cannot run, then this machine."""
    ranges = {2: 4, 1: 3, 4: 2, 3: 1}
    return ranges.get(error.exit_code // 10, 0)
