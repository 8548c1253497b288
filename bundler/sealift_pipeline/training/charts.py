"""The charts of a run's page, as inline SVG: scores of a search in order, and differences with their intervals."""

from collections.abc import Sequence
from typing import NamedTuple

from sealift_common.pages.page import line

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BELOW = 560, 200, 60, 12, 24
_ROW, _LABELS = 24, 220
_LABEL_CHARS = 34


class Difference(NamedTuple):
    """A difference of two shares with its interval, and what it is of."""

    name: str
    value: float
    low: float
    high: float


def history(metric: str, scores: Sequence[float]) -> str:
    """Draw the score of each trial in order, and the best so far as a line."""
    best = [max(scores[: place + 1]) for place in range(len(scores))]
    low, high = min(scores), max(scores)
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    inner, base = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _BELOW

    def x(place: int) -> float:
        return round(_LEFT + inner * (place + 0.5) / len(scores), 1)

    def y(value: float) -> float:
        return round(10 + (base - 20) * (1 - (value - low) / (high - low)), 1)

    dots = "".join(f'<circle cx="{x(place)}" cy="{y(one)}" r="3"/>' for place, one in enumerate(scores))
    steps = "L".join(f"{x(place)} {y(one)}" for place, one in enumerate(best))
    ticks = "".join(f'<text x="{_LEFT - 6}" y="{y(one) + 4}" text-anchor="end">{one:.4g}</text>' for one in {low, high})
    name = f"{metric} of {len(scores)} trials in order, the best so far as a line"
    return (
        f'<figure class="bars"><svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{line(name)}"><path class="axis" d="M{_LEFT} 4V{base}H{_WIDTH - _RIGHT}" fill="none"/>'
        f'<path class="same" d="M{steps}" fill="none"/>{dots}{ticks}'
        f'<text x="{x(0)}" y="{_HEIGHT - 8}" text-anchor="middle">0</text>'
        f'<text x="{x(len(scores) - 1)}" y="{_HEIGHT - 8}" text-anchor="middle">{len(scores) - 1}</text></svg>'
        f"<figcaption>{line(name)}</figcaption></figure>"
    )


def intervals(name: str, differences: Sequence[Difference], margin: float) -> str:
    """Draw each difference with its interval around 0; a dashed line stands at minus the margin."""
    reach = max([margin, *(max(abs(one.low), abs(one.high), abs(one.value)) for one in differences)]) * 1.1 or 1.0
    inner = _WIDTH - _LABELS - _RIGHT
    height = _ROW * len(differences) + _BELOW

    def x(value: float) -> float:
        return round(_LABELS + inner * (value + reach) / (2 * reach), 1)

    drawn = []
    for place, one in enumerate(differences):
        middle = _ROW * place + _ROW / 2
        short = one.name if len(one.name) <= _LABEL_CHARS else one.name[: _LABEL_CHARS - 1] + "…"
        drawn.append(f'<text x="{_LABELS - 8}" y="{middle + 4}" text-anchor="end">{line(short)}</text>')
        width = max(1.0, round(x(one.high) - x(one.low), 1))
        drawn.append(f'<rect x="{x(one.low)}" y="{middle - 3}" width="{width}" height="6"/>')
        drawn.append(f'<circle cx="{x(one.value)}" cy="{middle}" r="4"/>')
    base = height - _BELOW
    ticks = "".join(
        f'<text x="{x(one)}" y="{height - 8}" text-anchor="{anchor}">{one:+.1%}</text>'
        for one, anchor in ((-reach / 1.1, "start"), (0.0, "middle"), (reach / 1.1, "end"))
    )
    return (
        f'<figure class="bars"><svg width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{line(name)}"><path class="axis" d="M{x(0)} 0V{base}" fill="none"/>'
        f'<line class="same" x1="{x(-margin)}" y1="0" x2="{x(-margin)}" y2="{base}"/>{"".join(drawn)}{ticks}</svg>'
        f"<figcaption>{line(name)}</figcaption></figure>"
    )
