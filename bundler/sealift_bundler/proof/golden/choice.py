"""Whose rows travel as golden examples.

Golden examples travel in every bundle, so this is the release engineer's choice. Where nothing is said, no text
travels, and no table with something in it that must not leave.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from sealift_bundler.converters.sklearn import has_text
from sealift_bundler.disclosure import findings_in
from sealift_bundler.disclosure.finding import shown
from sealift_bundler.proof.conversion import FILE, GENERATED, SAMPLES, is_choice
from sealift_bundler.samples.interfaces import Samples

if TYPE_CHECKING:
    import pandas as pd

_NOT_CHOSEN = "nothing was chosen; golden = 'generated' or a file of your own carries none of them"


def chosen_source(golden: Any, samples: Samples, model: Any) -> tuple[str, str]:
    """Decide whose rows travel; return the source and, where nobody chose, the reason."""
    if is_choice(golden):
        return str(golden), ""
    if golden is not None:
        return FILE, ""
    if samples.interface == "text" or has_text(model):
        return GENERATED, "nothing was chosen, and the model takes text"
    if samples.interface == "tensors":
        texts = [name for name, values in samples.rows.items() if np.asarray(values).dtype.kind in "OUST"]
        if texts:
            return GENERATED, f"nothing was chosen, and tensor {texts[0]!r} is text"
        return SAMPLES, _NOT_CHOSEN
    for column in samples.columns:
        found = findings_in(_distinct(samples.rows[column.name])) if column.kind == "str" else ()
        if found:
            return GENERATED, f"nothing was chosen, and column {shown(column.name)} holds: {found[0].kind}"
    return SAMPLES, _NOT_CHOSEN


def _distinct(series: "pd.Series[Any]") -> list[str]:
    return [value for value in series.dropna().unique().tolist() if isinstance(value, str)]
