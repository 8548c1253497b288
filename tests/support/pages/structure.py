"""What a page is made of, as a parser of HTML sees it: tags that do not close, references, scripts, texts."""

import re
from html.parser import HTMLParser

_VOID = {"meta", "br", "img", "link", "base", "hr", "input"}
_REFERENCES = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "formaction", "background"}


class Structure(HTMLParser):
    """A page that was parsed.

    Attributes:
        problems: in words; none for a page that is whole, and fetches and runs nothing.
        headings: texts of `h2`.
        links: to other pages beside it.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.tags: set[str] = set()
        self.headings: list[str] = []
        self.links: list[str] = []
        self.cells: list[str] = []
        self.style = self.policy = self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        if self._open:
            self.problems.append(f"not closed: {self._open}")
        if re.search(r"url\(|@import|expression\(", self.style):
            self.problems.append("the style fetches something")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on") or (name == "style"):
                self.problems.append(f"<{tag} {name}>")
            if name in _REFERENCES:
                self._refer(tag, value or "")
        found = dict(attrs)
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found.get("content") or ""
        if tag == "h2":
            self.headings.append("")
        if tag == "td":
            self.cells.append("")
        if tag not in _VOID and tag not in ("path", "line", "rect", "circle"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.problems += [f"<{tag} {name}>" for name, _ in attrs if name.startswith("on") or name in _REFERENCES]

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> out of place")

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "style":
            self.style += data
            return
        self.text += data
        if "h2" in self._open:
            self.headings[-1] += data
        if "td" in self._open:
            self.cells[-1] += data

    def _refer(self, tag: str, value: str) -> None:
        if tag == "a" and re.fullmatch(r"[a-z0-9][A-Za-z0-9._%+-]*\.html", value):
            self.links.append(value)
        else:
            self.problems.append(f"<{tag}> refers to {value[:80]!r}")
