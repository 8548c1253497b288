"""One writer at a time: a lock that nobody but the store's owner can take, and that ends with its holder."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sealift.errors import LockedError
from sealift.store.guard.safety import require_owner
from sealift_common.files import lock_file


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the store's lock; wait two seconds for one whose holder was killed.

    Raises:
        LockedError: another process holds it; a lock left by a dead process does not count, nor does a stranger's.
        UnsafeStoreError: the store belongs to another user.
        LocalError: the file system has no locks.
    """
    # Before it is created: a lock that root owns would lock the store's owner out.
    require_owner(path.parent)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file.hold(path, keep=True))
        except lock_file.HeldError as held:
            raise _refusal(path, held) from None
        yield


def _refusal(path: Path, held: lock_file.HeldError) -> LockedError:
    who = f"process {held.holder}" if held.holder else "a process that cannot be seen from here"
    do = "wait until it has finished, then run this again"
    if held.is_open_to_others and not held.holder:
        do += (
            f"; any user can hold this lock, which an older Sealift made: if no node and no container is at work in "
            f"the store, remove {str(path)!r}"
        )
    return LockedError(f"{who} is changing the store {str(path.parent)!r}; {do}")
