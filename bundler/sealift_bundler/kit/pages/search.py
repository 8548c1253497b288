"""A search over the documentation that works from files: one page with the text of every section and a small script."""

import base64
import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from markdown_it.token import Token

_SCRIPT = Path(__file__).with_name("search.js")
NAME = "search.html"
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src {digest}">
<title>Search</title><style>{style}</style></head>
<body>
<p><a href="index.html">Documentation of Sealift {version}</a></p>
<h1>Search</h1>
<form><input type="search" id="q" name="q" aria-label="Words to look for" autocomplete="off"></form>
<p id="said" role="status"></p>
<ol id="found"></ol>
<noscript><p>The search needs JavaScript. The <a href="index.html">index</a> lists every page.</p></noscript>
<script type="application/json" id="sections">{sections}</script>
<script>{script}</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Section:
    """What stands below one heading of a page.

    Attributes:
        href: relative to the folder of all pages, with the heading's anchor.
        title: of the page.
        heading: empty before the first one below the title.
        text: without markup, in one line.
    """

    href: str
    title: str
    heading: str
    text: str


def sections(href: str, title: str, tokens: Iterable[Token]) -> list[Section]:
    """Divide a parsed page at its headings, whose tokens have their anchor as `id`."""
    found: list[Section] = []
    here, heading, words = href, "", list[str]()
    in_heading = False
    for token in tokens:
        if token.type == "heading_open" and token.tag != "h1":
            found.append(Section(here, title, heading, _line(words)))
            here, heading, words = f"{href}#{token.attrGet('id')}", "", []
        if token.type in ("heading_open", "heading_close"):
            in_heading = token.type == "heading_open"
        elif token.type == "inline" and in_heading:
            heading = _plain(token) if "#" in here else ""
        elif token.type == "inline":
            words.append(_plain(token))
        elif token.type in ("fence", "code_block"):
            words.append(token.content)
    found.append(Section(here, title, heading, _line(words)))
    return [one for one in found if one.heading or one.text]


def search_page(found: Iterable[Section], version: str, style: str) -> bytes:
    """Return the page of the search, which runs its own script alone and fetches nothing.

    Args:
        version: of Sealift.
        style: of every page.
    """
    script = "\n" + _SCRIPT.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()
    # In a script, only "</script" and "<!--" end or change what a browser reads.
    data = json.dumps([asdict(one) for one in found], ensure_ascii=False).replace("<", "\\u003c")
    filled = _PAGE.format(
        digest=f"'sha256-{digest}'", style=style, version=html.escape(version), sections=data, script=script
    )
    return filled.encode("utf-8")


def _plain(token: Token) -> str:
    kept = ("text", "code_inline", "softbreak", "hardbreak")
    return "".join(child.content or " " for child in token.children or [] if child.type in kept)


def _line(words: Iterable[str]) -> str:
    return " ".join(" ".join(words).split())
