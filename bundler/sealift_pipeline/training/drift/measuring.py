"""How far new rows are from the profile of those that a model learned from. Pure.

psi     population stability index: the sum of (new - old) * ln(new / old) over the bins; 0.1 is little, 0.25 much
ks      Kolmogorov and Smirnov's distance: the largest difference of both distributions, at the edges of the bins
unseen  share of words that the model does not know, less that among its own rows
labels  total variation: half the sum of the differences of the shares; of numbers, as ks
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealift_pipeline.training.drift import profile as profiles
from sealift_pipeline.training.project.settings import Need

# A bin that nothing fell into counts as if this share did.
_LEAST_SHARE = 1e-4
# Fewer rows than this say nothing about shares.
LEAST_ROWS = 100
LABELS = "label"


@dataclass(frozen=True)
class Measured:
    """One measure of one column.

    Attributes:
        column: its name, or `label`.
        measure: psi, ks, unseen_words or labels.
        value: what came out.
        limit: from which on it is drift.
    """

    column: str
    measure: str
    value: float
    limit: float

    @property
    def is_drift(self) -> bool:
        """Whether the limit is reached."""
        return self.value >= self.limit

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"column": self.column, "drift": self.is_drift, "limit": self.limit, "measure": self.measure} | {
            "value": self.value
        }


def measure(profile: Mapping[str, Any], frame: Any, labels: Sequence[Any], need: Need) -> list[Measured]:
    """Measure new rows against a profile; nothing where there are fewer than 100.

    Args:
        profile: as `profile_of` gives it.
        frame: of the new rows.
        labels: of the new rows.
        need: the limits.
    """
    if len(labels) < LEAST_ROWS:
        return []
    found: list[Measured] = []
    columns = profiles.columns_of(frame)
    for name, before in profile["columns"].items():
        found += _column(name, before, columns.get(name, []), need)
    if profile["labels"].get("kind") == profiles.NUMBERS:
        measured = [one for one in _column(LABELS, profile["labels"], labels, need) if one.measure == "ks"]
        return [*found, *(_measured(LABELS, "labels", one.value, need.labels) for one in measured)]
    new = profiles.shares(str(one) for one in labels)
    distance = sum(abs(profile["labels"].get(one, 0) - new.get(one, 0)) for one in {*profile["labels"], *new}) / 2
    return [*found, _measured(LABELS, "labels", distance, need.labels)]


def _column(name: str, before: Mapping[str, Any], values: Sequence[Any], need: Need) -> list[Measured]:
    if before["kind"] == profiles.NUMBERS:
        numbers = profiles.as_numbers(values)
        # What are no numbers any longer is as far as it can be.
        new = [] if numbers is None else profiles.number_shares(numbers, before["edges"])
        if not new:
            return [_measured(name, "ks", 1.0, need.ks)]
        gone = abs(profiles.missing(values) - before["missing"])
        apart = np.abs(np.cumsum(before["shares"]) - np.cumsum(new)).max()
        return [
            _measured(name, "psi", psi(before["shares"], new), need.psi),
            _measured(name, "ks", max(float(apart), gone), need.ks),
        ]
    texts = [str(one) for one in values if one is not None]
    if before["kind"] == profiles.WORDS:
        unseen = profiles.unseen_share(texts, profiles.known_words(before)) - before["unseen"]
        return [_measured(name, "unseen_words", max(0.0, unseen), need.unseen_words)]
    return [_measured(name, "psi", psi(before["shares"], profiles.category_shares(texts)), need.psi)]


def psi(before: Sequence[float], new: Sequence[float]) -> float:
    """Return the population stability index of two lists of shares."""
    pairs = zip(before, new, strict=True)
    at_least = [(max(old, _LEAST_SHARE), max(one, _LEAST_SHARE)) for old, one in pairs]
    return sum((one - old) * math.log(one / old) for old, one in at_least)


def _measured(column: str, name: str, value: float, limit: float) -> Measured:
    return Measured(column, name, round(value, 6), limit)
