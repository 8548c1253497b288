"""A bundle of a thousand small models, made once for all benches of one run, for making it takes half a minute."""

import os
from pathlib import Path
from typing import NamedTuple

MODELS = 1000
# The folder of `make bench` for what several benches need.
SHARED = "BENCH_SHARED"


class Made(NamedTuple):
    """A bundle, and the root that its channel is trusted by."""

    bundle: Path
    root: Path


def name_of(number: int) -> str:
    """Return the name of a model; its version is 1.0.0."""
    return f"model-{number:04}"


def thousand_models(directory: Path) -> Made:
    """Make the bundle in `directory`, or take the one that another bench made."""
    made = Made(*(Path(os.environ.get(SHARED, directory)) / name for name in ("thousand.tar", "thousand.root.json")))
    if not made.root.exists():
        make(directory / "thousand", MODELS, made)
    return made


def make(directory: Path, count: int, made: Made) -> None:
    """Make a bundle of so many small models."""
    from support.release.channel_simulator import ChannelSimulator, renamed, toy_files

    channel = ChannelSimulator(directory)
    toy = toy_files()
    for number in range(count):
        card = {"CARD.md": f"# {name_of(number)}\n".encode()}
        channel.add(name_of(number), "1.0.0", renamed(toy, name_of(number), "1.0.0") | card)
    channel.release()
    channel.pack_anything(made.bundle)
    made.root.write_bytes(channel.root_bytes)
