"""The categories of a column as XGBoost stores them in its JSON."""

from itertools import pairwise
from typing import Any

import numpy as np

from sealift_bundler.converters.steps import Context, Feature


def stored_levels(context: Context, estimator: Any, stored: dict[str, Any], feature: Feature) -> tuple[Any, ...] | None:
    """Return the categories in the order of their codes; None where the numbers of the column are the codes.

    Raises:
        NeverConverts: they are texts that XGBoost stored damaged, and the samples do not tell what they were.
    """
    values = stored.get("values") or []
    if not values:
        return None
    offsets = stored.get("offsets")
    if not offsets:
        return tuple(values)
    # Text: the bytes of all categories, one after another.
    data = bytes(value % 256 for value in values)
    if data.isascii():
        return tuple(data[start:end].decode() for start, end in pairwise(offsets))
    # XGBoost 3.2 counts characters where it should count bytes, so text beyond ASCII is stored shifted and
    # cut. The samples' own categories tell what it was, if they are those of the training, in that order.
    known = feature.levels or ()
    texts = [level for level in known if isinstance(level, str)]
    for sizes in (map(len, texts), (len(text.encode()) for text in texts)):
        if np.cumsum([0, *sizes]).tolist() == offsets and "".join(texts).encode()[: offsets[-1]] == data:
            return known
    raise context.refuse(
        f"it stores the categories of {feature.origin!r} damaged, as XGBoost does beyond ASCII; "
        "give samples whose categories have the order of the training",
        estimator,
    )
