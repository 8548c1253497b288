"""What the probe found, as sections of a report's page."""

from collections.abc import Mapping
from typing import Any

from sealift_bundler.disclosure import withheld
from sealift_bundler.probe.flips import FEW_ROWS
from sealift_bundler.proof.pages.chart import bars
from sealift_bundler.proof.pages.table import table
from sealift_common.pages.page import text

_FLIPS_ARE = (
    "Sample texts, changed in eight ways, and how many of them then have another label. At 0 % nobody writes around "
    "the model this way. A model that counts words knows none of its words after the first five, so a label "
    "that rests on certain words turns nearly always: let nothing hang on it alone where people want another."
)
_MEMBERSHIP_IS = (
    "How well the model's confidence tells a sample from a row that it was not trained on, if the samples are rows of "
    "its training: 0.5 cannot tell, 1 always can."
)


def probe_sections(probe: Mapping[str, Any]) -> list[str]:
    """Write the sections; none where nothing was probed."""
    if not probe:
        return []
    return [
        "<h2>Probe: what turns the label</h2>",
        *_flips(probe["text"]),
        "<h2>Probe: does the model know its samples</h2>",
        *_membership(probe["membership"]),
    ]


def membership_line(found: Mapping[str, Any]) -> str:
    """Say in one line what the area is, and what it would be by chance."""
    low, high = max(0.0, 0.5 - found["chance"]), min(1.0, 0.5 + found["chance"])
    means = "cannot tell" if found["auc"] <= high else "tells some" if found["auc"] < 0.7 else "tells many"
    return f"AUC {found['auc']:.2f} ({low:.2f} to {high:.2f} is chance): confidence {means} samples from held-out rows"


def _flips(found: Mapping[str, Any]) -> list[str]:
    if "skipped" in found:
        return [_soft(f"Not probed: {found['skipped']}.")]
    cut = f" {found['cut']:,} texts were cut." if found["cut"] else ""
    changes = found["changes"]
    return [
        _soft(f"{_FLIPS_ARE} {found['rows']:,} of {found['of_rows']:,} rows.{cut}"),
        bars("of the rows with the label that each change turns most, how many turn", [_share(one) for one in changes]),
        table(
            ("change", "#rows changed", "#labels turned", "by label"),
            [(one["change"], one["rows"], one["flips"], _labels(one["labels"])) for one in changes],
        ),
    ]


def turned_most(change: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the label that a change turns most, with its `rows` and `flips`; labels of few rows do not count.

    A share of all rows would hide it: of many texts, few have the label that somebody wants to be rid of.
    """
    found: Mapping[str, Any] = next((one for one in change["labels"] if one["rows"] >= FEW_ROWS), change)
    return found


def _share(change: Mapping[str, Any]) -> tuple[str, float, str]:
    most = turned_most(change)
    label = f"of {withheld(str(most['label']))}" if most["flips"] and "label" in most else ""
    return change["change"], most["flips"] / max(1, most["rows"]), label


def _labels(labels: list[dict[str, Any]]) -> str:
    return "; ".join(f"{one['label']}: {one['flips']} of {one['rows']}" for one in labels)


def _membership(found: Mapping[str, Any]) -> list[str]:
    if "skipped" in found:
        return [_soft(f"Not probed: {found['skipped']}.")]
    known = f" {found['known']:,} held-out rows are samples too, and were left out." if found["known"] else ""
    rows = (
        f" {found['samples']:,} of {found['of_samples']:,} samples, "
        f"{found['holdout']:,} of {found['of_holdout']:,} held-out rows.{known}"
    )
    return [f"<p>{text(membership_line(found))}.</p>", _soft(_MEMBERSHIP_IS + rows)]


def _soft(said: str) -> str:
    return f'<p class="soft">{text(said)}</p>'
