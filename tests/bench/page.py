"""Write what was seen into `docs/explanation/performance.md`, and draw the plot next to it."""

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.promises import Promise, shown

DOCS = Path(__file__).resolve().parents[2] / "docs" / "explanation"
PAGE, PLOT = DOCS / "performance.md", DOCS / "performance.svg"
# Lines of the table that begin the page, by how they begin: the words for what was seen, and those of the two bars.
_FIRST = {
    "cold process, 1 KB pipeline, first answer: onnxruntime": (
        "A process that starts, loads a small model and answers once takes {} times as long as with ONNX Runtime alone.",
        "Start, load and answer once",
        "ONNX Runtime alone",
    ),
    "91 MB encoder, theirs in one file: load": (
        "Loading a text encoder of 91 MB, every byte hashed, takes {} times as long as ONNX Runtime takes to load it.",
        "Load a text encoder of 91 MB",
        "ONNX Runtime alone",
    ),
    "100,000 rows, forest, ready array": (
        "Once a model is loaded, an answer to many rows takes {} times as long as `session.run` on the same rows.",
        "Answer 100,000 rows of a forest",
        "session.run",
    ),
    "verify 1 GB: ": (
        "`sealift verify` of a bundle of 1 GB takes {} times as long as `sha256sum`, with all signatures and documents.",
        "Verify a bundle of 1 GB",
        "sha256sum",
    ),
    "install 1 GB: ": (
        "`sealift install` of 1 GB, self-test included, takes {} times as long as `tar`, `sha256sum` and `sync`.",
        "Install a bundle of 1 GB",
        "tar, sha256sum and sync",
    ),
}
_ROW, _BAR, _LEFT, _WIDTH = 64, 18, 10, 700


def write(promises: list[Promise], machine: str, rounds: int, minutes: float) -> None:
    """Put the table between the marks of the page, and write the plot anew."""
    first = "\n".join(f"- {text.format(shown(seen))}" for text, _, _, seen in _first(promises))
    found = (
        f"{machine}. Medians of {rounds} rounds; the whole run took {minutes:.0f} minutes.\n\n"
        "| ours: compared with | seen | promise | aim |\n|---|---|---|---|\n" + "\n".join(map(_line, promises))
    )
    text = PAGE.read_text("utf-8")
    for mark, made in (("lines", first), ("table", found)):
        begin, end = f"<!-- {mark}, written by make bench -->", f"<!-- end of {mark} -->"
        pattern = f"{re.escape(begin)}.*{re.escape(end)}"
        text = re.sub(pattern, f"{begin}\n\n{made}\n\n{end}".replace("\\", r"\\"), text, flags=re.DOTALL)
    PAGE.write_text(text, "utf-8")
    PLOT.write_text(plot(promises), "utf-8")


def _line(promise: Promise) -> str:
    sign = "≥" if promise.at_least else "≤"
    broken = "" if promise.kept else " (missed)"
    return (
        f"| {promise.what} | {shown(promise.seen)}{broken} | {sign} {shown(promise.promised)} | {shown(promise.aim)} |"
    )


def _first(promises: Iterable[Promise]) -> list[tuple[str, str, str, float]]:
    return [
        (*words, promise.seen)
        for begin, words in _FIRST.items()
        for promise in promises
        if promise.what.startswith(begin)
    ]


def plot(promises: Sequence[Promise]) -> str:
    """Draw two bars for each of the first lines: ours, and what it is compared with, which has the length 1."""
    rows = _first(promises)
    longest = max([1.0, *(seen for *_, seen in rows)])
    unit = (_WIDTH - 2 * _LEFT - 60) / longest
    height = _ROW * len(rows) + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" font-size="13"'
        f' width="{_WIDTH}" height="{height}" font-family="sans-serif">'
    )
    parts = [
        head,
        "<title>What it costs to verify, beside what the same takes without</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for place, (_, ours, theirs, seen) in enumerate(rows):
        top = place * _ROW + 8
        parts += [
            f'<text x="{_LEFT}" y="{top + 10}" fill="#222">{html.escape(ours)}, beside {html.escape(theirs)}</text>',
            _bar(top + 16, unit * seen, "#1f6feb", shown(seen)),
            _bar(top + 16 + _BAR, unit, "#999", "1"),
        ]
    return "\n".join([*parts, "</svg>", ""])


def _bar(top: float, width: float, color: str, label: str) -> str:
    return (
        f'<rect x="{_LEFT}" y="{top:.0f}" width="{width:.0f}" height="{_BAR - 4}" fill="{color}"/>'
        f'<text x="{_LEFT + width + 6:.0f}" y="{top + _BAR - 7:.0f}" fill="#222">{label}</text>'
    )
