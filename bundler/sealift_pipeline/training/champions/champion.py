"""The champion: the released version that a challenger has to beat, opened from the channel that it is released in."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import DigestError
from sealift.model.model import Model
from sealift_bundler.packing.blobs import blob_chunks
from sealift_common.names import ModelVersion, Version
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest
from sealift_keys.channel.directory import Channel
from sealift_pipeline.errors import ChallengerError
from sealift_pipeline.gate.metrics import OF_NUMBERS, RMSE
from sealift_pipeline.runs.handed_over import Trained, read_trained
from sealift_pipeline.training.champions.channels import Channels
from sealift_pipeline.training.project.settings import Project


class Constant:
    """What a first version is compared with: it answers every row alike, as well as that can be done.

    Args:
        labels: that a model learns from.
        metric: the mean is best by `rmse`, the median by `mae`, and by the others the most frequent label.
    """

    def __init__(self, labels: Sequence[Any], metric: str) -> None:
        if metric in OF_NUMBERS:
            self._answer: Any = float(np.mean(labels) if metric == RMSE else np.median(labels))
            return
        # Of equally frequent ones the first in order, so that it is the same every time.
        counted = Counter(labels)
        self._answer = min(counted, key=lambda label: (-counted[label], str(label)))

    def predict(self, rows: Any) -> NDArray[Any]:
        """Return the answer for each row, shape [rows]."""
        return np.array([self._answer] * len(rows))


def find_champion(channel: Channel, project: Project) -> Trained | None:
    """Return the newest released version of the project's model, or the one that it names; None for a first version.

    Raises:
        ChallengerError: it was withdrawn, is not released, or `retrain` did not make it: nobody knows what it saw.
        ChannelError: the channel cannot be read.
    """
    release, named = channel.release(), project.gate.champion
    released = sorted(model for model in release.models if model.name == project.name)
    withdrawn = [one for one in release.withdrawn if one.model.name == project.name]
    if named:
        gone = next((one for one in withdrawn if str(one.model.version) == named), None)
        if gone is not None:
            raise ChallengerError(
                f"the champion {gone.model} was withdrawn at {gone.at}: {gone.reason!r}; name another in [gate] of "
                f"{project.path.name}, or leave the line out"
            )
        released = [model for model in released if str(model.version) == named]
        if not released:
            raise ChallengerError(f"the champion {project.name} {named} is not released in {str(channel.directory)!r}")
    if not released:
        if withdrawn:
            last = withdrawn[-1]
            raise ChallengerError(
                f"every version of {project.name} was withdrawn, the last for {last.reason!r}: no champion is left; "
                "release one by hand after a review, or train under a new name"
            )
        return None
    if not (channel.blobs_dir / release.models[released[-1]].hex).exists():
        raise ChallengerError(
            f"the champion {released[-1]} is released, and {str(channel.directory)!r} does not have its files; name "
            "the newest version in [gate], or pack and push that one with --include"
        )
    found = read_trained(channel, released[-1], release.models[released[-1]])
    if found is None:
        raise ChallengerError(
            f"{released[-1]} was not made by `retrain`: nobody knows which rows it saw, so nothing can be compared; "
            "train under a new name, or name a champion in [gate]"
        )
    return found


def next_version(channels: Channels, project: Project) -> ModelVersion:
    """Return the version after all that were ever released, or the project's first one."""
    taken = channels.taken(project.name)
    if not taken:
        return ModelVersion.parse(project.name, project.first_version)
    major, minor, _ = taken[-1].version.release
    return ModelVersion(project.name, Version.parse(f"{major}.{minor + 1}.0"))


def open_model(trained: Trained) -> Model:
    """Open a version from the blobs of its channel; raises what `read_files` raises."""
    return Model.from_files(read_files(Channel(trained.channel), trained.manifest))


def read_files(channel: Channel, manifest: Manifest) -> dict[str, bytes]:
    """Return the files of a version, expanded.

    Raises:
        DigestError: a file is not what its manifest lists.
        GateError: a blob is missing.
    """
    files = {}
    for file in manifest.files:
        what = f"{file.name!r} of {manifest.model}"
        chunks = blob_chunks(channel.blobs_dir, file.blob, what)
        data = b"".join(expand(chunks, file.plain, what) if file.compressed else chunks)
        if hashlib.sha256(data).hexdigest() != file.plain.hex:
            raise DigestError(f"{what} is not what the manifest lists")
        files[file.name] = data
    return files
