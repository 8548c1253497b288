"""The channel that versions are staged in, and the one that the champion is released in: often one, not always.

Where a project names a registry for its champion, the release there is fetched into a copy of its channel, in the
pipeline's folder. A project without a channel of its own stages in that copy; a person carries `staged` and `blobs`
from there to where the keys are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sealift_common.errors import ChannelError
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel
from sealift_pipeline.runs.handed_over import Trained, trained_in
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.training.project.settings import Project

FOLDER = "champions"


@dataclass(frozen=True)
class Channels:
    """Where versions of a model are.

    Attributes:
        staging: that the next version is staged in.
        released: that the champion is released in; may be the same.
        is_copy: whether `released` is a copy, which has the files of the newest versions alone.
    """

    staging: Channel
    released: Channel
    is_copy: bool = False

    @property
    def _each(self) -> tuple[Channel, ...]:
        return (self.released,) if self.staging == self.released else (self.released, self.staging)

    def trained(self, name: str) -> Iterator[Trained]:
        """Yield the versions of a model that `retrain` made; raises as `trained_in`."""
        for channel in self._each:
            yield from trained_in(channel, name, partly=self.is_copy and channel == self.released)

    def taken(self, name: str) -> list[ModelVersion]:
        """Return every version of a model that was ever released or withdrawn, in order.

        Raises:
            ChannelError: a channel cannot be read.
        """
        found: set[ModelVersion] = set()
        for release in (channel.release() for channel in self._each):
            found |= {*release.models, *(one.model for one in release.withdrawn)}
        return sorted(model for model in found if model.name == name)


def open_channels(project: Project, settings: Settings) -> Channels:
    """Open the channels of a project; where it names a registry, fetch the newest release first.

    Raises:
        ChannelError: the project names no channel and no registry, or the folder is none.
        As `fetch`.
    """
    registry, own = project.gate.registry, None if project.channel is None else Channel.open(project.channel)
    if registry is None:
        if own is None:
            raise ChannelError(f"{project.path.name} names neither a channel nor a registry of its champion")
        return Channels(own, own)
    from sealift_pipeline.training.champions.fetching import fetch

    released = fetch(registry, project.name, settings.folder / FOLDER / project.name)
    return Channels(own or released, released, is_copy=True)
