"""A conversion as one page to look at: what was proven, on which rows, and what the graph is made of.

What the disclosure scan finds in names and labels is withheld from it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import onnx

from sealift.model.documents.description import GOLDEN_FILE, GRAPH_FILE
from sealift.model.documents.golden import parse
from sealift_bundler.disclosure import withheld
from sealift_bundler.proof.conversion import Conversion
from sealift_bundler.proof.pages.chart import Points, scatter
from sealift_bundler.proof.pages.page import page
from sealift_bundler.proof.pages.probe_page import probe_sections
from sealift_bundler.proof.pages.table import table

_CHARTS_ARE = (
    '<p class="soft">The recorded examples: what the original answered, and what the converted model answers '
    "here. Points on the dashed line are equal.</p>"
)

_EDGE_ROWS_ARE = (
    '<p class="soft">Edge rows are bounded in number and spread over columns and kinds: this many of those that could '
    "be made from the samples. Rows far from the samples, and near zero, choose the rung; they refuse no model.</p>"
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
        "largest share of the tolerance": f"{parity['largest_share_of_tolerance']:.3g}",
        "tolerance": f"{described.tolerance.atol:g} + {described.tolerance.rtol:g}·|x|",
    }
    attempts = conversion.description.conversion["attempts"]
    body = [
        f"<h1>{escape(described.name)} {escape(described.version)}</h1>",
        _verdict(parity),
        f"<p class=soft>{escape(withheld(_source(conversion)))}</p>",
        "" if conversion.golden is None else f"<p>{escape(conversion.golden.line)}.</p>",
        '<div class="facts">' + "".join(_fact(label, value) for label, value in facts.items()) + "</div>",
        *(_answers(conversion) if parity.get("compared", True) else ()),
        *probe_sections(conversion.probe),
        "<h2>Rungs of the ladder</h2>",
        table(
            ("rung", "outcome"),
            [(attempt["rung"], attempt["outcome"]) for attempt in attempts],
            marks={(row, 1): "good" for row, attempt in enumerate(attempts) if attempt["outcome"] == "proven"},
        ),
        "<h2>Edge rows by kind</h2>",
        table(
            ("kind", "#rows", "#of possible", "#differ or refused", "#ties"),
            [
                (
                    kind,
                    f"{found['rows']:,}",
                    _possible(found),
                    _differing(found),
                    found["ties"],
                )
                for kind, found in sorted(edges.items())
            ],
        ),
        _EDGE_ROWS_ARE,
        "<h2>Worst rows</h2>",
        _worst_rows(parity["worst_rows"]),
        "<h2>What goes in and comes out</h2>",
        table(("tensor", "dtype", "shape", "columns"), _tensors(conversion)),
        "<h2>Operators of the graph</h2>",
        f'<p class="soft">{escape(_graph(conversion))}</p>',
        table(("operator", "#nodes"), _operators(conversion)),
    ]
    return page(f"{described.name} {described.version}: conversion", body)


def _verdict(parity: Mapping[str, Any]) -> str:
    if not parity.get("compared", True):
        reference = escape(str(parity["reference"]))
        return f"<p>Unchanged, nothing to compare with: {reference}.</p>"
    return f"<p class=good>Proven: every compared row agrees with {escape(str(parity['reference']))}.</p>"


def _answers(conversion: Conversion) -> tuple[str, ...]:
    charts = '<div class="charts">' + "".join(_charts(conversion)) + "</div>"
    return ("<h2>Original and converted answers</h2>", _CHARTS_ARE, charts)


def _possible(found: Mapping[str, int]) -> str:
    return f"{found.get('possible', found['rows']):,}"


def _differing(found: Mapping[str, int]) -> int:
    return found["labels_wrong"] + found.get("scores_wrong", 0) + found.get("refused", 0)


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
