"""Two models on the same rows: which of them is better, and whether that can be chance. Pure.

The paired bootstrap (Efron, 1979) draws rows with replacement and gives an interval of the difference. A second test
asks how often the difference is that large where rows fall to either model alike: McNemar's (1947), exact, for right
answers; for every other metric the exchange of both models' answers, row by row (Noreen, 1989). Both are asked: four
rows that differ are "better" by the bootstrap alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
SEED = 20_261_130
# Ends of the interval that holds 95 % of the draws.
_ENDS = (2.5, 97.5)
# Numbers that are drawn at a time, which bounds memory, and in all, which takes some seconds; and the fewest draws.
_AT_A_TIME, _MOST_NUMBERS, _FEWEST_DRAWS = 2_000_000, 50_000_000, 1_000


@dataclass(frozen=True)
class Comparison:
    """What two models did on the same rows.

    Attributes:
        rows: how many there are.
        challenger: what the metric says of the challenger.
        champion: the same of the champion.
        difference: by how much the challenger is better, -1 to 1; see `metrics`.
        gained: rows on which the challenger alone is right, or nearer to the label.
        lost: rows on which the champion alone is.
        low: lower end of the 95 % interval of the difference, by the paired bootstrap.
        high: its upper end.
        p_value: of the second test, two-sided.
    """

    rows: int
    challenger: float
    champion: float
    difference: float
    gained: int
    lost: int
    low: float
    high: float
    p_value: float

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Pairs(Protocol):
    """What two models answered on the same rows, with the labels, as a metric looks at it."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    def chosen(self, mask: NDArray[np.bool_]) -> "Pairs":
        """Return the rows where `mask`, of shape [rows], is true."""

    def compared(self) -> Comparison:
        """Compare both models; there is at least one row."""


@dataclass(frozen=True)
class Rights:
    """Which rows each model answers right, for the metric `accuracy`; both of shape [rows].

    Only rows matter that one model answers right and the other wrong. Because a row counts -1, 0 or 1, a draw of the
    bootstrap is one multinomial draw of three counts.
    """

    challenger: NDArray[np.bool_]
    champion: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.challenger.size)

    def chosen(self, mask: NDArray[np.bool_]) -> "Rights":
        """Return the rows where `mask`, of shape [rows], is true."""
        return Rights(self.challenger[mask], self.champion[mask])

    def compared(self) -> Comparison:
        """Compare both models by the share of right answers."""
        rows, gained, lost = self.rows, *one_sided(self.challenger, self.champion)
        shares = [gained / rows, lost / rows, (rows - gained - lost) / rows]
        drawn = np.random.default_rng(SEED).multinomial(rows, shares, size=DRAWS)
        low, high = interval((drawn[:, 0] - drawn[:, 1]) / rows)
        return Comparison(
            rows=rows,
            challenger=float(self.challenger.mean()),
            champion=float(self.champion.mean()),
            difference=(gained - lost) / rows,
            gained=gained,
            lost=lost,
            low=low,
            high=high,
            p_value=exact_mcnemar(gained, lost),
        )


def one_sided(challenger: NDArray[np.bool_], champion: NDArray[np.bool_]) -> tuple[int, int]:
    """Return on how many rows the challenger alone is right, and on how many the champion alone."""
    return int((challenger & ~champion).sum()), int((champion & ~challenger).sum())


def interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends between which 95 % of the draws lie."""
    low, high = np.percentile(drawn, _ENDS)
    return float(low), float(high)


def share_as_large(exchanged: NDArray[np.float64], difference: float) -> float:
    """Return the p-value of a difference, two-sided, by what came out where answers were exchanged."""
    # Sums in another order differ in the last bits.
    as_large = int((np.abs(exchanged) >= abs(difference) - 1e-12).sum())
    return (1 + as_large) / (1 + exchanged.size)


def batches(width: int, draws: int) -> Iterator[int]:
    """Yield how many draws to make at a time, where each is of `width` numbers; fewer in all where that is many."""
    left = max(_FEWEST_DRAWS, min(draws, _MOST_NUMBERS // max(1, width))) if draws > _FEWEST_DRAWS else draws
    at_a_time = max(1, _AT_A_TIME // max(1, width))
    while left > 0:
        yield min(left, at_a_time)
        left -= at_a_time


def exact_mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value that rows which differ fall to either model alike."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
