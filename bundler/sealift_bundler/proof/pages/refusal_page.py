"""A refused conversion as one page: why, what was tried, and the rows that differ with what went into them.

What the disclosure scan finds in them is withheld, as on every page.
"""

from collections.abc import Mapping
from typing import Any

from sealift_bundler.proof.pages.proof_sections import figure
from sealift_bundler.proof.pages.table import shown, table
from sealift_common.pages.page import page

_ROWS_ARE = (
    '<p class="soft">Sorted by how far they exceed the tolerance; a wrong label is beyond every tolerance. '
    "The values are those of your samples, or of rows made from them: keep this page where the samples are.</p>"
)


def refusal_html(refusal: Mapping[str, Any], message: str) -> str:
    """Write the page.

    Args:
        refusal: as `proof.refusal` makes it.
        message: of the error.
    """
    title = f"{refusal['name']} {refusal['version']}"
    tolerance = f"{refusal['tolerance']['atol']:g} + {refusal['tolerance']['rtol']:g}·|x|"
    body = [
        f"<h1>{shown(title)}</h1>",
        f'<p class="bad">Refused: {shown(refusal["summary"])}.</p>',
        f'<p class="soft">{shown(refusal["estimator"])}; tolerance {tolerance}</p>',
        f"<p>{shown(message)}</p>",
        "<h2>Rungs of the ladder</h2>",
        table(("rung", "outcome"), [(one["rung"], one["outcome"]) for one in refusal["attempts"]]),
        "<h2>Worst rows</h2>",
        _ROWS_ARE,
        table(
            ("rows", "#row", "answer", "#original", "#converted", "#error", "#times the tolerance", "what went in"),
            [_row(one) for one in refusal["worst"]],
        ),
    ]
    return page(f"{title}: refused", body)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    label = one["share"] is None
    return (
        "samples" if one["kind"] == "caller" else one["kind"],
        f"{one['row']:,}",
        one["answer"],
        one["expected"],
        one["got"],
        "" if label else figure(one["error"], ".3g"),
        "wrong label" if label else figure(one["share"], ".3g"),
        ", ".join(f"{name}={value}" for name, value in one["inputs"].items()),
    )
