"""A conversion as one page to look at: what was proven, on which rows, and what the graph is made of.

The page is self-contained: no script, no font, nothing from elsewhere, and a policy that says so. What the disclosure
scan finds in names and labels is withheld from it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import onnx

from sealift.model.documents.description import GOLDEN_FILE, GRAPH_FILE
from sealift.model.documents.golden import parse
from sealift_bundler.disclosure import withheld
from sealift_bundler.proof.chart import Points, scatter
from sealift_bundler.proof.conversion import Conversion
from sealift_bundler.proof.page_table import table
from sealift_bundler.proof.probe_page import probe_sections

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1c2127, #e4e7eb); --soft: light-dark(#5c6670, #9aa4ae);
  --line: light-dark(#d8dde2, #39424b); --paper: light-dark(#fff, #14181c); --mark: light-dark(#1f6feb, #6ea8fe);
  --good: light-dark(#1a7f37, #57c785); --bad: light-dark(#b42318, #ff8a7a); }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem }
p { margin: .3rem 0 } .soft { color: var(--soft) }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0 }
.facts div { min-width: 7rem } .facts b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 500 } td.number, th.number { text-align: right }
td { overflow-wrap: anywhere } .good { color: var(--good) } .bad { color: var(--bad) }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem }
.charts .equal { flex-basis: 100% }
figure { margin: 0 } figcaption { color: var(--soft) }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif } svg .axis { stroke: var(--line) }
svg circle, svg rect { fill: var(--mark); fill-opacity: .55 } svg .same { stroke: var(--soft); stroke-dasharray: 3 3 }
"""

_CHARTS_ARE = (
    '<p class="soft">The recorded examples: what the original answered, and what the converted model answers '
    "here. Points on the dashed line are equal.</p>"
)


def report_html(conversion: Conversion) -> str:
    """Write the page about a proven conversion."""
    described = conversion.description
    parity = conversion.parity
    edges = parity["edge_rows"]
    facts = {
        "rung": conversion.rung,
        "rows compared": f"{parity['rows']:,}",
        "of them samples": f"{parity['caller_rows']:,}",
        "labels wrong": f"{parity['labels_wrong']:,}",
        "scores wrong": f"{parity['scores_wrong']:,}",
        "exact ties": f"{parity['ties']:,}",
        "largest absolute error": f"{parity['largest_absolute_error']:.3g}",
        "largest relative error": f"{parity['largest_relative_error']:.3g}",
        "tolerance": f"{described.tolerance.atol:g} + {described.tolerance.rtol:g}·|x|",
    }
    attempts = conversion.description.conversion["attempts"]
    body = [
        f"<h1>{escape(described.name)} {escape(described.version)}</h1>",
        f"<p class=good>Proven: every compared row agrees with {escape(str(parity['reference']))}.</p>",
        f"<p class=soft>{escape(withheld(_source(conversion)))}</p>",
        "" if conversion.golden is None else f"<p>{escape(conversion.golden.line)}.</p>",
        '<div class="facts">' + "".join(_fact(label, value) for label, value in facts.items()) + "</div>",
        "<h2>Original and converted answers</h2>",
        _CHARTS_ARE,
        '<div class="charts">' + "".join(_charts(conversion)) + "</div>",
        *probe_sections(conversion.probe),
        "<h2>Rungs of the ladder</h2>",
        table(
            ("rung", "outcome"),
            [(attempt["rung"], attempt["outcome"]) for attempt in attempts],
            marks={(row, 1): "good" for row, attempt in enumerate(attempts) if attempt["outcome"] == "proven"},
        ),
        "<h2>Edge rows by kind</h2>",
        table(
            ("kind", "#rows", "#labels wrong", "#ties"),
            [(kind, found["rows"], found["labels_wrong"], found["ties"]) for kind, found in sorted(edges.items())],
        ),
        "<h2>Worst rows</h2>",
        _worst_rows(parity["worst_rows"]),
        "<h2>What goes in and comes out</h2>",
        table(("tensor", "dtype", "shape", "columns"), _tensors(conversion)),
        "<h2>Operators of the graph</h2>",
        f'<p class="soft">{escape(_graph(conversion))}</p>',
        table(("operator", "#nodes"), _operators(conversion)),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(described.name)} {escape(described.version)}: conversion</title>"
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _worst_rows(found: Sequence[Mapping[str, Any]]) -> str:
    # Answers are recorded only where sample rows travel.
    recorded = [key for key in ("expected", "got") if any(key in row for row in found)]
    heads = {"expected": "#original", "got": "#converted"}
    return table(
        ("rows", "#row", "answer", *(heads[key] for key in recorded), "#error"),
        [
            (
                "samples" if row["kind"] == "caller" else row["kind"],
                *(row.get(key, "") for key in ("row", "answer", *recorded)),
                f"{row['error']:.3g}",
            )
            for row in found
        ],
    )


def _fact(label: str, value: str) -> str:
    return f'<div><span class="soft">{escape(label)}</span><b>{escape(value)}</b></div>'


def _source(conversion: Conversion) -> str:
    source = conversion.description.source
    versions = ", ".join(f"{name} {version}" for name, version in sorted(source.get("versions", {}).items()))
    return f"{source.get('estimator', '')} ({versions})"


def _charts(conversion: Conversion) -> list[str]:
    model = conversion.open()
    charts = []
    for example in parse(conversion.files[GOLDEN_FILE]):
        rows: Any = example.inputs
        if conversion.description.interface not in ("columns", "tensors"):
            rows = next(iter(example.inputs.values()))
        answers = model.run(rows) if conversion.description.interface == "tensors" else None
        for name, expected in example.outputs.items():
            got = getattr(model, name)(rows) if answers is None else answers[name]
            if expected.dtype.kind in "fiu" and got.dtype.kind in "fiu":
                charts.append(scatter(name, Points(expected.ravel(), got.ravel())))
            else:
                same = int((got == expected).sum())
                charts.append(f'<p class="equal">{escape(name)}: {same} of {expected.size} equal</p>')
    return charts


def _tensors(conversion: Conversion) -> list[tuple[str, str, str, str]]:
    described = conversion.description
    rows = []
    for tensor in described.inputs:
        names = ", ".join(column.name for column in tensor.columns[:30])
        more = f" and {len(tensor.columns) - 30} more" if len(tensor.columns) > 30 else ""
        rows.append((f"in: {tensor.name}", tensor.dtype, _shape(tensor.shape), names + more))
    rows += [(f"out: {out.name}", out.dtype, _shape(out.shape), out.role) for out in described.outputs]
    return rows


def _shape(shape: Sequence[int | str]) -> str:
    return " by ".join(map(str, shape))


def _graph(conversion: Conversion) -> str:
    requires = conversion.description.requires
    opsets = ", ".join(f"{domain} {opset}" for domain, opset in sorted(requires.opsets.items()))
    size = len(conversion.files[GRAPH_FILE])
    return f"{size:,} bytes; opsets {opsets}; runs on ONNX Runtime {requires.onnxruntime} and newer"


def _operators(conversion: Conversion) -> list[tuple[str, int]]:
    graph = onnx.load_model_from_string(conversion.files[GRAPH_FILE]).graph
    counted = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in graph.node)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
