"""May this user create the store? Asked before anything is done, because the answer has a remedy."""

import os
from pathlib import Path

from sealift.errors import LocalError
from sealift.places import user
from sealift_common import advice


def require_place(root: Path) -> None:
    """Check that the store exists, or that this user can create it.

    Raises:
        LocalError: it does not, and nobody but another user can; the message says what to run.
    """
    if root.exists() or root.is_symlink():
        return
    parent = root.absolute().parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not os.access(parent, os.W_OK | os.X_OK, effective_ids=True):
        raise LocalError(
            f"the store {str(root)!r} does not exist, and {user(os.geteuid())} may not create it in {str(parent)!r}; "
            f"{advice.make(root, os.geteuid())}"
        )
