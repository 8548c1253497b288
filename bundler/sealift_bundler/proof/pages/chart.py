"""The charts of a report, as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_common.pages.page import line

_SIZE = 280
_MARGIN = 60
_MOST_POINTS = 1500
_BAR = 22
_LABELS = 150
_NOTES = 200
_NOTE_CHARS = 30


@dataclass(frozen=True)
class Points:
    """The original's numbers and the converted model's."""

    expected: NDArray[Any]
    got: NDArray[Any]


def scatter(name: str, points: Points, axes: tuple[str, str] = ("original", "converted")) -> str:
    """Draw the converted answers over the original ones; `axes` names both, the original first."""
    expected, got = points.expected.astype(np.float64), points.got.astype(np.float64)
    finite = np.isfinite(expected) & np.isfinite(got)
    expected, got = expected[finite], got[finite]
    if len(expected) > _MOST_POINTS:
        some = np.linspace(0, len(expected) - 1, _MOST_POINTS).astype(int)
        expected, got = expected[some], got[some]
    error = float(np.abs(expected - got).max(initial=0.0))
    caption = f"{line(name)}: {len(expected)} numbers, largest error {error:.3g}"
    if not len(expected):
        return f"<figure><figcaption>{caption}</figcaption></figure>"
    low = float(min(expected.min(), got.min()))
    high = float(max(expected.max(), got.max()))
    span = high - low or 1.0
    low, high = low - 0.03 * span, high + 0.03 * span
    end = _MARGIN + _SIZE

    def x(value: float) -> float:
        return round(_MARGIN + (value - low) / (high - low) * _SIZE, 1)

    def y(value: float) -> float:
        return round(end - 40 - (value - low) / (high - low) * _SIZE, 1)

    ticks = []
    for value in np.linspace(low + 0.03 * span, high - 0.03 * span, 3):
        label = f"{0.0 if abs(value) < 1e-4 * span else value:.3g}"
        ticks.append(f'<text x="{x(value)}" y="{end - 22}" text-anchor="middle">{label}</text>')
        ticks.append(f'<text x="{_MARGIN - 6}" y="{y(value) + 4}" text-anchor="end">{label}</text>')
    dots = "".join(f'<circle cx="{x(one)}" cy="{y(other)}" r="2.5"/>' for one, other in zip(expected, got, strict=True))
    return (
        f'<figure><svg width="{end + 12}" height="{end + 4}" viewBox="0 0 {end + 12} {end + 4}" role="img" '
        f'aria-label="{caption}">'
        f'<path class="axis" d="M{_MARGIN} {y(high)}V{y(low)}H{x(high)}" fill="none"/>'
        f'<line class="same" x1="{x(low)}" y1="{y(low)}" x2="{x(high)}" y2="{y(high)}"/>{dots}{"".join(ticks)}'
        f'<text x="{_MARGIN + _SIZE / 2}" y="{end - 4}" text-anchor="middle">{line(axes[0])}</text>'
        f'<text x="12" y="{_MARGIN + _SIZE / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {_MARGIN + _SIZE / 2})">{line(axes[1])}</text></svg>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def equal_line(name: str, same: int, of: int) -> str:
    """Say in place of a chart how many answers are equal that are not numbers."""
    return f'<p class="equal">{line(name)}: {same:,} of {of:,} equal</p>'


def bars(name: str, shares: Sequence[tuple[str, float, str]]) -> str:
    """Draw one bar for each name and its share, from 0 to 1; a note may follow the share."""
    height = _BAR * len(shares)
    drawn = []
    for place, (label, share, note) in enumerate(shares):
        middle = _BAR * place + _BAR / 2
        drawn.append(f'<text x="{_LABELS - 8}" y="{middle + 4}" text-anchor="end">{line(label)}</text>')
        drawn.append(f'<rect x="{_LABELS}" y="{middle - 7}" width="{round(_SIZE * share, 1)}" height="14"/>')
        drawn.append(
            f'<text x="{round(_LABELS + _SIZE * share + 6, 1)}" y="{middle + 4}">{share:.0%}{_short(note)}</text>'
        )
    width = _LABELS + _SIZE + 50 + (_NOTES if any(note for *_, note in shares) else 0)
    return (
        f'<figure class="bars"><svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{line(name)}"><path class="axis" d="M{_LABELS} 0V{height}" fill="none"/>{"".join(drawn)}</svg>'
        f"<figcaption>{line(name)}</figcaption></figure>"
    )


def _short(note: str) -> str:
    cut = note if len(note) <= _NOTE_CHARS else note[: _NOTE_CHARS - 1] + "…"
    return f" {line(cut)}" if note else ""
