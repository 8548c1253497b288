"""The documentation as HTML that a browser reads from a folder: links and the search work, nothing is fetched."""

import html
import posixpath
import re
from collections.abc import Mapping

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sealift_bundler.kit.pages import search

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{max-width:50rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 sans-serif;overflow-wrap:break-word}"
    "pre,code{font-family:monospace;background:rgb(128 128 128/.15)}pre{padding:.7rem;overflow:auto}"
    "table{border-collapse:collapse;display:block;overflow:auto}"
    "td,th{border:1px solid #999;padding:.2rem .5rem;text-align:left;vertical-align:top}"
    "header{display:flex;flex-wrap:wrap;gap:1rem;justify-content:space-between;align-items:center}"
    "input[type=search]{font:inherit;width:16rem;max-width:100%}li{margin:.3rem 0}"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{style}</style></head>
<body>
<header><a href="{index}">Documentation of Sealift {version}</a>
<form action="{search}"><input type="search" name="q" placeholder="Search" aria-label="Search"></form></header>
{body}</body>
</html>
"""


def html_pages(pages: Mapping[str, str], version: str) -> dict[str, bytes]:
    """Return an HTML file for each Markdown page, and `search.html`, which finds the words of all of them.

    Args:
        pages: path such as `how-to/load-a-model.md` to the page's Markdown text.
        version: of Sealift, for the first line of each page.
    """
    # The pages are our own, so the comment at the head of a generated one may pass as HTML.
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    made, found = dict[str, bytes](), list[search.Section]()
    for path, text in pages.items():
        tokens = markdown.parse(text)
        title = _prepare(tokens, path, pages)
        up = posixpath.dirname(path) or "."
        filled = _PAGE.format(
            title=html.escape(title),
            style=_STYLE,
            index=posixpath.relpath("index.html", up),
            search=posixpath.relpath(search.NAME, up),
            version=html.escape(version),
            body=markdown.renderer.render(tokens, markdown.options, {}),
        )
        made[_renamed(path)] = filled.encode("utf-8")
        found += search.sections(_renamed(path), title, tokens)
    made[search.NAME] = search.search_page(found, version, _STYLE)
    return made


def _prepare(tokens: list[Token], path: str, pages: Mapping[str, str]) -> str:
    """Give headings their anchors, and links to pages their files; return the page's title."""
    title = path
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[place + 1].content
            token.attrSet("id", _anchor(heading))
            title = heading if token.tag == "h1" else title
        for child in token.children or []:
            if child.type == "link_open":
                _lead(child, path, pages)
    return title


def _lead(link: Token, path: str, pages: Mapping[str, str]) -> None:
    """Let a link to another page lead to that page's HTML."""
    target, hash_sign, anchor = str(link.attrGet("href")).partition("#")
    if posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) in pages:
        link.attrSet("href", _renamed(target) + hash_sign + anchor)


def _renamed(path: str) -> str:
    return path.removesuffix(".md") + ".html"


def _anchor(heading: str) -> str:
    """As GitLab makes it, so that links within a page keep working."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
