"""Two classifiers on the same rows, where each class counts alike: balanced accuracy, and macro F1. Pure.

Rows with the same label and the same two answers are a cell. A draw of the bootstrap is one multinomial draw of the
counts of all cells; where answers are exchanged, a binomial draw says how many rows of a cell exchange them.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_pipeline.gate.comparison import (
    DRAWS,
    SEED,
    Comparison,
    batches,
    interval,
    one_sided,
    share_as_large,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Classes:
    """What two models answered, as numbers of classes; all of shape [rows].

    Attributes:
        labels: 0 to `number` - 1.
        challenger: the same, or `number` for a class that no label has.
        champion: as `challenger`.
        number: of the classes that are labels.
        f1: whether the metric is macro F1, over the classes that are labels; else balanced accuracy.
        draws: of each test; fewer for more than 5,000 cells.
    """

    labels: NDArray[np.intp]
    challenger: NDArray[np.intp]
    champion: NDArray[np.intp]
    number: int
    f1: bool
    draws: int = DRAWS

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.labels.size)

    def chosen(self, mask: NDArray[np.bool_]) -> "Classes":
        """Return the rows where `mask`, of shape [rows], is true."""
        return replace(self, labels=self.labels[mask], challenger=self.challenger[mask], champion=self.champion[mask])

    def compared(self) -> Comparison:
        """Compare both models by the metric."""
        counts = self._counts[None, :]
        nothing = np.zeros_like(counts)
        new, old = self._score(counts, nothing)[0], self._score(nothing, counts)[0]
        low, high = interval(self._resampled())
        gained, lost = one_sided(self.challenger == self.labels, self.champion == self.labels)
        return Comparison(
            rows=self.rows,
            challenger=float(new),
            champion=float(old),
            difference=float(new - old),
            gained=gained,
            lost=lost,
            low=low,
            high=high,
            p_value=share_as_large(self._exchanged(), float(new - old)),
        )

    @cached_property
    def _cells(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        rows = np.stack([self.labels, self.challenger, self.champion], axis=1)
        cells, counts = np.unique(rows, axis=0, return_counts=True)
        return cells, counts

    @property
    def _counts(self) -> NDArray[np.intp]:
        return self._cells[1]

    def _resampled(self) -> Floats:
        counts, chance, drawn = self._counts, np.random.default_rng(SEED), []
        for number in batches(counts.size, self.draws):
            these = chance.multinomial(self.rows, counts / self.rows, size=number)
            nothing = np.zeros_like(these)
            drawn.append(self._score(these, nothing) - self._score(nothing, these))
        return np.concatenate(drawn)

    def _exchanged(self) -> Floats:
        counts, chance, drawn = self._counts, np.random.default_rng(SEED), []
        for number in batches(counts.size, self.draws):
            moved = chance.binomial(counts, 0.5, size=(number, counts.size))
            drawn.append(self._score(counts - moved, moved) - self._score(moved, counts - moved))
        return np.concatenate(drawn)

    @cached_property
    def _sums(self) -> tuple[Any, ...]:
        """What adds the cells up by class: of labels, of right answers of either model, of answers of either."""
        (labels, new, old), number = self._cells[0].T, self.number
        return (
            _by_class(labels, number),
            _by_class(np.where(new == labels, labels, number), number),
            _by_class(np.where(old == labels, labels, number), number),
            _by_class(new, number),
            _by_class(old, number),
        )

    def _score(self, as_challenger: NDArray[Any], as_champion: NDArray[Any]) -> Floats:
        """Return the metric of a model that answers some rows of each cell as the one, and some as the other.

        Args:
            as_challenger: how many rows of each cell, shape [draws, cells].
            as_champion: the same.

        Returns:
            Shape [draws]; a class that no row of a draw has says nothing there.
        """
        labels, new_right, old_right, new_answers, old_answers = self._sums
        rows = labels @ (as_challenger + as_champion).T
        right = new_right @ as_challenger.T + old_right @ as_champion.T
        answers = new_answers @ as_challenger.T + old_answers @ as_champion.T
        above, below = (2 * right, rows + answers) if self.f1 else (right, rows)
        each = np.divide(above, below, out=np.zeros(below.shape), where=below > 0)
        mean: Floats = each.sum(axis=0) / np.maximum(1, (below > 0).sum(axis=0))
        return mean


def _by_class(classes: NDArray[np.intp], number: int) -> Any:
    """Return a sparse matrix, shape [classes, cells], that adds cells up by their class; others count nowhere."""
    from scipy.sparse import csr_array

    known = np.flatnonzero(classes < number)
    return csr_array((np.ones(known.size), (classes[known], known)), shape=(number, classes.size))
