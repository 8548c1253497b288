"""What a page about a refused conversion shows: the rungs that were tried, and the worst rows with what went into them.

It holds values of the samples: it goes to the author's own report and nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sealift_bundler.converters import Original
from sealift_bundler.proof.conversion import Order
from sealift_bundler.proof.parity import Parity, Worst

_INPUTS = 30
_INPUT_CHARS = 200


def refusal_document(
    order: Order, original: Original, parity: Parity, attempts: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Return the account of a refusal, fit for JSON; the worst rows come first."""
    return {
        "name": order.name,
        "version": order.version,
        "estimator": str(original.source.get("estimator", "")),
        "tolerance": {"atol": order.tolerance.atol, "rtol": order.tolerance.rtol},
        "summary": parity.summary(),
        "attempts": [dict(attempt) for attempt in attempts],
        "parity": parity.document(values=True),
        "worst": [_worst(row) for row in parity.worst],
    }


def _worst(row: Worst) -> dict[str, Any]:
    # JSON has no infinity: a wrong label is beyond every tolerance.
    share = row.share if row.share < 1e300 else None
    return {**row.document(values=True), "share": share, "inputs": _inputs(row.rows)}


def _inputs(rows: Any) -> dict[str, str]:
    """Return the values of one row as texts, by column; none for tensors, which have no rows."""
    if isinstance(rows, Mapping):
        return {}
    if hasattr(rows, "iloc"):
        values = {str(name): rows[name].iloc[0] for name in rows.columns[:_INPUTS]}
    elif hasattr(rows, "tolist"):
        values = {f"x{place}": value for place, value in enumerate(rows[0].tolist()[:_INPUTS])}
    else:
        values = {"text": rows[0]}
    return {name: repr(value)[:_INPUT_CHARS] for name, value in values.items()}
