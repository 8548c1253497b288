"""Rows that suit each estimator, and rows that are held back from the conversion."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

ROWS = 160
HELD_BACK = 400


@dataclass(frozen=True)
class Data:
    """Training rows, their targets, and rows that the conversion never sees."""

    name: str
    rows: Any
    target: Any
    held_back: Any


def _split(name, rows, target):
    return Data(name, rows[:ROWS], None if target is None else target[:ROWS], rows[ROWS:])


def floats(name="floats", *, seed=0, columns=4, positive=False, whole=None, target=None):
    """Random numbers; `whole` makes them integers below it; `target` makes the answers."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(ROWS + HELD_BACK, columns))
    if positive:
        rows = np.abs(rows)
    if whole is not None:
        rows = generator.integers(0, whole, size=rows.shape).astype(np.float64)
    noise = generator.normal(scale=0.3, size=len(rows))
    return _split(name, rows, None if target is None else target(rows, noise))


def value(rows, noise):
    return rows[:, 0] * 3 - rows[:, 1] ** 2 + noise


def positive_value(rows, noise):
    return np.exp(rows[:, 0] + noise)


def values(rows, noise):
    return np.stack([value(rows, noise), rows[:, 2] + rows[:, 0] + noise], axis=1)


def two(rows, noise):
    return rows[:, 0] + rows[:, 1] + noise > 0.2


def two_texts(rows, noise):
    return np.where(two(rows, noise), "oui", "évité")


def three_texts(rows, noise):
    return np.array(["rouge", "vert", "bleu"])[np.digitize(rows[:, 0] + noise, [-0.4, 0.5])]


def three_numbers(rows, noise):
    return np.array([3, 5, 11])[np.digitize(rows[:, 0] - rows[:, 2] + noise, [-0.4, 0.5])]


def labels(rows, noise):
    return np.stack([rows[:, 0] + noise > 0, rows[:, 1] + noise > 0.3], axis=1).astype(int)


def semi_supervised(rows, noise):
    target = np.digitize(rows[:, 0] + noise, [-0.4, 0.5])
    return np.where(np.arange(len(rows)) % 3 == 0, -1, target)


def classification(**options):
    return [
        floats("two classes, bool", target=two, seed=1, **options),
        floats("two classes, text", target=two_texts, seed=2, **options),
        floats("three classes, text", target=three_texts, seed=3, **options),
        floats("three classes, int", target=three_numbers, seed=4, **options),
    ]


def regression(**options):
    return [floats("one value", target=value, seed=5, **options)]


def several_values(**options):
    return [floats("two values", target=values, seed=6, **options)]


def table(target=three_texts):
    """Prices, counts, epoch seconds and cities, with missing values."""
    generator = np.random.default_rng(7)
    count = ROWS + HELD_BACK
    rows = pd.DataFrame(
        {
            "price": np.round(generator.lognormal(3, 1, count), 2),
            "count": generator.integers(0, 40, count),
            "at": 1_600_000_000 + generator.integers(0, 10**8, count),
            "city": generator.choice(["Zürich", "Lyon", "İzmir", "東京"], count),
        }
    )
    rows.loc[::7, "price"] = np.nan
    rows.loc[::11, "city"] = None
    base = generator.normal(size=(count, 4))
    base[:, 0] += rows["count"].to_numpy() / 20 - 1
    return _split("table", rows, target(base, generator.normal(scale=0.3, size=count)))


def categories():
    """Two columns of text."""
    rows = table().rows[["city"]].assign(color=np.resize(["rot", "blau", "grün"], ROWS)).fillna("?")
    held_back = table().held_back[["city"]].assign(color=np.resize(["blau", "rot"], HELD_BACK)).fillna("?")
    return Data("text columns", rows, np.resize([0.5, 1.5, 0.25, 2.0, 1.0], ROWS), held_back)


def with_missing(**options):
    data = floats("missing values", target=value, **options)
    for rows in (data.rows, data.held_back):
        rows[::5, 1] = np.nan
        rows[::7, 2] = np.nan
    return data


def counts(columns=12):
    """Counts of words."""
    generator = np.random.default_rng(8)
    rows = generator.poisson(0.7, size=(ROWS + HELD_BACK, columns)).astype(float)
    return _split("counts", rows, None)


def texts():
    words = ["le", "prix", "monte", "vite", "à", "Lyon", "et", "Zürich", "ouvre", "tard", "東京", "naïve", "déjà", "vu"]
    generator = np.random.default_rng(9)
    rows = [" ".join(generator.choice(words, 6)) for _ in range(ROWS + HELD_BACK)]
    return _split("texts", rows, None)
