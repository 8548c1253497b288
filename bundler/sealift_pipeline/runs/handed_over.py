"""Models that were trained here: to which channels they went, and which of them saw certain rows.

`channels.txt` in the pipeline's folder has the path of each channel, one a line. What a version saw, its own data
snapshot in the channel says: nothing here can go out of step with what was released.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealift_common.blob import Blob
from sealift_common.contents.reading import file_bytes, read_contents
from sealift_common.errors import Error
from sealift_common.files import durable
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest
from sealift_keys.channel.directory import Channel
from sealift_pipeline.runs.document import FILE as RUN_FILE
from sealift_pipeline.runs.document import Run
from sealift_pipeline.snapshots.document import FILE as SNAPSHOT_FILE
from sealift_pipeline.snapshots.document import Snapshot

CHANNELS_FILE = "channels.txt"


@dataclass(frozen=True)
class Trained:
    """A version in a channel that `retrain` made.

    Attributes:
        channel: its folder.
        released: whether it is; otherwise it is staged.
    """

    model: ModelVersion
    channel: Path
    released: bool
    blob: Blob
    manifest: Manifest
    run: Run
    snapshot: Snapshot

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "channel": str(self.channel),
            "model": self.model.name,
            "released": self.released,
            "version": str(self.model.version),
        }


@dataclass(frozen=True)
class Affected:
    """What an erasure reaches beyond the tables.

    Attributes:
        models: versions whose data snapshot had an erased row, in order of channel, name and version.
        unread: channels that cannot be read any longer, each with the reason.
    """

    models: tuple[Trained, ...] = ()
    unread: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Say in a line each what is to be done."""
        for one in self.models:
            state = "released" if one.released else "staged"
            then = f"then withdraw {one.model}" if one.released else "before it is released"
            yield f"{one.model}, {state} in {one.channel}, was trained on erased rows: retrain it, {then}"
        yield from (f"channel {one}: look there yourself which models saw the rows" for one in self.unread)


def note_channel(folder: Path, channel: Path) -> None:
    """Note that a version goes to a channel; do so before it does."""
    place = str(channel.absolute())
    if place not in channels_of(folder):
        durable.append_line(folder / CHANNELS_FILE, place, mode=0o600)


def channels_of(folder: Path) -> list[str]:
    """Return the paths of the channels that versions went to, in order of the first."""
    try:
        lines = (folder / CHANNELS_FILE).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(line for line in lines if line))


def trained_in(channel: Channel, name: str = "", *, partly: bool = False) -> Iterator[Trained]:
    """Yield the versions in a channel that `retrain` made, released ones first.

    Args:
        name: of one model; empty for all.
        partly: leave out versions whose manifest is not there: a copy has what a release carried, the newest ones.

    Raises:
        ChannelError: the channel cannot be read, or lacks a file.
        DigestError, MalformedError, LimitError, UnsupportedVersionError: a document is not what it should be.
    """
    release = channel.released()
    for listed, released in ((release, True), (channel.staged(), False)):
        for model, blob in listed.items():
            if (name and model.name != name) or (partly and not (channel.blobs_dir / blob.hex).exists()):
                continue
            found = read_trained(channel, model, blob, released=released)
            if found is not None:
                yield found


def read_trained(channel: Channel, model: ModelVersion, blob: Blob, *, released: bool = True) -> Trained | None:
    """Return a version of a channel with its run; None where `retrain` did not make it.

    Raises:
        As `trained_in`.
    """
    manifest = read_contents(model, blob, channel.blob).manifest
    run, snapshot = (file_bytes(manifest, one, channel.blob) for one in (RUN_FILE, SNAPSHOT_FILE))
    if run is None or snapshot is None:
        return None
    return Trained(
        model, channel.directory, released, blob, manifest, Run.parse(run, RUN_FILE), Snapshot.parse(snapshot)
    )


def affected(folder: Path, tables: Mapping[str, str], numbers: Mapping[str, Sequence[int]]) -> Affected:
    """Return the models that saw certain rows.

    Args:
        folder: of the pipeline.
        tables: kind to the identity of its table.
        numbers: kind to the numbers of rows.
    """
    models, unread = [], []
    for place in channels_of(folder):
        try:
            for one in trained_in(Channel.open(place)):
                seen = numbers.get(one.snapshot.kind, ())
                own = tables.get(one.snapshot.kind) == one.snapshot.table
                if own and any(number <= one.snapshot.upto for number in seen):
                    models.append(one)
        except (Error, OSError) as error:
            unread.append(f"{place} cannot be read ({str(error)[:200]})")
    models.sort(key=lambda one: (str(one.channel), one.model))
    return Affected(tuple(models), tuple(unread))
