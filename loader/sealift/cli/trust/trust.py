"""`sealift trust init` and `sealift trust show`."""

from pathlib import Path
from typing import Any

import click

from sealift.cli.options import json_option, store_options, trust_option
from sealift_common.columns import table
from sealift_common.console import print_json
from sealift_common.fingerprint import grouped, of_bytes


@click.group("trust")
def command() -> None:
    """Decide and show whose models may run here."""


@command.command("init")
@click.argument("root", metavar="ROOT.json", type=click.Path(path_type=Path, readable=False))
@trust_option
@json_option
def init(root: Path, trust_path: Path, as_json: bool) -> None:
    """Pin a channel's root. Compare the fingerprint with the one published elsewhere."""
    from sealift.store.contents.layout import default_store
    from sealift.trust import pin
    from sealift_common.metadata.release_document import channel_of

    data = pin.read_given(root)
    again = (trust_path / pin.FILE_NAME).exists()
    parsed = pin.pin(trust_path, data, default_store())
    fingerprint = grouped(of_bytes(data))
    if as_json:
        print_json({"channel": channel_of(parsed), "fingerprint": fingerprint, "root_version": parsed.version})
        return
    verb = "this root is pinned already: that" if again else "pinned the root"
    click.echo(f"{verb} of channel {channel_of(parsed)!r} in {trust_path / pin.FILE_NAME}")
    click.echo(f"fingerprint: {fingerprint}")
    if parsed.version > 1:
        click.echo(
            f"note: this is root {parsed.version}, not the first; the fingerprint that owners publish is that of "
            "root 1, 1.root.json",
            err=True,
        )
    if again:
        return
    click.echo("Compare it, group by group, with the one that the channel's owners publish. If it differs,")
    click.echo(f"remove {trust_path / pin.FILE_NAME} and do not install anything from this channel.")
    click.echo("next: sealift verify FILE, then sealift install FILE")


@command.command("show")
@store_options
@json_option
def show(store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Show what is pinned, who may sign, and what was accepted so far."""
    from sealift.store import Store
    from sealift.trust import pin

    data = pin.read(trust_path, store_path)
    store = Store(store_path, trust=trust_path)
    document = trust_document(data, store)
    if as_json:
        print_json(document)
        return
    click.echo(f"channel      {document['channel']}")
    click.echo(f"pinned root  version {document['pinned_version']}, in {trust_path / pin.FILE_NAME}")
    click.echo(f"fingerprint  {document['fingerprint']}")
    click.echo(f"newest root  version {document['root_version']}")
    click.echo()
    rows = [
        [
            role,
            f"{fields['threshold']} of {len(fields['keys'])}",
            ", ".join(fields["keys"]),
            fields["accepted"] or "none yet",
        ]
        for role, fields in document["roles"].items()
    ]
    click.echo(table(rows, ["role", "needs", "keys", "accepted version"]))
    click.echo()
    click.echo(document["summary"])


def trust_document(data: bytes, store: Any) -> dict[str, Any]:
    """Return what `sealift trust show --json` prints of a pinned root and a store."""
    from sealift.trust import pin
    from sealift.trust.chain import verify_targets
    from sealift_common.metadata.release_document import channel_of, key_name

    root = pinned = pin.parse_root(data)
    state = store.trust_state()
    floor = state.read_floor()
    if floor is not None:
        root, _ = verify_targets(data, state.read_root, state.read_targets())
    summary = (
        f"No bundle was accepted yet; the next one must descend from root version {pinned.version}."
        if floor is None
        else f"Release {floor.targets} was accepted; older ones are refused. "
        f"No time before {floor.time:%Y-%m-%d %H:%M} UTC is believed, whatever the clock says."
    )
    return {
        "channel": channel_of(root),
        "fingerprint": grouped(of_bytes(data)),
        "pinned_version": pinned.version,
        "root_version": root.version,
        "root_expires": f"{root.expires:%Y-%m-%dT%H:%M:%SZ}",
        "roles": {
            name: {
                "threshold": role.threshold,
                "keys": sorted(key_name(root.keys[keyid]) for keyid in role.keyids),
                "accepted": getattr(floor, name, None),
            }
            for name, role in root.roles.items()
        },
        "time_floor": None if floor is None else f"{floor.time:%Y-%m-%dT%H:%M:%SZ}",
        "summary": summary,
    }
