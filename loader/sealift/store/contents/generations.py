"""Generations: which version of each model is active, switched whole by one rename."""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sealift import plain_file
from sealift.errors import CorruptError, Error, NotInstalledError, UsageError
from sealift.limits import LIMITS
from sealift.store.contents.layout import GENERATION_FILE, StoreLayout
from sealift_common.files import durable
from sealift_common.names import ModelVersion, is_directory_number
from sealift_common.parsing import strict_json

SCHEMA = "sealift.generation/1"
_REMEDY = "restore the store from a backup"
_MODELS = "../../models/"


class Generation(NamedTuple):
    """One set of active models.

    Attributes:
        number: counts up from 1; never used twice.
        release: the channel's release that it was made from.
        trust: number of the trust state that it was made with; a newer one may count by now.
        created: RFC 3339, UTC.
        models: name to the active version.
    """

    number: int
    release: int
    trust: int
    created: str
    models: Mapping[str, ModelVersion]


def numbers(layout: StoreLayout) -> list[int]:
    """Return the generations that exist, oldest first."""
    if not layout.generations.is_dir():
        return []
    return sorted(int(entry.name) for entry in layout.generations.iterdir() if is_directory_number(entry.name))


def active_number(layout: StoreLayout) -> int | None:
    """Return the number of the active generation, or None before the first install.

    Raises:
        CorruptError: `current` is not a link to a generation.
        PermissionError: this user may not enter the store.
    """
    try:
        target = os.readlink(layout.current)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except OSError as error:
        raise CorruptError(f"{str(layout.current)!r} is not the link that Sealift made ({error.strerror})") from None
    folder, _, number = target.partition("/")
    if folder != "generations" or not is_directory_number(number):
        raise CorruptError(f"{str(layout.current)!r} points to {target[:120]!r}; expected 'generations/<number>'")
    return int(number)


def read(layout: StoreLayout, number: int, only: str | None = None) -> Generation:
    """Read one generation from its links.

    Args:
        only: the name of the one model to look for, in a store of thousands; None means all.

    Raises:
        NotInstalledError: it does not exist.
        CorruptError: it holds something other than links to models, or links other than it says.
    """
    directory = layout.generation(number)
    if directory.is_symlink():
        raise CorruptError(f"{str(directory)!r} is a link; expected a directory; {_REMEDY}")
    try:
        names = sorted(os.listdir(directory)) if only is None else [only] if os.path.lexists(directory / only) else []
        note = _note(plain_file.read(directory / GENERATION_FILE, LIMITS.json_size_bytes))
    except (FileNotFoundError, NotADirectoryError) as error:
        if not directory.is_dir():
            raise NotInstalledError(_absence(number, numbers(layout))) from None
        raise _unreadable(number, error) from None
    except (OSError, Error, KeyError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise _unreadable(number, error) from None
    models = {name: _linked_model(directory / name) for name in names if name != GENERATION_FILE}
    noted = note.models if only is None else {only: note.models[only]} if only in note.models else {}
    if note.number != number or noted != {name: str(model.version) for name, model in models.items()}:
        raise CorruptError(f"generation {number} has other links than its {GENERATION_FILE!r} says; {_REMEDY}")
    return Generation(number, note.release, note.trust, note.created, models)


def active(layout: StoreLayout, only: str | None = None) -> Generation | None:
    """Return the active generation, or None before the first install.

    Args:
        only: as for `read`.

    Raises:
        CorruptError: `current` is not a link to a generation, or that generation is gone or damaged.
    """
    number = active_number(layout)
    while number is not None:
        try:
            return read(layout, number, only)
        except NotInstalledError as error:
            before, number = number, active_number(layout)
            if number == before:
                raise CorruptError(f"{str(layout.current)!r} leads nowhere: {error}; {_REMEDY}") from None
    return None


class _Note(NamedTuple):
    number: int
    release: int
    trust: int
    created: str
    models: Mapping[str, str]


@lru_cache(maxsize=4)
def _note(data: bytes) -> _Note:
    """Parse the same bytes once: with thousands of models that takes longer than the rest of a load."""
    note = strict_json.parse(data, GENERATION_FILE)
    return _Note(
        number=note["number"],
        release=int(note["release"]),
        trust=int(note.get("trust", 0)),
        created=str(note["created"]),
        models=dict(note["models"]),
    )


def _unreadable(number: int, error: Exception) -> CorruptError:
    return CorruptError(f"generation {number} has no readable {GENERATION_FILE!r}: {error}; {_REMEDY}")


def write(layout: StoreLayout, scratch: Path, generation: Generation) -> None:
    """Build `generation` in `scratch` and move it to its place; it is not active yet."""
    durable.make_directory(scratch)
    for name, model in generation.models.items():
        (scratch / name).symlink_to(f"../../models/{model.name}/{model.version}")
    note = {
        "schema": SCHEMA,
        "number": generation.number,
        "release": generation.release,
        "trust": generation.trust,
        "created": generation.created,
        "models": {name: str(model.version) for name, model in generation.models.items()},
    }
    durable.write_new(scratch / GENERATION_FILE, [json.dumps(note, sort_keys=True).encode("utf-8")])
    durable.sync_directory(scratch)
    durable.make_directory(layout.generations)
    durable.move(scratch, layout.generation(generation.number))


def activate(layout: StoreLayout, number: int) -> None:
    """Switch `current` to a generation, in one rename."""
    durable.point(layout.current, f"generations/{number}")


def switch(layout: StoreLayout, number: int, undo: ExitStack) -> None:
    """Switch `current` as `activate` does; from then on nothing is taken back, whatever follows."""
    before = _link_text(layout)
    try:
        activate(layout, number)
    except BaseException:
        if _link_text(layout) != before:
            undo.pop_all()  # it is active, though perhaps not durably so
        raise
    undo.pop_all()


def _link_text(layout: StoreLayout) -> str | None:
    """Return what `current` says, which may be damage that a restore is there for."""
    return os.readlink(layout.current) if layout.current.is_symlink() else None


def _absence(number: int, exist: list[int]) -> str:
    # Numbers count up from 1, and the newest generation is never pruned.
    if number < max(exist, default=0):
        return f"generation {number} was pruned; the store still has {', '.join(map(str, exist))}"
    return f"the store has no generation {number}; it has {exist or 'none'}"


def _linked_model(link: Path) -> ModelVersion:
    try:
        target = os.readlink(link)
        name, _, version = target.removeprefix(_MODELS).partition("/")
        if not target.startswith(_MODELS) or name != link.name or not version or "/" in version:
            raise CorruptError(f"{str(link)!r} points outside the store's models; {_REMEDY}")
        return ModelVersion.parse(name, version)
    except (OSError, UsageError) as error:
        raise CorruptError(f"{str(link)!r} is not the link that Sealift made: {error}; {_REMEDY}") from None
