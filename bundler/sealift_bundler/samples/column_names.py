"""Do the samples have the columns that the model was trained on? What is misspelled is pointed at."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

import pandas as pd

from sealift_bundler.errors import SourceError
from sealift_bundler.samples.trained_columns import feature_names

_NAMED = 12
# Pairs of names; thousands of columns are not compared with each other.
_COMPARED = 10_000


def check_names(frame: pd.DataFrame, model: Any, unread: Collection[str]) -> None:
    """Check that a table has the columns that the model was trained on, and no others.

    Raises:
        SourceError: it does not; the message names them, and points at those that are spelled alike.
    """
    expected = feature_names(model, frame.columns)
    if expected is None:
        return
    missing = [name for name in expected if name not in frame.columns and name not in unread]
    extra = [name for name in frame.columns if name not in set(expected)]
    if missing or extra:
        parts = [f"missing {missing!r:.300}"] if missing else []
        parts += [f"not known to the model {extra!r:.300}"] if extra else []
        parts += list(filter(None, [_renaming(missing, extra)]))
        wants = ", ".join(map(repr, expected[:_NAMED])) + (
            f", … {len(expected):,} in all" if len(expected) > _NAMED else ""
        )
        raise SourceError(
            f"the samples' columns do not fit the model: {'; '.join(parts)}. It was trained on {wants}: rename "
            "columns, leave out those that it does not know, such as the label, and add those that are missing"
        )


def _renaming(missing: list[Any], extra: list[Any]) -> str:
    """Point at columns that are spelled like missing ones; nothing where there are none, or too many to compare."""
    if len(missing) * len(extra) > _COMPARED:
        return ""
    known = {str(name).casefold(): str(name) for name in extra}
    pairs = []
    for name in map(str, missing):
        found = get_close_matches(name.casefold(), known, n=1)
        pairs += [f"{known[found[0]]!r} may be {name!r}"] if found else []
    return ", ".join(pairs[:5])
