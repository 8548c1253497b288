"""The parity scatter of a report, as inline SVG."""

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIZE = 280
_MARGIN = 60
_MOST_POINTS = 1500


@dataclass(frozen=True)
class Points:
    """The original's numbers and the converted model's."""

    expected: NDArray[Any]
    got: NDArray[Any]


def scatter(name: str, points: Points) -> str:
    """Draw the converted answers over the original ones."""
    expected, got = points.expected.astype(np.float64), points.got.astype(np.float64)
    finite = np.isfinite(expected) & np.isfinite(got)
    expected, got = expected[finite], got[finite]
    if len(expected) > _MOST_POINTS:
        some = np.linspace(0, len(expected) - 1, _MOST_POINTS).astype(int)
        expected, got = expected[some], got[some]
    error = float(np.abs(expected - got).max(initial=0.0))
    caption = f"{escape(name)}: {len(expected)} numbers, largest error {error:.3g}"
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
        f'<text x="{_MARGIN + _SIZE / 2}" y="{end - 4}" text-anchor="middle">original</text>'
        f'<text x="12" y="{_MARGIN + _SIZE / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {_MARGIN + _SIZE / 2})">converted</text></svg>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
