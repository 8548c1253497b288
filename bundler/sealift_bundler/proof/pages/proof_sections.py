"""How a version was proven, as sections of a page: from its `model.json` alone.

A dossier reads documents that somebody else made: what is missing, or of another form, is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sealift.model.documents.description import ModelDescription
from sealift_bundler.proof.pages.table import shown, table
from sealift_common.pages.page import facts

_EDGE_ROWS_ARE = (
    '<p class="soft">Edge rows are bounded in number and spread over columns and kinds: this many of those that could '
    "be made from the samples. Rows far from the samples, and near zero, choose the rung; they refuse no model.</p>"
)
_MAX_COLUMNS = 30


def verdict(described: ModelDescription) -> str:
    """Say whether answers were compared, and with what."""
    parity = described.parity
    reference = shown(parity.get("reference", "another model"))
    if not parity.get("compared", True):
        return f"<p>Unchanged, nothing to compare with: {reference}.</p>"
    if parity.get("labels_wrong") or parity.get("scores_wrong"):
        return f'<p class="bad">Not proven: rows differ from {reference}.</p>'
    return f'<p class="good">Proven: every compared row agrees with {reference}.</p>'


def source_line(described: ModelDescription) -> str:
    """Name the trained model and the libraries that made it."""
    source = described.source
    versions = ", ".join(f"{name} {version}" for name, version in sorted(_table(source, "versions").items()))
    return f'<p class="soft">{shown(source.get("estimator", ""))}{f" ({shown(versions)})" if versions else ""}</p>'


def proof_facts(described: ModelDescription) -> str:
    """Show the figures of the proof side by side."""
    parity, tolerance = described.parity, described.tolerance
    counts = {
        "rows compared": "rows",
        "of them samples": "caller_rows",
        "labels wrong": "labels_wrong",
        "scores wrong": "scores_wrong",
        "exact ties": "ties",
    }
    errors = {
        "largest absolute error": "largest_absolute_error",
        "largest relative error": "largest_relative_error",
        "largest share of the tolerance": "largest_share_of_tolerance",
    }
    if not parity.get("compared", True):
        return facts([("rung", described.rung), ("rows recorded", figure(parity.get("rows", 0), ","))])
    return facts(
        [
            ("rung", described.rung),
            *((name, figure(parity.get(key), ",")) for name, key in counts.items() if key in parity),
            *((name, figure(parity.get(key), ".3g")) for name, key in errors.items() if key in parity),
            ("tolerance", f"{tolerance.atol:g} + {tolerance.rtol:g}·|x|"),
        ]
    )


def proof_tables(described: ModelDescription) -> list[str]:
    """Write the rungs that were tried, the edge rows by kind, the worst rows, and what goes in and comes out."""
    parity = described.parity
    attempts = _tables(described.conversion, "attempts")
    edges = _table(parity, "edge_rows")
    found = [
        "<h3>Rungs of the ladder</h3>",
        table(
            ("rung", "outcome"),
            [(one.get("rung", ""), one.get("outcome", "")) for one in attempts],
            marks={(row, 1): "good" for row, one in enumerate(attempts) if one.get("outcome") == "proven"},
        ),
    ]
    if parity.get("compared", True):
        found += [
            "<h3>Edge rows by kind</h3>",
            table(
                ("kind", "#rows", "#of possible", "#differ or refused", "#ties"),
                [_edge_row(kind, one) for kind, one in sorted(edges.items()) if isinstance(one, dict)],
            ),
            _EDGE_ROWS_ARE,
            "<h3>Worst rows</h3>",
            _worst_rows(_tables(parity, "worst_rows")),
        ]
    return [
        *found,
        "<h3>What goes in and comes out</h3>",
        table(("tensor", "dtype", "shape", "columns"), _tensors(described)),
    ]


def figure(value: Any, form: str) -> str:
    """Return a number as text; other things as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    try:
        return format(value, form)
    except (ValueError, OverflowError):
        return str(value)[:40]


def _edge_row(kind: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    bad = [found.get(key, 0) for key in ("labels_wrong", "scores_wrong", "refused")]
    differing = sum(one for one in bad if isinstance(one, int))
    rows = found.get("rows", "")
    return (
        kind,
        figure(rows, ","),
        figure(found.get("possible", rows), ","),
        figure(differing, ","),
        figure(found.get("ties", ""), ","),
    )


def _worst_rows(found: Sequence[Mapping[str, Any]]) -> str:
    # Answers are recorded only where sample rows travel.
    recorded = [key for key in ("expected", "got") if any(key in row for row in found)]
    heads = {"expected": "#original", "got": "#converted"}
    return table(
        ("rows", "#row", "answer", *(heads[key] for key in recorded), "#error"),
        [
            (
                "samples" if row.get("kind") == "caller" else row.get("kind", ""),
                *(row.get(key, "") for key in ("row", "answer", *recorded)),
                figure(row.get("error", ""), ".3g"),
            )
            for row in found
        ],
    )


def _tensors(described: ModelDescription) -> list[tuple[str, str, str, str]]:
    rows = []
    for tensor in described.inputs:
        names = ", ".join(column.name for column in tensor.columns[:_MAX_COLUMNS])
        left = len(tensor.columns) - _MAX_COLUMNS
        rows.append(
            (
                f"in: {tensor.name}",
                tensor.dtype,
                _shape(tensor.shape),
                f"{names} and {left} more" if left > 0 else names,
            )
        )
    rows += [(f"out: {out.name}", out.dtype, _shape(out.shape), out.role) for out in described.outputs]
    return rows


def _shape(shape: Sequence[int | str]) -> str:
    return " by ".join(map(str, shape))


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def _tables(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = document.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list | tuple) else []
