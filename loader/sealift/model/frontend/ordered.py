"""Feeds whose rows go through the graph in another order than the caller's, and the way back."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Feeds = dict[str, NDArray[Any]]


class OrderedFeeds(ABC):
    """Feeds that note which rows they are of; iterate over them once."""

    def __init__(self) -> None:
        self._order: list[NDArray[Any]] = []

    @abstractmethod
    def __iter__(self) -> Iterator[Feeds]:
        """Yield feeds, each after its rows were noted."""

    def note(self, rows: NDArray[Any]) -> None:
        """Note of which of the caller's rows the next feeds are; they may hold more rows behind these."""
        self._order.append(rows)

    def in_order(self, parts: list[list[NDArray[Any]]]) -> list[list[NDArray[Any]]]:
        """Put what the graph gave for each of the feeds into the order of the rows, without those behind them."""
        parts = [[values[: len(rows)] for values in part] for part, rows in zip(parts, self._order, strict=True)]
        order = np.concatenate(self._order) if self._order else np.empty(0, np.int64)
        if np.all(order[1:] > order[:-1]):
            return parts
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return [[np.concatenate(values)[back] for values in zip(*parts, strict=True)]]
