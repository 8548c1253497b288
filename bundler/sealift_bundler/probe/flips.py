"""How often a change of the text turns the label."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.probe.text_changes import CHANGES

SEED = 20_260_705
MOST_ROWS = 256
# A longer text is cut before it is changed, so that a probe takes seconds.
MOST_CHARS = 2000
# Of more labels, those with the most flips are shown.
_MOST_LABELS = 5
# A share of fewer rows says little; such labels come last.
FEW_ROWS = 5


def flips(texts: Sequence[Sequence[str]], predict: Callable[[list[list[str]]], NDArray[Any]]) -> dict[str, Any]:
    """Change texts in every way of `CHANGES`, and count the rows whose label is another.

    A row that a change leaves as it is does not count: digits have no case.

    Args:
        texts: For each row the texts of its columns.
        predict: The labels [rows] of rows like those in `texts`.

    Returns:
        `rows` (asked), `of_rows` (given), `cut` (texts that were cut), and `changes`: for each its `change`, `rows`
        (changed), `flips`, and `labels`: for labels by their flips `label`, `rows` and `flips`.
    """
    places = spread(len(texts), MOST_ROWS)
    plain = [[text[:MOST_CHARS] for text in texts[place]] for place in places]
    cut = sum(len(text) > MOST_CHARS for place in places for text in texts[place])
    before = predict(plain)
    found = []
    for number, (name, change) in enumerate(CHANGES.items()):
        generator = np.random.default_rng([SEED, number])
        changed = [[change(text, generator) for text in row] for row in plain]
        other = np.array([one != row for one, row in zip(changed, plain, strict=True)], dtype=bool)
        turned = predict(changed) != before
        found.append(
            {
                "change": name,
                "rows": int(other.sum()),
                "flips": int(turned.sum()),
                "labels": _by_label(before, other, turned),
            }
        )
    return {"rows": len(plain), "of_rows": len(texts), "cut": cut, "changes": found}


def spread(count: int, most: int) -> list[int]:
    """Choose at most `most` of `count` places, evenly: the same ones every time."""
    return list(range(count)) if count <= most else np.linspace(0, count - 1, most).astype(int).tolist()


def _by_label(before: NDArray[Any], other: NDArray[np.bool_], turned: NDArray[np.bool_]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for label in dict.fromkeys(before.tolist()):
        of_label = other & (before == label)
        if of_label.any():
            rows.append({"label": str(label), "rows": int(of_label.sum()), "flips": int((turned & of_label).sum())})
    return sorted(rows, key=lambda row: (row["rows"] < FEW_ROWS, -row["flips"] / row["rows"], row["label"]))[
        :_MOST_LABELS
    ]
