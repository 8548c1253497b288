"""`sealift-pipeline verify`: check the rows of a data snapshot, or the whole chain of a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift_common.console import print_json
from sealift_common.errors import UsageError
from sealift_common.files.secret_file import read_regular
from sealift_common.wording import counted, human
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from sealift_pipeline.snapshots.document import Snapshot
    from sealift_pipeline.snapshots.taking import Verified

_MOST_BYTES = 64 * 1024 + 1
_ROOT_BYTES = 5_000_000
# The first member of the tar.
_BUNDLE_START = b"oci-layout\0"


@click.command()
@click.argument("snapshot_file", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@pipeline_option
@click.option(
    "--root",
    "root_file",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    help="Of a bundle: the root of its channel, as an instance pins it [default: the one that the bundle brings].",
)
@json_option
def command(*, snapshot_file: Path, folder: Path, root_file: Path | None, as_json: bool) -> None:
    """Check each row of a data snapshot and the root over all, or the chain of a bundle down to them, without network.

    FILE is a data snapshot; a row that changed is named, exit 26. Or FILE is a bundle: its signatures and bytes, the
    proof of each version that `retrain` made, the digests of its model, run and data snapshot, and then each row.
    """
    settings = Settings.load(folder)
    if _is_bundle(snapshot_file):
        _chain(snapshot_file, settings, root_file, as_json=as_json)
        return
    if root_file is not None:
        raise UsageError("--root belongs to a bundle, and this is none")
    from sealift_pipeline.snapshots.document import Snapshot

    data, _ = read_regular(snapshot_file, _MOST_BYTES)
    snapshot = Snapshot.parse(data, snapshot_file.name)
    verified = _verified(settings, snapshot)
    if as_json:
        print_json({**snapshot.document(), "verified": verified.rows, "erased_now": verified.erased})
        return
    click.echo(f"{snapshot_file}: {_rows(snapshot, verified)}")


def _is_bundle(path: Path) -> bool:
    """Return whether this is a bundle by its beginning, or a part of one, or a folder of parts."""
    from sealift.bundle.parts import is_part

    return path.is_dir() or is_part(str(path)) or read_regular(path, len(_BUNDLE_START))[0] == _BUNDLE_START


def _verified(settings: Settings, snapshot: "Snapshot") -> "Verified":
    from sealift.cli.progress import bytes_bar
    from sealift_pipeline.snapshots.taking import verify
    from sealift_pipeline.table.delta import EventTable, files

    table = EventTable(settings.table_place, snapshot.kind).required()
    with bytes_bar(sum(size for *_, size in files(table)), "verifying") as progress:
        return verify(settings, snapshot, progress=progress)


def _rows(snapshot: "Snapshot", verified: "Verified") -> str:
    erased = (
        f"; of {counted(verified.erased, 'row')} that was erased the leaf holds"
        if verified.erased == 1
        else (f"; of {counted(verified.erased, 'row')} that were erased the leaves hold" if verified.erased else "")
    )
    return f"{counted(verified.rows, 'row')} of kind {snapshot.kind!r} as they were landed{erased}"


def _chain(bundle: Path, settings: Settings, root_file: Path | None, *, as_json: bool) -> None:
    from sealift.cli.progress import bytes_bar
    from sealift.inspection.opening import size_of
    from sealift_pipeline.training.chain.bundle import walk

    root = None if root_file is None else read_regular(root_file, _ROOT_BYTES)[0]
    with bytes_bar(size_of(str(bundle)), "verifying") as progress:
        walked = walk(bundle, root, progress=progress)
    release = walked.verified.release
    document: dict[str, Any] = {
        "channel": release.channel,
        "models": [],
        "others": list(walked.others),
        "pinned": root is not None,
        "release": release.number,
    }
    lines = [f"bundle: {release.channel} release {release.number}, every signature and every byte"]
    if root is None:
        lines.append("  by the root that it brings; give --root to check whose it is")
    for one in walked.linked:
        verified = _verified(settings, one.snapshot)
        lines += [
            f"{one.manifest.model}",
            f"  proof: model.json; model: {counted(len(one.run.files), 'converted file')}, {human(one.manifest.size)}",
            f"  run: {one.manifest.descriptor['revision']}",
            f"  data snapshot: {one.snapshot.digest}",
            f"  root: {_rows(one.snapshot, verified)}",
        ]
        document["models"].append(
            {
                "data_snapshot": one.snapshot.digest,
                "erased_now": verified.erased,
                "model": one.manifest.model.name,
                "root": one.snapshot.root,
                "run": one.manifest.descriptor["revision"],
                "verified": verified.rows,
                "version": str(one.manifest.model.version),
            }
        )
    lines += [f"{name}: not made by `retrain`; its chain ends at the proof" for name in walked.others]
    if as_json:
        print_json(document)
        return
    click.echo("\n".join(lines))
