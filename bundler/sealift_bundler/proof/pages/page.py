"""A page for people, whole in one file: no script, no font, nothing from elsewhere, and a policy that says so."""

from collections.abc import Iterable
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1c2127, #e4e7eb); --soft: light-dark(#5c6670, #9aa4ae);
  --line: light-dark(#d8dde2, #39424b); --paper: light-dark(#fff, #14181c); --mark: light-dark(#1f6feb, #6ea8fe);
  --good: light-dark(#1a7f37, #57c785); --bad: light-dark(#b42318, #ff8a7a); }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem }
p { margin: .3rem 0 } .soft { color: var(--soft) }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0 }
.facts div { min-width: 7rem } .facts b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 500 } td.number, th.number { text-align: right }
td { overflow-wrap: anywhere } .good { color: var(--good) } .bad { color: var(--bad) }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem }
.charts .equal { flex-basis: 100% }
figure { margin: 0 } figcaption { color: var(--soft) }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif } svg .axis { stroke: var(--line) }
svg circle, svg rect { fill: var(--mark); fill-opacity: .55 } svg .same { stroke: var(--soft); stroke-dasharray: 3 3 }
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
        f"<title>{escape(title)}</title>"
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )
