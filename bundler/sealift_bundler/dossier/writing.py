"""Write dossiers into a folder: a page for each version, and for a whole release an index of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sealift.model.trial.process import SelfTestProcess
from sealift_bundler.dossier.gathering import gather
from sealift_bundler.dossier.page import dossier_html
from sealift_bundler.dossier.replaying import replay
from sealift_bundler.release.preview_page import preview_html
from sealift_common.contents.summary import Summary
from sealift_common.errors import UsageError
from sealift_common.files.output import PAGE, require_place, write
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel

INDEX = "index.html"


class Dossier(NamedTuple):
    """A page that was written, about a version of this digest; `missing` keeps it from being released."""

    model: ModelVersion
    digest: str
    path: Path
    missing: tuple[str, ...]
    problem: str


def file_name(model: ModelVersion) -> str:
    """Return the name of a version's page; no name or version holds an `@`, and none is `index.html`."""
    return f"{model.name}@{model.version}.html"


def write_dossiers(
    channel: Channel, models: Sequence[ModelVersion], folder: Path, summary: Summary | None = None
) -> list[Dossier]:
    """Write the pages of some versions, one after another; what was written before is replaced.

    Args:
        folder: is made if it is not there.
        summary: of the release, for an index of the pages.

    Raises:
        UsageError: a page cannot be written there.
        ChannelError: the channel has no such version, or lacks its files.
        DigestError, MalformedError, LimitError, UnsafeMemberError, UnsupportedVersionError: as `gather`.
    """
    _require_folder(folder)
    places = {model: folder / file_name(model) for model in models}
    for path in (*places.values(), *([folder / INDEX] if summary is not None else [])):
        require_place(path, kind=PAGE)
    found = []
    with SelfTestProcess() as process:
        for model, path in places.items():
            version = gather(channel, model)
            replayed = replay(process, version, channel.blobs_dir)
            write(path, dossier_html(version, replayed).encode("utf-8"))
            digest = version.contents.manifest.digest
            found.append(Dossier(model, digest, path, version.approval.missing, replayed.problem))
    if summary is not None:
        links = {model: quote(file_name(model)) for model in places}
        write(folder / INDEX, preview_html(summary, links).encode("utf-8"))
    return found


def _require_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise UsageError(f"output {str(folder)!r} is not a folder; name another, or remove it") from None
