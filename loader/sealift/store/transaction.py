"""The order in which a change of the store comes to count: `commit` for install and restore, `put_back` for repair.

1. model directories · 2. manifests and configs · 3. the trust state · 4. generations, of which the active one names
that state · 5. the `current` switch, which makes both count in one rename · 6. `trust/current` · 7. the history.

Nothing is named before what it names is durable. Cut off anywhere, the previous generation serves with its trust, or
the new one with its own; the next run finds what is there and continues. An error before the switch, for example a
full disk, takes everything back.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sealift import plain_file
from sealift.errors import NoSpaceError
from sealift.store.contents import generations
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import StoreLayout
from sealift.trust.floor import Floor
from sealift.trust.state import TrustState
from sealift_common.files import durable
from sealift_common.names import ModelVersion


class NewTrust(NamedTuple):
    """The trust state after a change.

    Attributes:
        state: the store's; it is replaced.
        metadata: the accepted metadata in python-tuf's own form; None where what counts stays.
        floor: what has been seen once the change counts.
    """

    state: TrustState
    metadata: Path | None
    floor: Floor


class Activation(NamedTuple):
    """Generations to write, and the one that is active then; one that is active already is not switched to."""

    write: Sequence[Generation]
    active: Generation
    switch: bool = True


class Contents(NamedTuple):
    """Items of a commit: the staged directory of each model version, and documents by the path their digest names."""

    models: Mapping[ModelVersion, Path]
    documents: Iterable[tuple[Path, bytes]]


@dataclass(frozen=True)
class Change:
    """One commit, in the order of its steps.

    Attributes:
        activation: given the number of the trust state that counts, what becomes active.
        note: writes the history, and whatever else follows the switch; it is given the active generation.
        release: the release that is active then, for a message.
        again: what to do if writing stops after the switch, for a message.
    """

    contents: Contents
    trust: NewTrust
    activation: Callable[[int], Activation]
    note: Callable[[Generation], object]
    release: int
    again: str = "run the same command again"


def commit(layout: StoreLayout, scratch: Path, change: Change) -> Generation:
    """Make `change` count; the caller holds the store's lock. Return the generation that is active then.

    Args:
        scratch: a folder on the store's file system, which is removed afterwards.

    Raises:
        OSError: the operating system refused before the switch; the store is as it was before.
        NoSpaceError: what follows the switch could not be written; the change counts.
    """
    state, metadata, floor = change.trust
    with ExitStack() as undo:
        _place(layout, scratch, change.contents, undo)
        if metadata is not None:
            state.write(metadata, floor, undo)
        activation = change.activation(state.number)
        for generation in activation.write:
            undo.callback(durable.remove_tree, layout.generation(generation.number))
            generations.write(layout, scratch / f"generation-{generation.number}", generation)
        if activation.switch:
            generations.switch(layout, activation.active.number, undo)
        undo.pop_all()
    try:
        state.settle()
        change.note(activation.active)
    except OSError as error:
        raise NoSpaceError(
            f"release {change.release} is active as generation {activation.active.number}, but what remains could not "
            f"be written ({error.strerror}); make room and {change.again}"
        ) from None
    return activation.active


def put_back(layout: StoreLayout, scratch: Path, contents: Contents, note: Callable[[], object]) -> None:
    """Put contents in their places and note it; trust and generations stay. The caller holds the store's lock.

    Raises:
        OSError: the operating system refused; the store is as it was before.
    """
    with ExitStack() as undo:
        _place(layout, scratch, contents, undo)
        note()
        undo.pop_all()


def _place(layout: StoreLayout, scratch: Path, contents: Contents, undo: ExitStack) -> None:
    unsynced: set[Path] = set()
    for model, staged in contents.models.items():
        _place_model(staged, layout.model(model), scratch, undo, unsynced)
    durable.sync_directories(unsynced)
    unsynced.clear()
    documents = dict(contents.documents)
    for directory in {path.parent for path in documents}:
        durable.make_directory(directory)
    missing = [(path, data) for path, data in documents.items() if not _holds(path, data)]
    for path, _ in missing:
        _make_way(path, scratch, undo)
    durable.write_files(missing, unsynced)
    durable.sync_directories(unsynced)


def _place_model(staged: Path, destination: Path, scratch: Path, undo: ExitStack, unsynced: set[Path]) -> None:
    """Move a model's directory to its place; a damaged one that stands there leaves in one rename."""
    if not destination.parent.exists():
        undo.callback(durable.remove_tree, destination.parent)
    durable.make_directory(destination.parent, unsynced)
    if os.path.lexists(destination):
        damaged = scratch / f"damaged-{destination.parent.name}-{destination.name}"
        durable.move(destination, damaged)
        undo.callback(durable.move, damaged, destination)
    undo.callback(durable.remove_tree, destination)
    durable.move(staged, destination, unsynced)


def _make_way(path: Path, scratch: Path, undo: ExitStack) -> None:
    """Clear the place of a manifest or config; where the rest fails, what is new there leaves again."""
    if not os.path.lexists(path):
        undo.callback(durable.remove_tree, path)
    elif not path.is_file() or path.is_symlink():
        durable.move(path, scratch / f"damaged-{path.name}")


def _holds(path: Path, data: bytes) -> bool:
    try:
        return plain_file.read(path, len(data)) == data
    except OSError:
        return False
