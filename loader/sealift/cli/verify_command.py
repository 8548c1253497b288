"""`sealift verify`: would this bundle be accepted here? Changes nothing."""

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from sealift.cli.options import bundle_argument, json_option, store_options, tmpdir_option
from sealift.cli.progress import bytes_bar, human
from sealift_keys.console import print_json, table


@click.command("verify")
@bundle_argument
@store_options
@tmpdir_option
@json_option
def command(bundle: str, store_path: Path, trust_path: Path, tmpdir: Path | None, as_json: bool) -> None:
    """Check every signature and every byte of a bundle against what is trusted and installed here."""
    from sealift.bundle.archive import Archive, open_regular
    from sealift.store import Store
    from sealift.trust import pin
    from sealift.verify import verify_head, verify_payload

    store = Store(store_path, trust=trust_path)
    with open_regular(bundle) as file, TemporaryDirectory(dir=tmpdir, prefix="sealift-verify-") as scratch:
        size = os.fstat(file.fileno()).st_size
        with bytes_bar(size, "verifying") as progress:
            archive = Archive(file, progress)
            pinned = pin.read(trust_path)
            state = store.trust_state()
            state.copy_to(Path(scratch))
            verified = verify_head(archive, pinned, Path(scratch), state.read_floor(), now=datetime.now(UTC))
            verify_payload(archive, verified)
    release = verified.release
    if as_json:
        print_json(
            {
                "verdict": "accepted",
                "channel": release.channel,
                "release": release.number,
                "released": f"{release.released:%Y-%m-%dT%H:%M:%SZ}",
                "size": size,
                "signers": {role: list(names) for role, names in verified.signers.items()},
                "models": [
                    {"name": m.model.name, "version": str(m.model.version), "digest": m.digest, "size": m.size}
                    for m in verified.contents.manifests
                ],
            }
        )
        return
    rows = [[m.model.name, m.model.version, human(m.size), m.digest[:19]] for m in verified.contents.manifests]
    click.echo(table(rows, ["model", "version", "size", "digest"]))
    click.echo()
    what = f"{release.channel} release {release.number}, {human(size)}"
    click.echo(f"accepted: {what}, signed by {', '.join(verified.signers['targets'])}; every byte was checked")
