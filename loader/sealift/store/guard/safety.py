"""Is this store ours to write? Checked under the lock, before the first write.

A folder of the store that is a link, or that a stranger may write, would let that stranger choose where
a root install writes and what it removes. Everything in a store has one owner, who alone changes it:
files that root owns in a service user's store would lock that user out.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sealift.errors import UnsafeStoreError
from sealift.places import others_write, unsafe_parents, user
from sealift.store.contents.layout import StoreLayout
from sealift_common import advice

# More would not be read; `sealift doctor` lists all.
_MOST_IN_ONE_LINE = 20


def require_safe(layout: StoreLayout) -> None:
    """Check that the store is this user's, and that nobody else can write or replace what is in it.

    Raises:
        UnsafeStoreError: it belongs to somebody else; or it, a folder in it or a directory that leads to it is
            a link, of another owner, or writable by group or others. The message names all of them.
    """
    require_owner(layout.root)
    require_closed(layout)


def require_closed(layout: StoreLayout) -> None:
    """Check, for any user who asks, that only its owner can write or replace what is in the store.

    Raises:
        UnsafeStoreError: as `require_safe`, but for who asks.
    """
    problems = unsafe_places(layout)
    if problems:
        more = len(problems) - _MOST_IN_ONE_LINE
        told = problems[:_MOST_IN_ONE_LINE] + ([f"and {more} more, which `sealift doctor` lists"] if more > 0 else [])
        raise UnsafeStoreError("; ".join(told))


def require_owner(root: Path) -> None:
    """Check that the store in `root` is this user's to change, before anything is created in it.

    Raises:
        UnsafeStoreError: it belongs to somebody else; that is also refused to root.
        OSError: it does not exist.
    """
    owner, me = root.stat().st_uid, os.geteuid()
    if owner != me:
        raise UnsafeStoreError(
            f"the store {str(root)!r} belongs to {user(owner)}, and this is {user(me)}; "
            f"only its owner changes a store: {advice.run_as(owner)}"
        )


def unsafe_places(layout: StoreLayout) -> list[str]:
    """Return everything that lets somebody other than its owner change the store, one phrase each; reads only.

    A store that does not exist is judged as if this user were about to create it.
    """
    try:
        # The store itself may lie behind a link of the admin's; what is in it may not.
        status = layout.root.stat()
    except FileNotFoundError:
        return unsafe_parents(layout.root, {os.geteuid()})
    except OSError as error:
        return [f"{str(layout.root)!r} cannot be checked: {error.strerror}"]
    problems = unsafe_parents(layout.root, {status.st_uid})
    problems += _problems(layout.root, status, status.st_uid)
    for path in _inside(layout):
        try:
            problems += _problems(path, path.lstat(), status.st_uid, is_file=path in {layout.lock, layout.history})
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{str(path)!r} cannot be checked: {error.strerror}")
    return problems


def _inside(layout: StoreLayout) -> Iterator[Path]:
    yield from (layout.models, layout.manifests, layout.generations, layout.trust, layout.staging)
    yield from (layout.lock, layout.history)
    try:
        if layout.models.is_dir() and not layout.models.is_symlink():
            yield from sorted(Path(entry.path) for entry in os.scandir(layout.models))
    except OSError:
        # It cannot be entered, which its own line says.
        return


def _problems(path: Path, status: os.stat_result, owner: int, *, is_file: bool = False) -> list[str]:
    kind, right = ("file", stat.S_ISREG) if is_file else ("directory", stat.S_ISDIR)
    if not right(status.st_mode):
        return [f"{str(path)!r} is not a real {kind}; remove what stands there, or use another store"]
    problems = []
    if status.st_uid != owner:
        problems.append(
            f"{str(path)!r} belongs to {user(status.st_uid)}; expected the store's owner, {user(owner)}: "
            f"{advice.give(path, owner)}"
        )
    if others_write(status):
        problems.append(f"{str(path)!r} is writable by group or others; {advice.close_to_others(path)}")
    return problems
