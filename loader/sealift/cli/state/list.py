"""`sealift list`: the active models, or everything that is installed; as a page, the catalog."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import json_option, store_options
from sealift_common.clock import rfc3339
from sealift_common.columns import styled_table
from sealift_common.console import print_json
from sealift_common.wording import human

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealift.policy.mark import Mark
    from sealift.status.catalog import Entry
    from sealift.store import Store


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also list versions that are installed and not active.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write a catalog of everything that is installed as one page, with the cards, and with links to the dossiers "
    "that lie beside it.",
)
@store_options
@json_option
def command(everything: bool, html: Path | None, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """List the models that applications get, with version, size and digest, and how their approvals stand."""
    from sealift.status.catalog import catalog
    from sealift.store import Store
    from sealift_common.files.output import PAGE, require_place

    if html is not None:
        require_place(html, device=True, kind=PAGE)
    store = Store(store_path, trust=trust_path)
    entries = catalog(store, everything=everything)
    if html is not None:
        _write(html, store)
    if as_json:
        print_json([_document(entry, everything=everything) for entry in entries])
        return
    heads = ["model", "version", "size", "digest"]
    rows = [
        [
            entry.model.name,
            entry.model.version,
            "" if entry.manifest is None else human(entry.manifest.size),
            "" if entry.manifest is None else entry.manifest.digest[:19],
        ]
        for entry in entries
    ]
    if everything:
        heads.append("state")
        rows = [[*row, _state(entry)] for row, entry in zip(rows, entries, strict=True)]
    if any(str(entry.mark or "") for entry in entries):
        heads.append("reviews")
        rows = [[*row, str(entry.mark or "")] for row, entry in zip(rows, entries, strict=True)]
    click.echo(styled_table(rows, heads))


def _write(html: Path, store: "Store") -> None:
    from sealift.status.catalog import catalog
    from sealift.status.catalog_page import catalog_html, dossier_links
    from sealift_common.files.output import write

    entries, release = catalog(store, everything=True), store.release()
    page = catalog_html(
        entries,
        _cards(store, entries),
        dossier_links(entries, html.absolute().parent),
        channel=release.channel,
        release=release.number,
        released=release.released,
    )
    write(html, page.encode("utf-8"))


def _cards(store: "Store", entries: "Sequence[Entry]") -> dict[str, str]:
    """Read the cards; a damaged one is left to `sealift check`."""
    from sealift.errors import Error
    from sealift.store.contents.files import read_files

    found = {}
    for entry in entries:
        if entry.manifest is not None:
            try:
                data = read_files(store.layout, entry.manifest, ["CARD.md"]).get("CARD.md")
            except (Error, OSError):
                continue
            if data is not None:
                found[entry.model.reference] = data.decode("utf-8", "replace")
    return found


def _state(entry: "Entry") -> str:
    return f"{entry.state}: {entry.why}" if entry.why else entry.state


def _document(entry: "Entry", *, everything: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": entry.model.name,
        "version": str(entry.model.version),
        "size": None if entry.manifest is None else entry.manifest.size,
        "digest": None if entry.manifest is None else entry.manifest.digest,
        "path": str(entry.path),
        "review": _review(entry.mark),
    }
    return document | ({"state": entry.state, "why": entry.why or None} if everything else {})


def _review(found: "Mark | None") -> dict[str, str | None] | None:
    if found is None:
        return None
    return {"state": found.state, "until": None if found.until is None else rfc3339(found.until)}
