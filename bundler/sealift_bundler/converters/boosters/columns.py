"""The columns that splits of boosted trees test: numbers as they are, and memberships of categories."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.model.documents.description import MISSING_TEXT
from sealift_bundler.converters.graph import ML
from sealift_bundler.converters.steps import Context, Features, gather
from sealift_bundler.converters.steps.text.columns import SparseColumns, columns_at
from sealift_bundler.converters.steps.trees.ensemble import Tree
from sealift_bundler.converters.steps.trees.placing import marked, placed, to_float32


@dataclass
class Categories:
    """A booster's view of one categorical feature.

    `levels` are the category values in the order of their codes; None where the numbers are the codes.
    """

    levels: tuple[Any, ...] | None
    codes: int
    # Whether -0.5 is the code 0; elsewhere it is not a code.
    cuts_fractions: bool = False

    @property
    def unknown(self) -> int:
        """The row of every table for a category that training never saw."""
        return self.codes

    @property
    def missing(self) -> int:
        """The row of every table for a missing category."""
        return self.codes + 1


@dataclass(frozen=True)
class Above:
    """A yes-no question on a number, with the codes 0 and 1."""

    feature: int
    border: float
    missing: bool


# What a joint column is about: categorical features and questions.
Axis = int | Above


@dataclass
class SplitColumns:
    """The tensor [rows, columns] under construction; ask for columns first, then `emit`."""

    context: Context
    estimator: Any
    features: Features
    dtype: str
    categories: dict[int, Categories] = field(default_factory=dict)
    # Whether the booster rounds its numbers to float32 before it compares them.
    rounded: bool = False
    # Whether zeros are entries that a sparse matrix lacks, and so missing.
    zero_is_absent: bool = False
    _numbers: dict[tuple[int, str], int] = field(default_factory=dict)
    _rewrites: dict[str, Callable[[Features, str], str]] = field(default_factory=dict)
    _tables: dict[tuple[Axis, ...], list[NDArray[np.float64]]] = field(default_factory=dict)
    _members: dict[tuple[tuple[Axis, ...], bytes], int] = field(default_factory=dict)
    _order: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Return whether no column was asked for."""
        return not self._order

    def number(self, feature: int, rewrite: str = "", how: Callable[[Features, str], str] | None = None) -> int:
        """Take the column of a feature as it is, or as `how` rewrites it and others under the name `rewrite`."""
        key = (feature, rewrite)
        if key not in self._numbers:
            if how is not None:
                self._rewrites[rewrite] = how
            self._numbers[key] = len(self._order)
            self._order.append(("number", key))
        return self._numbers[key]

    def member(self, feature: int, table: NDArray[np.float64]) -> int:
        """The column that holds, for each row, the entry of `table` for its category's code.

        Args:
            feature: A categorical feature.
            table: codes + 2 entries; the last two are for unknown and for missing categories.
        """
        return self.joint([feature], table)

    def joint(self, axes: Sequence[Axis], table: NDArray[np.float64]) -> int:
        """The column that holds, for each row, the entry of `table` for its codes on several axes.

        Args:
            axes: The last one's code changes fastest.
            table: One entry for each combination of codes.
        """
        key = (tuple(axes), table.tobytes())
        if key not in self._members:
            tables = self._tables.setdefault(tuple(axes), [])
            self._members[key] = len(self._order)
            self._order.append(("member", (tuple(axes), len(tables))))
            tables.append(table)
        return self._members[key]

    def emit(self, trees: Sequence[Tree]) -> str:
        """Make the tensor for these trees, in the order in which the columns were asked for."""
        graph = self.context.graph
        parts: list[str] = []
        place: dict[tuple[str, Any], int] = {}
        width = 0
        for rewrite in dict.fromkeys(rewrite for _, rewrite in self._numbers):
            wanted = [feature for feature, of in self._numbers if of == rewrite]
            tensor = self._of_numbers(wanted)
            if rewrite:
                tensor = self._rewrites[rewrite](columns_at(self.features, wanted), tensor)
            tensor = self._placed(tensor, wanted, rewrite, trees)
            parts.append(tensor)
            place.update({("number", (feature, rewrite)): width + index for index, feature in enumerate(wanted)})
            width += len(wanted)
        codes = {axis: self._codes(axis) for axes in self._tables for axis in axes}
        for axes, tables in self._tables.items():
            code = codes[axes[0]]
            for axis in axes[1:]:
                size = graph.constant(np.array(self.size(axis)))
                code = graph.add("Add", graph.add("Mul", code, size), codes[axis])
            table = graph.constant(np.stack(tables, axis=1), np.dtype(self.dtype))
            parts.append(graph.add("Gather", table, code, axis=0))
            place.update({("member", (axes, index)): width + index for index in range(len(tables))})
            width += len(tables)
        tensor = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
        order = [place[asked] for asked in self._order]
        return tensor if order == list(range(width)) else graph.add("Gather", tensor, graph.constant(order), axis=1)

    def _placed(self, tensor: str, wanted: Sequence[int], rewrite: str, trees: Sequence[Tree]) -> str:
        """The tensor of the features `wanted`, put among the thresholds that trees compare them with."""
        place = {self._numbers[feature, rewrite]: index for index, feature in enumerate(wanted)}
        mine = [
            replace(tree, column=np.array([place.get(asked, -1) for asked in tree.column.tolist()])) for tree in trees
        ]
        return placed(self.context, columns_at(self.features, wanted), tensor, mine, self.dtype, self._rounding)

    @property
    def _rounding(self) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
        """What the booster does to its numbers before it compares them."""
        return to_float32 if self.rounded or self.dtype == "float32" else None

    def without(self, features: Features, tensor: str, ends: tuple[float, float]) -> str:
        """Make NaN of the numbers between two ends, [rows, features], which the booster takes for missing ones."""
        graph, dtype = self.context.graph, np.dtype(self.dtype)
        missing = marked(self.context, self.estimator, features, tensor, ends, self.dtype, self._rounding)
        return graph.add("Where", missing, graph.constant(np.array(np.nan), dtype), tensor)

    def _of_numbers(self, wanted: Sequence[int]) -> str:
        sparse = isinstance(self.features, SparseColumns)
        chosen = columns_at(self.features, wanted, absent_is_missing=self.zero_is_absent)
        text = next((feature for feature in chosen if feature.text), None)
        if text is not None:
            raise self.context.refuse(f"it is given the text {text.origin!r} as a number", self.estimator)
        graph = self.context.graph
        tensor = given = gather(self.context, chosen, self.estimator)
        if self.rounded:
            tensor = graph.cast(tensor, "float32")
        if self.rounded or graph.dtype != self.dtype:
            tensor = graph.cast(tensor, self.dtype)
        if self.zero_is_absent and not sparse:
            # A number that is zero in float32 alone is stored in the matrix.
            zero = graph.add("Equal", given, graph.constant(0.0))
            tensor = graph.add("Where", zero, graph.constant(np.array(np.nan), np.dtype(self.dtype)), tensor)
        return tensor

    def size(self, axis: Axis) -> int:
        """Return the number of codes of an axis."""
        return 2 if isinstance(axis, Above) else self.categories[axis].codes + 2

    def _codes(self, axis: Axis) -> str:
        """The code of each row on an axis, int64 [rows]."""
        if not isinstance(axis, Above):
            return self._category_codes(axis)
        graph = self.context.graph
        number = self._of_numbers([axis.feature])
        yes = graph.add("Greater", number, graph.constant(np.array(axis.border), np.dtype(self.dtype)))
        if axis.missing:
            yes = graph.add("Or", yes, graph.add("IsNaN", number))
        return graph.add("Reshape", graph.cast(yes, "int64"), graph.constant([-1]))

    def _category_codes(self, feature: int) -> str:
        graph, known = self.context.graph, self.categories[feature]
        (one,) = columns_at(self.features, [feature])
        column = gather(self.context, (one,), self.estimator)
        if one.text:
            self.context.tell_apart((one,))
            if known.levels is None or not all(isinstance(level, str) for level in known.levels):
                raise self.context.refuse(
                    f"it is given the text {one.origin!r}, and its categories are numbers",
                    self.estimator,
                )
            code = graph.add(
                "LabelEncoder",
                column,
                domain=ML,
                keys_strings=[*known.levels, MISSING_TEXT],
                values_int64s=[*range(known.codes), known.missing],
                default_int64=known.unknown,
            )
            return graph.add("Reshape", code, graph.constant([-1]))
        number = graph.cast(column, "float64")
        absent = graph.add("IsNaN", number)
        code = self._of_levels(number, known) if known.levels is not None else self._of_values(number, known)
        code = graph.add("Where", absent, graph.constant(np.array(known.missing)), code)
        return graph.add("Reshape", code, graph.constant([-1]))

    def _of_levels(self, number: str, known: Categories) -> str:
        graph = self.context.graph
        try:
            levels = np.array([known.levels], dtype=np.float64)
        except (TypeError, ValueError):
            raise self.context.refuse(
                "its categories are text, and it is given numbers; give the column that it was trained on",
                self.estimator,
            ) from None
        equal = graph.add("Equal", number, graph.constant(levels, np.float64))
        found = graph.add("ReduceMax", graph.cast(equal, "int64"), graph.constant([1]), keepdims=1)
        index = graph.add("ArgMax", graph.cast(equal, "int32"), axis=1, keepdims=1)
        return graph.add("Where", graph.cast(found, "bool"), index, graph.constant(np.array(known.unknown)))

    def _of_values(self, number: str, known: Categories) -> str:
        """Numbers that are codes themselves; fractions are cut off, as a cast in C does."""
        graph = self.context.graph
        safe = graph.add("Where", graph.add("IsNaN", number), graph.constant(np.array(0.0), np.float64), number)
        low, high = (graph.constant(np.array(bound), np.float64) for bound in (-1.0, float(known.codes)))
        code = graph.cast(graph.add("Clip", safe, low, high), "int64")
        least = np.nextafter(-1.0, 0.0) if known.cuts_fractions else 0.0
        inside = graph.add("GreaterOrEqual", safe, graph.constant(np.array(least), np.float64))
        return graph.add("Where", inside, code, graph.constant(np.array(known.unknown)))
