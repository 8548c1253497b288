"""The documentation as HTML that a browser reads from a folder: links between pages work, nothing is fetched."""

import html
import posixpath
import re
from collections.abc import Mapping

from markdown_it import MarkdownIt
from markdown_it.token import Token

_STYLE = (
    "body{max-width:50rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 sans-serif}"
    "pre,code{font-family:monospace;background:#f2f2f2}pre{padding:.7rem;overflow:auto}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2rem .5rem;text-align:left;vertical-align:top}"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body>
<p><a href="{index}">Documentation of Sealift {version}</a></p>
{body}</body>
</html>
"""


def html_pages(pages: Mapping[str, str], version: str) -> dict[str, bytes]:
    """Return an HTML file for each Markdown page.

    Args:
        pages: path such as `how-to/load-a-model.md` to the page's Markdown text.
        version: of Sealift, for the first line of each page.
    """
    # The pages are our own, so the comment at the head of a generated one may pass as HTML.
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    return {_renamed(path): _page(markdown, path, text, pages, version) for path, text in pages.items()}


def _page(markdown: MarkdownIt, path: str, text: str, pages: Mapping[str, str], version: str) -> bytes:
    tokens = markdown.parse(text)
    title = path
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[place + 1].content
            token.attrSet("id", _anchor(heading))
            title = heading if token.tag == "h1" else title
        for child in token.children or []:
            if child.type == "link_open":
                _lead(child, path, pages)
    body = markdown.renderer.render(tokens, markdown.options, {})
    index = posixpath.relpath("index.html", posixpath.dirname(path) or ".")
    filled = _PAGE.format(title=html.escape(title), style=_STYLE, index=index, version=html.escape(version), body=body)
    return filled.encode("utf-8")


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
