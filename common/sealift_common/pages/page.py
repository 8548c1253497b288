"""A page for people, whole in one file: no script, no font, nothing from elsewhere, and a policy that says so.

It reads on a screen of any width, in the dark, and on A4 paper.
"""

from collections.abc import Iterable
from html import escape

from sealift_common.console import plain

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1c2127, #e4e7eb); --soft: light-dark(#5c6670, #9aa4ae);
  --line: light-dark(#d8dde2, #39424b); --paper: light-dark(#fff, #14181c); --mark: light-dark(#1f6feb, #6ea8fe);
  --good: light-dark(#1a7f37, #57c785); --bad: light-dark(#b42318, #ff8a7a); }
* { box-sizing: border-box }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem }
p { margin: .3rem 0 } .soft { color: var(--soft) } a { color: var(--mark) }
code { font-family: ui-monospace, monospace; font-size: .9em }
pre { margin: .3rem 0; padding: .6rem .8rem; border: 1px solid var(--line); white-space: pre-wrap;
  font: 12px/1.5 ui-monospace, monospace }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0 }
.facts div { min-width: 7rem } .facts span { display: block }
.facts b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td, th { overflow-wrap: break-word }
th { color: var(--soft); font-weight: 500 } td.number, th.number { text-align: right; white-space: nowrap }
td.word { white-space: nowrap } td.long { overflow-wrap: anywhere; min-width: 12ch; font-size: .9em }
table.even { table-layout: fixed } table.even td { white-space: normal; overflow-wrap: anywhere }
.good { color: var(--good) } .bad { color: var(--bad) }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem }
.charts .equal { flex-basis: 100% }
figure { margin: 0; max-width: 100% } figcaption { color: var(--soft) } svg { max-width: 100%; height: auto }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif } svg .axis { stroke: var(--line) }
svg circle, svg rect { fill: var(--mark); fill-opacity: .55 } svg .same { stroke: var(--soft); stroke-dasharray: 3 3 }
@media (max-width: 40rem) {
  body { margin: 1rem auto; font-size: 14px } th, td { padding-right: .5rem }
  .bars { overflow-x: auto } .bars svg { max-width: none }
}
@page { size: A4; margin: 16mm 14mm 18mm }
@media print {
  :root { color-scheme: light }
  body { margin: 0; max-width: none; padding: 0; font-size: 9.5pt }
  .wide { overflow: visible } a { color: inherit; text-decoration: none }
  h1, h2, h3 { break-after: avoid } h2 { margin-top: 1.4rem }
  tr, figure, .facts div { break-inside: avoid } thead { display: table-header-group }
  .facts b { font-size: 11pt } .charts { gap: .8rem } .charts figure { flex: 0 1 47% }
  svg circle, svg rect, .good, .bad { print-color-adjust: exact }
}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, body: Iterable[str]) -> str:
    """Return a page.

    Args:
        title: as text.
        body: as HTML.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(plain(title))}</title>"
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def line(value: object) -> str:
    """Return a text as one line of HTML, or as an attribute; control characters and marks of direction show as such."""
    return escape(plain(value))


def text(value: object) -> str:
    """Return a text as HTML in which a line that ends, ends."""
    return "<br>".join(map(line, str(value).split("\n")))


def facts(shown: Iterable[tuple[str, object]]) -> str:
    """Return names and values side by side."""
    return (
        '<div class="facts">'
        + "".join(f'<div><span class="soft">{text(name)}</span><b>{text(value)}</b></div>' for name, value in shown)
        + "</div>"
    )
