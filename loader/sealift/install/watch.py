"""Watch a drop folder: install what was copied into it completely, in order of release, and never die of one file.

A file is taken once it did not change for the settle time and its tar ends as a tar does. What the bundle itself is to
blame for (10-29, 40-49) is refused; what this machine or its store is to blame for (locked, full, no trust) is tried
again. A signal abandons the running install, which is safe, and leaves its file where it is.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sealift.errors import Error, LockedError, PreflightError, UnsafeMemberError
from sealift.install.drop_folder import (
    DONE,
    REFUSED,
    DropFolder,
    Signature,
    claimed_number,
    printable,
    reopened,
    signature_of,
    unfinished,
)
from sealift.install.steps import InstallReport
from sealift_keys.console import local_error
from sealift_keys.interrupts import Interrupted, raise_if_heard

_LONGEST_RETRY_S = 600.0
# Another install ends soon, and whoever copied a bundle waits for it.
_LONGEST_LOCKED_S = 30.0
# A smaller release that is still being copied goes first, but not for ever.
_LONGEST_HOLD_S = 3600.0


@dataclass(frozen=True)
class Event:
    """Something that happened: watching, waiting, installing, installed, refused, retrying or stopped."""

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
    """

    folder: DropFolder
    install: Callable[[str], InstallReport]
    tell: Callable[[Event], object]
    settle_s: float = 10.0
    interval_s: float = 5.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _seen: dict[str, _Candidate] = field(default_factory=dict)
    _refused: list[tuple[str, Error]] = field(default_factory=list)
    _retried: dict[str, Error] = field(default_factory=dict)
    _moved: int = 0
    _outage: str = ""

    def run(self, *, once: bool = False) -> None:
        """Watch until a signal comes, or with `once` until everything that is there has been dealt with.

        Raises:
            UnsafeStoreError: the folder is not safe to work in.
            OSError: the folder cannot be used at the start, or with `once` at any time.
            sealift.Error: with `once`, the most serious of what stopped a bundle.
        """
        self.folder.prepare()
        self.tell(Event("watching", message=f"watching {str(self.folder.path)!r}"))
        try:
            while True:
                moved = self._moved
                self._look_or_wait(once=once)
                raise_if_heard()
                # What was moved makes room for files beyond the limit of one look.
                waits = self._moved > moved or any(self._is_open(candidate) for candidate in self._seen.values())
                if once and not waits:
                    break
                self.sleep(self.interval_s)
        except (KeyboardInterrupt, SystemExit, Interrupted):
            self.tell(Event("stopped", message="stopped; a bundle that was not finished stays in the folder"))
            raise
        stopped = [*self._refused, *self._retried.items()]
        if stopped:
            name, error = max(stopped, key=lambda one: _seriousness(one[1]))
            error.args = (f"{name!r}: {error}",)
            raise error

    def _is_open(self, candidate: _Candidate) -> bool:
        """Tell whether `once` still has to wait for a file: it may settle, and has not changed under our eyes."""
        return candidate.changes == 0 and not self._is_settled(candidate)

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
        """Look at the folder once and deal with what is ready.

        Raises:
            OSError: the folder cannot be read.
        """
        found = self.folder.bundles()
        self._seen = {name: candidate for name, candidate in self._seen.items() if name in found}
        self._retried = {name: error for name, error in self._retried.items() if name in found}
        for name, signature in found.items():
            candidate = self._seen.get(name)
            if candidate is None:
                self._seen[name] = _Candidate(signature, self.clock())
            elif candidate.signature != signature:
                self._changed(name, signature)
        ready = [name for name, candidate in self._seen.items() if self._is_ready(name, candidate)]
        numbers = {name: self._number(name) or 0 for name in ready}
        growing = [name for name, candidate in self._seen.items() if not self._is_settled(candidate)]
        for name in sorted(ready, key=lambda one: (numbers[one], one)):
            if growing and self._goes_later(name, numbers[name], growing):
                continue
            self._deal_with(name, self._seen[name])

    def _changed(self, name: str, signature: Signature) -> None:
        before = self._seen[name]
        self._seen[name] = _Candidate(signature, self.clock(), before.changes + 1, said=before.said)

    def _is_ready(self, name: str, candidate: _Candidate) -> bool:
        if not self._is_settled(candidate) or self.clock() < candidate.retry_at:
            return False
        if not candidate.judged:
            candidate.unfinished = self._unfinished(name)
            candidate.judged = True
        if candidate.unfinished is not None:
            self._say(name, candidate, "waiting", f"not completely copied yet: {candidate.unfinished}")
        return candidate.unfinished is None

    def _unfinished(self, name: str) -> str | None:
        try:
            descriptor = self.folder.open(name)
        except (Error, OSError):
            return None  # whatever is wrong with it, `_deal_with` finds it again and says so
        try:
            return unfinished(descriptor)
        finally:
            os.close(descriptor)

    def _number(self, name: str) -> int | None:
        try:
            descriptor = self.folder.open(name)
        except (Error, OSError):
            return None
        try:
            return claimed_number(descriptor)
        finally:
            os.close(descriptor)

    def _goes_later(self, name: str, number: int, growing: list[str]) -> bool:
        """Tell whether a smaller release is still being copied: installed later, it would be refused as older."""
        candidate = self._seen[name]
        if self.clock() - candidate.since > _LONGEST_HOLD_S:
            return False
        for other in growing:
            smaller = self._number(other)
            if smaller is not None and smaller < number:
                self._say(name, candidate, "waiting", f"release {smaller} is still being copied and goes first")
                return True
        return False

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
            # Out of the way, or whoever starts us again meets it again; then the bug is told as every bug.
            self.folder.file_away(name, REFUSED, Error(f"a bug in Sealift: {bug!r}"), datetime.now(UTC))
            raise
        else:
            self._put_away(name, candidate, report)

    def _put_away(self, name: str, candidate: _Candidate, outcome: Error | InstallReport) -> None:
        refusal = outcome if isinstance(outcome, Error) else None
        try:
            now = signature_of((self.folder.path / name).lstat())
            if now != candidate.signature:
                # Written to or replaced meanwhile: the verdict is about bytes that are not there any more.
                self._changed(name, now)
                self._say(name, self._seen[name], "waiting", "it changed while it was read")
                return
            place = self.folder.file_away(name, REFUSED if refusal else DONE, refusal, datetime.now(UTC))
        except OSError as error:
            self._try_again(name, candidate, local_error(error))
            return
        self._moved += 1
        self._retried.pop(name, None)
        del self._seen[name]
        if refusal is not None:
            self._refused.append((name, refusal))
            details = {"code": refusal.code, "exit_code": refusal.exit_code, "moved_to": f"{REFUSED}/{place or name}"}
            self.tell(Event("refused", name, str(refusal), details))
        elif isinstance(outcome, InstallReport):
            said = f"{outcome.channel} release {outcome.plan.release}, generation {outcome.generation}"
            details = {
                "channel": outcome.channel,
                "release": outcome.plan.release,
                "generation": outcome.generation,
                "changed": outcome.changed,
                "moved_to": f"{DONE}/{place or name}",
            }
            self.tell(Event("installed", name, said, details))

    def _try_again(self, name: str, candidate: _Candidate, error: Error) -> None:
        self._retried[name] = error
        longest = _LONGEST_LOCKED_S if isinstance(error, LockedError) else _LONGEST_RETRY_S
        candidate.delay = min(max(2 * candidate.delay, self.interval_s), longest)
        candidate.retry_at = self.clock() + candidate.delay
        details = {"code": error.code, "exit_code": error.exit_code, "retry_in_s": candidate.delay}
        # A full disk says another number each time, which is no news.
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
    """Tell whether the bundle is at fault, and not this machine or its store."""
    if isinstance(error, PreflightError):
        return all(_is_to_blame(problem) for problem in error.problems)
    return 10 <= error.exit_code < 30 or 40 <= error.exit_code < 50


def _seriousness(error: Error) -> int:
    """Rank what stopped a bundle: trust, then damage, then models that cannot run, then this machine."""
    ranges = {2: 4, 1: 3, 4: 2, 3: 1}
    return ranges.get(error.exit_code // 10, 0)
