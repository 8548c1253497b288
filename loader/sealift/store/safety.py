"""Is this store ours to write? Checked under the lock, before the first write.

A folder of the store that is a link, or that a stranger may write, would let that stranger choose where
a root install writes and what it removes.
"""

import os
import stat
from pathlib import Path

from sealift.errors import UnsafeStoreError
from sealift.store.layout import StoreLayout


def require_safe(layout: StoreLayout) -> None:
    """Check the store's directory, its fixed folders and the history.

    Raises:
        UnsafeStoreError: one is a link, of another kind or owner, or writable by group or others.
    """
    # The store itself may lie behind a link of the admin's; what is in it may not.
    _check(layout.root, layout.root.stat())
    for folder in (layout.models, layout.manifests, layout.generations, layout.trust, layout.staging):
        try:
            _check(folder, folder.lstat())
        except FileNotFoundError:
            continue
    if os.path.lexists(layout.history) and not stat.S_ISREG(layout.history.lstat().st_mode):
        raise UnsafeStoreError(f"{str(layout.history)!r} is not a plain file; move away what stands there")
    if layout.models.is_dir():
        for entry in os.scandir(layout.models):
            _check(Path(entry.path), entry.stat(follow_symlinks=False))


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeStoreError(f"{str(path)!r} is not a real directory; remove what stands there, or use another store")
    if status.st_uid not in (os.geteuid(), 0):
        raise UnsafeStoreError(
            f"{str(path)!r} belongs to uid {status.st_uid}; expected uid {os.geteuid()} or root: "
            "run as the store's owner, or change the owner"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafeStoreError(f"{str(path)!r} is writable by group or others; run `chmod go-w` on it")
