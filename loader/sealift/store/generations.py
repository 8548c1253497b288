"""Generations: which version of each model is active, switched whole by one rename."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sealift import strict_json
from sealift.errors import CorruptError, Error, NotInstalledError, UsageError
from sealift.store.layout import GENERATION_FILE, StoreLayout
from sealift_keys import durable
from sealift_keys.names import ModelVersion

SCHEMA = "sealift.generation/1"
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_LINK = re.compile(r"\.\./\.\./models/([^/]+)/([^/]+)")


@dataclass(frozen=True)
class Generation:
    """One set of active models.

    Attributes:
        number: counts up from 1; never used twice.
        release: the channel's release that it was made from.
        created: RFC 3339, UTC.
        models: name to the active version.
    """

    number: int
    release: int
    created: str
    models: Mapping[str, ModelVersion]


def numbers(layout: StoreLayout) -> list[int]:
    """Return the generations that exist, oldest first."""
    if not layout.generations.is_dir():
        return []
    return sorted(int(entry.name) for entry in layout.generations.iterdir() if _NUMBER.fullmatch(entry.name))


def active_number(layout: StoreLayout) -> int | None:
    """Return the number of the active generation, or None before the first install.

    Raises:
        CorruptError: `current` is not a link to a generation.
    """
    try:
        target = os.readlink(layout.current)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CorruptError(f"{str(layout.current)!r} is not the link that Sealift made ({error.strerror})") from None
    folder, _, number = target.partition("/")
    if folder != "generations" or _NUMBER.fullmatch(number) is None:
        raise CorruptError(f"{str(layout.current)!r} points to {target[:120]!r}; expected 'generations/<number>'")
    return int(number)


def read(layout: StoreLayout, number: int, only: str | None = None) -> Generation:
    """Read one generation from its links.

    Args:
        only: the name of the one model to look for, in a store of thousands; None means all.

    Raises:
        NotInstalledError: it does not exist.
        CorruptError: it holds something else than links to models.
    """
    directory = layout.generation(number)
    if not directory.is_dir():
        raise NotInstalledError(f"the store has no generation {number}; it has {numbers(layout) or 'none'}")
    models = {}
    for entry in sorted(directory.iterdir()) if only is None else [directory / only]:
        if entry.name != GENERATION_FILE and (only is None or entry.is_symlink()):
            models[entry.name] = _linked_model(entry)
    try:
        release, created = _note((directory / GENERATION_FILE).read_bytes())
        return Generation(number, release, created, models)
    except (OSError, Error, KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptError(f"generation {number} has no readable {GENERATION_FILE!r}: {error}") from None


@lru_cache(maxsize=4)
def _note(data: bytes) -> tuple[int, str]:
    """Parse the same bytes once: with thousands of models that takes longer than the rest of a load."""
    note = strict_json.parse(data, GENERATION_FILE)
    return int(note["release"]), str(note["created"])


def write(layout: StoreLayout, scratch: Path, generation: Generation) -> None:
    """Build `generation` in `scratch` and move it to its place; it is not active yet."""
    durable.make_directory(scratch)
    for name, model in generation.models.items():
        (scratch / name).symlink_to(f"../../models/{model.name}/{model.version}")
    note = {
        "schema": SCHEMA,
        "number": generation.number,
        "release": generation.release,
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


def _linked_model(link: Path) -> ModelVersion:
    try:
        match = _LINK.fullmatch(os.readlink(link))
        if match is None or match[1] != link.name:
            raise CorruptError(f"{str(link)!r} points outside the store's models; restore the store from a backup")
        return ModelVersion.parse(match[1], match[2])
    except (OSError, UsageError) as error:
        raise CorruptError(f"{str(link)!r} is not the link that Sealift made: {error}") from None
