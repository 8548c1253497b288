"""`sealift inspect`: what a bundle says of itself, before anybody trusts it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import access_options, bundle_argument, json_option, store_options
from sealift_common.columns import table
from sealift_common.console import plain, print_json
from sealift_common.oci.provenance import Provenance
from sealift_common.wording import human, spaced

if TYPE_CHECKING:
    from sealift.inspection.outline import Outline
    from sealift.registry.access import Access
    from sealift_common.names import ModelVersion


@click.command("inspect")
@bundle_argument
@click.option(
    "--base",
    metavar="FILE",
    type=click.Path(readable=False),
    default=None,
    help="Show what is new compared with this bundle [default: with the store, if it can be read].",
)
@click.option("--cards", is_flag=True, help="Print the card of every model.")
@store_options
@access_options
@json_option
def command(
    bundle: tuple[str, ...],
    base: str | None,
    cards: bool,
    store_path: Path,
    trust_path: Path,
    ca_file: Path | None,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Show a bundle's models, sizes and signers, and what is new, from its head alone. Checks for damage, not trust.

    FILE is a bundle, or parts of one from the first on, or directories that hold them. ADDRESS is a release in a
    registry.
    """
    from sealift.inspection.outline import CARD_FILE, read_outline
    from sealift.registry.access import Access

    access = Access(ca_file, plain_http)
    outline = read_outline(bundle, document=CARD_FILE if cards else None, access=access)
    compared, known = _base_of_store(store_path, trust_path) if base is None else _base_of_bundle(base, access)
    document = _document(outline, compared, known, cards=cards)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _base_of_bundle(path: str, access: "Access") -> "tuple[dict[str, Any], dict[ModelVersion, str]]":
    from sealift.inspection.outline import read_outline

    outline = read_outline(path, access=access)
    known = {manifest.model: manifest.digest for manifest in outline.manifests}
    return {"bundle": path, "release": outline.claims.release.number}, known


def _base_of_store(store_path: Path, trust_path: Path) -> "tuple[dict[str, Any] | None, dict[ModelVersion, str]]":
    """Compare with the active generation; a machine without a store, or with a damaged one, can look all the same."""
    from sealift.errors import Error
    from sealift.store import Store

    try:
        generation, release = Store(store_path, trust=trust_path).moment()
    except (Error, OSError):
        return None, {}
    # A version that was withdrawn is listed no longer, and still active.
    known = {m: release.models[m].digest if m in release.models else "" for m in generation.models.values()}
    return {"generation": generation.number, "release": generation.release}, known


def _document(
    outline: "Outline", base: dict[str, Any] | None, known: "dict[ModelVersion, str]", *, cards: bool
) -> dict[str, Any]:
    from sealift.inspection.difference import kind_of
    from sealift_common.oci.manifest import oldest_reader

    release = outline.claims.release
    names = {manifest.model.name for manifest in outline.manifests}
    models = []
    for manifest in outline.manifests:
        model: dict[str, Any] = {
            "name": manifest.model.name,
            "version": str(manifest.model.version),
            "title": manifest.descriptor.get("title", ""),
            "licenses": manifest.descriptor.get("licenses", []),
            "size": manifest.size,
            "digest": manifest.digest,
            "reader": manifest.reader,
            "provenance": None if manifest.provenance is None else manifest.provenance.document(),
            "files": [{"name": f.name, "size": f.plain.size, "compressed_size": f.blob.size} for f in manifest.files],
            "news": None if base is None else kind_of(manifest.model, manifest.digest, known),
        }
        if cards:
            model["card"] = outline.documents.get(manifest.model, b"").decode("utf-8", "replace")
        models.append(model)
    return {
        "trusted": False,
        "channel": release.channel,
        "release": release.number,
        "released": f"{release.released:%Y-%m-%dT%H:%M:%SZ}",
        "root_fingerprint": outline.claims.root_fingerprint,
        "expires": outline.claims.expires,
        "signers": outline.claims.signers,
        "size": outline.size,
        "reader": oldest_reader(outline.manifests),
        "base": base,
        "builds_on": None if outline.base is None else {"release": outline.base.release, "digest": outline.base.digest},
        "models": models,
        "not_carried": sorted(model.reference for model in known if model.name not in names),
        "withdrawn": [{"model": w.model.reference, "reason": w.reason, "at": w.at} for w in release.withdrawn],
    }


def _print(document: dict[str, Any]) -> None:
    what = f"{document['channel']} release {document['release']}"
    click.echo(f"{what}, released {document['released']}, {human(document['size'])}")
    click.echo(f"root fingerprint  {document['root_fingerprint']}")
    for role, names in document["signers"].items():
        signed = f"signed by {', '.join(names) or 'nobody'}; expires {document['expires'][role]}"
        click.echo(plain(f"{role:<10} {signed}"))
    if document["builds_on"] is not None:
        needed = document["builds_on"]["release"]
        click.echo(f"builds on  release {needed}: only instances that have its files can install this bundle")
    click.echo(f"readable by Sealift {document['reader']} and newer")
    base = document["base"]
    if base is not None:
        place = f"generation {base['generation']} of the store" if "generation" in base else repr(base["bundle"])
        click.echo(f"news       against {place}, release {base['release']}")
    click.echo()
    headings = ["model", "version", "size", "files", "licenses", "title"]
    rows = [
        [m["name"], m["version"], human(m["size"]), len(m["files"]), ", ".join(m["licenses"]), m["title"]]
        for m in document["models"]
    ]
    if base is not None:
        headings.insert(2, "news")
        for row, model in zip(rows, document["models"], strict=True):
            row.insert(2, model["news"])
    click.echo(table(rows, headings))
    _print_provenance(document["models"])
    for reference in document["not_carried"]:
        click.echo(f"not carried: {spaced(reference)}")
    for withdrawal in document["withdrawn"]:
        click.echo(plain(f"withdrawn {spaced(withdrawal['model'])}: {withdrawal['reason']!r}"))
    _print_cards(document["models"])
    click.echo()
    click.echo("This is what the bundle says of itself. `sealift verify` shows whether it is true.")


def _print_provenance(models: list[dict[str, Any]]) -> None:
    for model in models:
        for line in Provenance(**model["provenance"]).lines() if model["provenance"] else ():
            click.echo(plain(f"{model['name']} {model['version']}: {line}"))


def _print_cards(models: list[dict[str, Any]]) -> None:
    for model in models:
        if "card" in model:
            click.echo(f"\n--- card of {model['name']} {model['version']}{'' if model['card'] else ': none'}")
            card = model["card"].rstrip()
            for line in card.split("\n") if card else ():
                click.echo(plain(line.replace("\t", "    ")))
