"""Two models on the same rows: which of them is right more often, and whether that can be chance. Pure.

Only rows matter that one model answers right and the other wrong. The paired bootstrap (Efron, 1979) draws rows with
replacement, 10,000 times; because a row counts -1, 0 or 1, a draw is one multinomial draw of three counts. McNemar's
test (1947) is the exact one: a binomial test of the rows that differ. Both are asked: four rows that differ are
"better" by the bootstrap alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DRAWS = 10_000
# Ends of the interval that holds 95 % of the draws.
_ENDS = (2.5, 97.5)
_SEED = 20_261_130


@dataclass(frozen=True)
class Comparison:
    """What two models did on the same rows.

    Attributes:
        rows: how many there are.
        challenger: share of them that the challenger answers right, 0 to 1.
        champion: the same of the champion.
        gained: rows that the challenger alone answers right.
        lost: rows that the champion alone answers right.
        low: lower end of the 95 % interval of the difference of both shares, by the paired bootstrap.
        high: its upper end.
        p_value: of the exact McNemar test, two-sided.
    """

    rows: int
    challenger: float
    champion: float
    gained: int
    lost: int
    low: float
    high: float
    p_value: float

    @property
    def difference(self) -> float:
        """Share of the challenger less that of the champion, -1 to 1."""
        return (self.gained - self.lost) / self.rows

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def compared(challenger: NDArray[np.bool_], champion: NDArray[np.bool_]) -> Comparison:
    """Compare two models.

    Args:
        challenger: for each row whether the challenger answers it right, shape [rows].
        champion: the same of the champion.

    Raises:
        ValueError: the shapes differ, or there is no row.
    """
    if challenger.shape != champion.shape or challenger.ndim != 1 or not challenger.size:
        raise ValueError(
            f"answers of shape {challenger.shape} and {champion.shape}; expected the same rows, at least 1"
        )
    rows = int(challenger.size)
    gained = int((challenger & ~champion).sum())
    lost = int((champion & ~challenger).sum())
    shares = [gained / rows, lost / rows, (rows - gained - lost) / rows]
    drawn = np.random.default_rng(_SEED).multinomial(rows, shares, size=_DRAWS)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / rows, _ENDS)
    return Comparison(
        rows=rows,
        challenger=float(challenger.mean()),
        champion=float(champion.mean()),
        gained=gained,
        lost=lost,
        low=float(low),
        high=float(high),
        p_value=exact_mcnemar(gained, lost),
    )


def exact_mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value that rows which differ fall to either model alike."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
