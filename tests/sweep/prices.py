"""A table of prices, counts, epoch seconds and cities, and its targets."""

from typing import Any

import numpy as np
import pandas as pd

ROWS, HELD_BACK = 500, 600
NUMBERS = ["price", "count", "at", "ratio"]
TEXTS = ["city", "plan"]
_CITIES = ["Zürich", "Lyon", "İzmir", "東京", "São Paulo", "Łódź", "Wien", "Αθήνα"]


def table(seed: int = 0) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows, to be fitted and held back, and their targets."""
    generator = np.random.default_rng(seed)
    count = ROWS + HELD_BACK
    frame = pd.DataFrame(
        {
            "price": np.round(generator.lognormal(3, 1, count), 2),
            "count": generator.poisson(3, count),
            "at": 1_600_000_000 + generator.integers(0, 10**8, count),
            "ratio": generator.beta(2, 3, count),
            "city": generator.choice(_CITIES, count, p=[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.04, 0.01]),
            "plan": generator.choice(["free", "pro", "team"], count),
            "flag": generator.random(count) < 0.4,
        }
    )
    size = (
        np.log(frame["price"]) / 2
        + frame["count"] / 4
        + (frame["city"] == "Lyon") * 0.8
        + (frame["plan"] == "pro") * 0.6
        + (frame["at"] - 1.65e9) / 5e7
        + generator.normal(scale=0.4, size=count)
    ).to_numpy()
    frame.loc[generator.random(count) < 0.08, "price"] = np.nan
    frame.loc[generator.random(count) < 0.05, "ratio"] = np.nan
    frame.loc[generator.random(count) < 0.06, "city"] = np.nan
    middle = np.median(size)
    targets = {
        "binary": np.where(size > middle, "bleibt", "kündigt"),
        "bool": size > middle,
        "three": np.digitize(size, np.quantile(size, [0.4, 0.75])) * 10,
        "value": np.round(np.exp(size), 2),
        "several": np.stack([size, frame["count"].to_numpy() + size / 3], axis=1),
        "labels": np.stack([size > middle, frame["count"].to_numpy() > 2], axis=1).astype(int),
    }
    return frame, targets
