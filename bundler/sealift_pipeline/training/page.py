"""The page of a run, in the order of a reviewer's questions: is it better, where not, how found, of what rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sealift_bundler.proof.pages.table import shown, table
from sealift_common.pages.page import facts, page
from sealift_pipeline.gate.metrics import ACCURACY, OF_NUMBERS, TITLES
from sealift_pipeline.gate.metrics import shown as value_of
from sealift_pipeline.runs.document import Run
from sealift_pipeline.runs.handed_over import Trained
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.training.charts import Difference, history, intervals
from sealift_pipeline.training.drift.measuring import Measured

_MOST_TRIALS = 200


def run_html(run: Run, snapshot: Snapshot, champion: Trained | None, drift: Sequence[Measured]) -> str:
    """Return the page.

    Args:
        champion: that it was compared with; None for a first version.
        drift: of its rows from those that the champion learned from.
    """
    return page(f"{run.model}: training run", _body(run, snapshot, champion, drift))


def _body(run: Run, snapshot: Snapshot, champion: Trained | None, drift: Sequence[Measured]) -> Iterator[str]:
    constant = "a constant" if run.gate["metric"] in OF_NUMBERS else "the most frequent label"
    rival = constant if champion is None else str(champion.model)
    yield f"<h1>{shown(run.model)}</h1>"
    yield f'<p class="soft">training run, compared with {shown(rival)}</p>'
    yield from _verdict(run.gate)
    yield facts(
        [
            ("events", f"{snapshot.rows:,} {snapshot.kind}"),
            *((f"rows for {name}", f"{number:,}") for name, number in sorted(run.split["rows"].items())),
            ("trials", f"{len(run.search['trials']):,}"),
        ]
    )
    yield from _gate(run.gate, rival, has_champion=champion is not None)
    yield from _search(run)
    yield from _drift(drift, champion)
    yield "<h2>What it is made of</h2>"
    yield table(["input", "digest"], sorted(run.inputs.items()))
    machine = run.machine
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(machine["libraries"].items()))
    yield f'<p class="soft">{shown(machine["architecture"])}, {shown(", ".join(machine["cpu_flags"]))}</p>'
    yield f'<p class="soft">{shown(libraries)}</p>'
    yield table(["converted file", "digest"], sorted(run.files.items()))


def _verdict(gate: Mapping[str, Any]) -> Iterator[str]:
    if gate["passed"]:
        yield '<p class="good">Passed the gate: it may be reviewed and released.</p>'
    for reason in gate["reasons"]:
        yield f'<p class="bad">Refused: {shown(reason)}</p>'


def _gate(gate: Mapping[str, Any], rival: str, *, has_champion: bool) -> Iterator[str]:
    overall, slices, metric = gate["overall"], gate["slices"], gate["metric"]
    yield "<h2>Against the champion</h2>"
    test = "the exact McNemar test" if metric == ACCURACY else "exchanging answers row by row"
    unseen = "rows that neither model saw" if has_champion else "rows for testing"
    why = f" for {gate['erased']:,} rows that {shown(rival)} saw are erased" if gate.get("erased") else ""
    yield (
        f'<p class="soft">{overall["rows"]:,} {unseen}, by {shown(TITLES[metric])}; '
        f"rule {shown(gate['rule'])}{why}, margin {gate['margin']:.2%}. The bar is the 95 % interval of the paired "
        f"bootstrap, the dashed line minus the margin; p is of {test}.</p>"
    )
    named = [("all rows", overall), *((f"{one['column']}: {one['value']}", one["comparison"]) for one in slices)]
    differences = [Difference(str(shown(name)), one["difference"], one["low"], one["high"]) for name, one in named]
    share = ", as a share of the larger error" if metric in OF_NUMBERS else ""
    yield intervals(f"difference to {rival}: {TITLES[metric]}{share}; right is better", differences, gate["margin"])
    yield table(
        ["slice", "#rows", "#challenger", "#champion", "#gained", "#lost", "#interval", "#p"],
        [
            (
                name,
                f"{one['rows']:,}",
                value_of(metric, one["challenger"]),
                value_of(metric, one["champion"]),
                f"{one['gained']:,}",
                f"{one['lost']:,}",
                f"{one['low']:+.2%} to {one['high']:+.2%}",
                f"{one['p_value']:.3g}",
            )
            for name, one in named
        ],
    )


def _search(run: Run) -> Iterator[str]:
    trials, best = run.search["trials"], run.search["best"]
    yield "<h2>Search</h2>"
    yield history(run.search["metric"], [one["score"] for one in trials])
    yield f"<h3>Parameters of trial {best:,}</h3>"
    yield table(["parameter", "value"], sorted((name, repr(value)) for name, value in run.params.items()))
    yield f"<h3>Trials{f', the first {_MOST_TRIALS}' if len(trials) > _MOST_TRIALS else ''}</h3>"
    names = sorted(run.params)
    rows = [
        (one["number"], f"{one['score']:.5f}", *(repr(one["params"].get(name)) for name in names))
        for one in trials[:_MOST_TRIALS]
    ]
    marks = {(place, 1): "good" for place, one in enumerate(trials[:_MOST_TRIALS]) if one["number"] == best}
    yield table(["#trial", f"#{run.search['metric']}", *names], rows, marks)


def _drift(drift: Sequence[Measured], champion: Trained | None) -> Iterator[str]:
    yield "<h2>Drift</h2>"
    if champion is None:
        yield '<p class="soft">A first version: there are no rows to drift from.</p>'
        return
    yield f'<p class="soft">Of the rows of this run from those that {shown(champion.model)} learned from.</p>'
    rows = [(one.column, one.measure, f"{one.value:.4f}", f"{one.limit:g}") for one in drift]
    marks = {(place, 2): "bad" for place, one in enumerate(drift) if one.is_drift}
    yield table(["column", "measure", "#value", "#limit"], rows, marks)
