"""CatBoost's statistics of categories ("CTRs"): for every combination of values, the number it stands for.

At prediction a CTR is a function of a row's categories, and of yes-no questions on its other features.
All their combinations are few enough to be written down as a table; where they are not, the model is refused.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.boosters.columns import Above, Axis, SplitColumns
from sealift_bundler.converters.steps import Context

_MAGIC = 0x4906BA494954CB65
_MASK = (1 << 64) - 1
_EMPTY = str(_MASK)
_MOST_COMBINATIONS = 1_000_000


def combine(hash_so_far: int, value: int) -> int:
    """Extend the hash of a combination by one value, as CatBoost does."""
    return _MAGIC * (hash_so_far + _MAGIC * (value & _MASK)) & _MASK


@dataclass
class CtrTables:
    """Makes the column of a CTR when a split asks for it."""

    context: Context
    estimator: Any
    document: dict[str, Any]
    flat_of: dict[int, int]
    hashes: dict[int, dict[str, int]]
    columns: SplitColumns
    _made: dict[str, int] = field(default_factory=dict)

    def covers(self, place: int, hashes: set[int]) -> bool:
        """Return whether every value that training saw of a categorical feature is among `hashes`."""
        used = [ctr for ctr in self._ctrs() if any(e.get("cat_feature_index") == place for e in ctr["elements"])]
        simple = next((ctr for ctr in used if len(ctr["elements"]) == 1), None)
        if simple is None:
            return not used
        known = {combine(0, value) for value in hashes}
        return set(self._statistics(simple)) <= known

    def column(self, split: dict[str, Any]) -> int:
        """The column of the CTR that a split compares with its border."""
        ctr = self._of_split(split)
        key = f"{ctr['identifier']} {[ctr[k] for k in sorted(ctr) if k not in ('borders', 'elements', 'identifier')]}"
        if key not in self._made:
            self._made[key] = self._make(ctr)
        return self._made[key]

    def _ctrs(self) -> list[dict[str, Any]]:
        return list(self.document["features_info"].get("ctrs") or [])

    def _of_split(self, split: dict[str, Any]) -> dict[str, Any]:
        """Splits number all borders of all features in order: floats, one-hot values, CTRs."""
        info = self.document["features_info"]
        start = sum(len(entry["borders"] or []) for entry in info.get("float_features") or [])
        start += sum(len(entry.get("values") or []) for entry in info.get("categorical_features") or [])
        for ctr in self._ctrs():
            if start <= split["split_index"] < start + len(ctr["borders"]):
                return ctr
            start += len(ctr["borders"])
        raise self.context.refuse("one of its splits names no statistic of its own", self.estimator)

    def _statistics(self, ctr: dict[str, Any]) -> dict[int, list[float]]:
        data = self.document["ctr_data"][ctr["identifier"]]
        stride, flat = int(data["hash_stride"]), data["hash_map"]
        rows = (flat[start : start + stride] for start in range(0, len(flat), stride))
        return {int(row[0]): [float(value) for value in row[1:]] for row in rows if str(row[0]) != _EMPTY}

    def _make(self, ctr: dict[str, Any]) -> int:
        # On each axis of the combination, the number that each code adds to the hash; None is an unknown value.
        parts: list[tuple[Axis, list[int | None]]] = [self._axis(element) for element in ctr["elements"]]
        total = int(np.prod([len(values) for _, values in parts]))
        if total > _MOST_COMBINATIONS:
            raise self.context.refuse(
                f"it combines categories in {total:,} ways; train it with max_ctr_complexity=1", self.estimator
            )
        return self.columns.joint([axis for axis, _ in parts], self._table(ctr, [values for _, values in parts]))

    def _axis(self, element: dict[str, Any]) -> tuple[Axis, list[int | None]]:
        kind = element["combination_element"]
        if kind == "float_feature":
            info = self.document["features_info"]["float_features"][element["float_feature_index"]]
            border = float(np.float32(element["border"]))
            return Above(info["flat_feature_index"], border, info["nan_value_treatment"] == "AsTrue"), [0, 1]
        feature = self.flat_of.get(element.get("cat_feature_index", -1), -1)
        hashes = [*self.hashes.get(feature, {}).values()]
        if kind == "cat_feature_value":
            # The last two codes are for unknown and missing values: no statistic is about them.
            return feature, [*hashes, None, None]
        if kind == "cat_feature_exact_value":
            return feature, [*(int(value == element["value"]) for value in hashes), 0, 0]
        raise self.context.refuse(f"it combines categories with a {kind}, which is not supported", self.estimator)

    def _table(self, ctr: dict[str, Any], parts: list[list[int | None]]) -> NDArray[np.float64]:
        statistics = self._statistics(ctr)
        value_of = _Value(ctr, self.document["ctr_data"][ctr["identifier"]])
        unknown = value_of(None)
        hashes: list[int | None] = [0]
        for values in parts:
            hashes = [
                None if so_far is None or value is None else combine(so_far, value)
                for so_far in hashes
                for value in values
            ]
        found = (statistics.get(key) if key is not None else None for key in hashes)
        return np.array([unknown if counts is None else value_of(counts) for counts in found])


@dataclass
class _Value:
    """A CTR's number from the counts of its bucket, in float32 arithmetic."""

    ctr: dict[str, Any]
    data: dict[str, Any]

    def __call__(self, counts: list[float] | None) -> float:
        """The number for a bucket's counts; None is a bucket that training never saw."""
        kind = self.ctr["ctr_type"]
        target = int(self.ctr["target_border_idx"])
        if kind in ("Counter", "FeatureFreq"):
            good, total = (counts[0] if counts else 0.0), float(self.data["counter_denominator"])
        elif counts is None:
            good, total = 0.0, 0.0
        elif kind in ("BinarizedTargetMeanValue", "FloatTargetMeanValue"):
            good, total = counts[0], counts[1]
        else:
            good = counts[target] if kind == "Buckets" else sum(counts[target + 1 :])
            total = sum(counts)
        f = np.float32
        share = (f(good) + f(self.ctr["prior_numerator"])) / (f(total) + f(self.ctr["prior_denomerator"]))
        return float((share + f(self.ctr["shift"])) * f(self.ctr["scale"]))
