"""The catalog as one page: what is installed, with the cards, and with links to their files and to dossiers. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from sealift.status.catalog import ACTIVE, DAMAGED, WITHDRAWN, Entry
from sealift_common.console import plain
from sealift_common.pages.page import facts, line, page
from sealift_common.wording import human

_CARD_CHARS = 200_000


def catalog_html(
    entries: Sequence[Entry],
    cards: Mapping[str, str],
    dossiers: Mapping[str, str],
    *,
    channel: str,
    release: int,
    released: datetime,
) -> str:
    """Return the page.

    Args:
        entries: of `catalog`.
        cards: texts of CARD.md by `name:version`.
        dossiers: links to pages by `name:version`, relative to this page.
        channel: its name.
        release: the number of the newest bundle that was installed.
        released: when that was released (UTC).
    """
    active = sum(1 for entry in entries if entry.state == ACTIVE)
    body = [
        "<h1>Installed models</h1>",
        facts(
            [
                ("channel", channel),
                ("newest bundle installed", release),
                ("released", f"{released:%Y-%m-%d}"),
                ("active models", active),
            ]
        ),
        '<div class="wide"><table><thead><tr>'
        + "".join(f"<th>{head}</th>" for head in ("model", "version", "state", "size", "license", "look at", "digest"))
        + "</tr></thead><tbody>",
        *(_row(entry, cards, dossiers) for entry in entries),
        "</tbody></table></div>",
        *_cards(entries, cards),
    ]
    return page(f"Models of {channel}", body)


def _row(entry: Entry, cards: Mapping[str, str], dossiers: Mapping[str, str]) -> str:
    reference, manifest = entry.model.reference, entry.manifest
    bad = entry.state in (WITHDRAWN, DAMAGED)
    state = f"{entry.state}: {entry.why}" if entry.why else " ".join(filter(None, [entry.state, str(entry.mark or "")]))
    licenses = () if manifest is None else manifest.descriptor.get("licenses", ())
    looks = []
    if reference in cards:
        looks.append(_link(f"#{_anchor(entry)}", "card"))
        looks.append(_link((entry.path / "CARD.md").as_uri(), "its file"))
    if reference in dossiers:
        looks.append(_link(quote(dossiers[reference]), "dossier"))
    cells = [
        f"<td>{line(entry.model.name)}</td>",
        f'<td class="word">{line(entry.model.version)}</td>',
        f'<td class="{"bad" if bad else "good" if entry.state == ACTIVE else ""}">{line(state)}</td>',
        f'<td class="word">{"" if manifest is None else human(manifest.size)}</td>',
        f"<td>{line(', '.join(map(str, licenses)) or 'not stated')}</td>",
        f"<td>{', '.join(looks)}</td>",
        f'<td class="long">{"" if manifest is None else line(manifest.digest)}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _cards(entries: Sequence[Entry], cards: Mapping[str, str]) -> Iterator[str]:
    for entry in entries:
        card = cards.get(entry.model.reference)
        if card is not None:
            yield f'<h2 id="{_anchor(entry)}">{line(entry.model)}</h2>'
            shown = "\n".join(plain(one.replace("\t", "    ")) for one in card[:_CARD_CHARS].rstrip().split("\n"))
            yield f"<pre>{escape(shown)}</pre>"


def dossier_links(entries: Sequence[Entry], folder: Path) -> dict[str, str]:
    """Find the dossiers beside a page: those of `sealift-bundler dossier` are called `NAME@VERSION.html`."""
    names = {entry.model.reference: f"{entry.model.name}@{entry.model.version}.html" for entry in entries}
    return {reference: name for reference, name in names.items() if (folder / name).is_file()}


def _link(target: str, text: str) -> str:
    return f'<a href="{escape(target)}">{text}</a>'


def _anchor(entry: Entry) -> str:
    return escape(f"{entry.model.name}-{entry.model.version}")
