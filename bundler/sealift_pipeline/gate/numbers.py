"""Two regressors on the same rows, by their mean absolute error or the root of their mean squared error. Pure.

The difference is what the challenger's error is less, as a share of the larger of both: 0.05 is 5 % less, whatever unit
the labels have. R² on the same rows says what the squared error says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealift_pipeline.gate.comparison import DRAWS, SEED, Comparison, batches, interval, share_as_large

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """How far each answer of two models is from its label.

    Attributes:
        challenger: absolute errors, shape [rows].
        champion: the same.
        squared: whether errors count by their squares.
        draws: of each test; fewer for more than 5,000 rows.
    """

    challenger: Floats
    champion: Floats
    squared: bool
    draws: int = DRAWS

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.challenger.size)

    def chosen(self, mask: NDArray[np.bool_]) -> "Numbers":
        """Return the rows where `mask`, of shape [rows], is true."""
        return Numbers(self.challenger[mask], self.champion[mask], self.squared, self.draws)

    def compared(self) -> Comparison:
        """Compare both models by their errors."""
        new, old = (one**2 if self.squared else one for one in (self.challenger, self.champion))
        difference = float(self._better(new.mean(), old.mean()))
        low, high = interval(self._resampled(new, old))
        return Comparison(
            rows=self.rows,
            challenger=float(self._error(new.mean())),
            champion=float(self._error(old.mean())),
            difference=difference,
            gained=int((new < old).sum()),
            lost=int((new > old).sum()),
            low=low,
            high=high,
            p_value=share_as_large(self._exchanged(new, old), difference),
        )

    def _resampled(self, new: Floats, old: Floats) -> Floats:
        chance, drawn = np.random.default_rng(SEED), []
        for number in batches(self.rows, self.draws):
            index = chance.integers(0, self.rows, size=(number, self.rows))
            drawn.append(self._better(new[index].mean(axis=1), old[index].mean(axis=1)))
        return np.concatenate(drawn)

    def _exchanged(self, new: Floats, old: Floats) -> Floats:
        apart = (old - new)[old != new]
        chance, drawn = np.random.default_rng(SEED), []
        for number in batches(apart.size, self.draws):
            moved = (chance.random((number, apart.size), dtype=np.float32) < 0.5) @ apart / self.rows
            drawn.append(self._better(new.mean() + moved, old.mean() - moved))
        return np.concatenate(drawn)

    def _error(self, mean: Floats) -> Floats:
        # A sum of what was exchanged may miss nothing by a last bit.
        return np.sqrt(np.maximum(mean, 0.0)) if self.squared else mean

    def _better(self, new: Floats, old: Floats) -> Floats:
        mine, theirs = np.asarray(self._error(new)), np.asarray(self._error(old))
        larger = np.maximum(mine, theirs)
        better: Floats = np.divide(theirs - mine, larger, out=np.zeros_like(larger), where=larger > 0)
        return better
