"""Give staged models and documents their places in the store, and take them back while nothing counts yet."""

import os
from contextlib import ExitStack
from pathlib import Path

from sealift import plain_file
from sealift_common.files import durable


def place_model(staged: Path, destination: Path, scratch: Path, undo: ExitStack) -> None:
    """Move a model's directory to its place; a damaged one that stands there leaves in one rename.

    Args:
        scratch: a folder on the store's file system that outlives `undo`.
        undo: what takes it back where an error follows.
    """
    if not destination.parent.exists():
        undo.callback(durable.remove_tree, destination.parent)
    durable.make_directory(destination.parent)
    if os.path.lexists(destination):
        damaged = scratch / f"damaged-{destination.parent.name}-{destination.name}"
        durable.move(destination, damaged)
        undo.callback(durable.move, damaged, destination)
    undo.callback(durable.remove_tree, destination)
    durable.move(staged, destination)


def keep_document(path: Path, data: bytes, scratch: Path, undo: ExitStack) -> None:
    """Write a manifest or config that its name is the digest of, unless it is there already."""
    durable.make_directory(path.parent)
    if _holds(path, data):
        return
    if not os.path.lexists(path):
        undo.callback(durable.remove_tree, path)
    elif not path.is_file() or path.is_symlink():
        durable.move(path, scratch / f"damaged-{path.name}")
    durable.write_file(path, data)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return plain_file.read(path, len(data)) == data
    except OSError:
        return False
