"""`sealift inspect`: what a bundle says of itself, before anybody trusts it."""

from pathlib import Path
from typing import Any

import click

from sealift.cli.options import access_options, bundle_argument, json_option
from sealift.cli.progress import human
from sealift_keys.console import print_json, table


@click.command("inspect")
@bundle_argument
@access_options
@json_option
def command(bundle: str, ca_file: Path | None, plain_http: bool, as_json: bool) -> None:
    """Show a bundle's models, sizes and signers by reading only its head. Checks damage, not trust."""
    from sealift.bundle.opening import open_bundle, size_of
    from sealift.bundle.reader import read_contents, read_head
    from sealift.inspect import claims
    from sealift.registry.access import Access

    size = size_of(bundle)
    with open_bundle(bundle, access=Access(ca_file, plain_http)) as source:
        head = read_head(source)
        claimed = claims(head)
        contents = read_contents(source, head, claimed.release.models)
    document = {
        "trusted": False,
        "channel": claimed.release.channel,
        "release": claimed.release.number,
        "released": f"{claimed.release.released:%Y-%m-%dT%H:%M:%SZ}",
        "root_fingerprint": claimed.root_fingerprint,
        "expires": claimed.expires,
        "signers": claimed.signers,
        "size": contents.size if size is None else size,
        "models": [
            {
                "name": m.model.name,
                "version": str(m.model.version),
                "title": m.descriptor.get("title", ""),
                "licenses": m.descriptor.get("licenses", []),
                "size": m.size,
                "digest": m.digest,
                "files": [{"name": f.name, "size": f.plain.size, "compressed_size": f.blob.size} for f in m.files],
            }
            for m in contents.manifests
        ],
        "withdrawn": [{"model": w.model.reference, "reason": w.reason, "at": w.at} for w in claimed.release.withdrawn],
    }
    if as_json:
        print_json(document)
    else:
        _print(document)


def _print(document: dict[str, Any]) -> None:
    what = f"{document['channel']} release {document['release']}"
    click.echo(f"{what}, released {document['released']}, {human(document['size'])}")
    click.echo(f"root fingerprint  {document['root_fingerprint']}")
    for role, names in document["signers"].items():
        click.echo(f"{role:<10} signed by {', '.join(names) or 'nobody'}; expires {document['expires'][role]}")
    click.echo()
    rows = [
        [m["name"], m["version"], human(m["size"]), len(m["files"]), ", ".join(m["licenses"]), m["title"]]
        for m in document["models"]
    ]
    click.echo(table(rows, ["model", "version", "size", "files", "licenses", "title"]))
    for withdrawal in document["withdrawn"]:
        click.echo(f"withdrawn {withdrawal['model']}: {withdrawal['reason']!r}")
    click.echo()
    click.echo("This is what the bundle says of itself. `sealift verify` tells whether it is true.")
