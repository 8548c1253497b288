"""A conversion as one page to look at: what was proven, on which rows, and what the graph is made of.

What the disclosure scan finds in names and labels is withheld from it.
"""

from collections import Counter
from typing import Any

import onnx

from sealift.model.documents.description import GOLDEN_FILE, GRAPH_FILE
from sealift.model.documents.golden import parse
from sealift_bundler.disclosure import Disclosure, judge
from sealift_bundler.proof.conversion import Conversion
from sealift_bundler.proof.pages.chart import Points, equal_line, scatter
from sealift_bundler.proof.pages.findings import disclosure_rows, findings_section
from sealift_bundler.proof.pages.probe_page import probe_sections
from sealift_bundler.proof.pages.proof_sections import proof_facts, proof_tables, source_line, verdict
from sealift_bundler.proof.pages.table import shown, table
from sealift_common.pages.page import page

CHARTS_ARE = (
    '<p class="soft">The recorded examples: what the original answered, and what the converted model answers '
    "here. Points on the dashed line are equal.</p>"
)


def report_html(conversion: Conversion, disclosure: Disclosure | None = None) -> str:
    """Write the page about a proven conversion.

    Args:
        disclosure: what was found in all files of the version, and accepted; None judges those of the conversion alone.
    """
    described = conversion.description
    body = [
        f"<h1>{shown(described.name)} {shown(described.version)}</h1>",
        verdict(described),
        source_line(described),
        "" if conversion.golden is None else f"<p>{shown(conversion.golden.line)}.</p>",
        proof_facts(described),
        *(_answers(conversion) if described.parity.get("compared", True) else ()),
        *findings_section(disclosure_rows(disclosure or judge(conversion.findings))),
        *probe_sections(conversion.probe),
        "<h2>Proof</h2>",
        *proof_tables(described),
        "<h3>Operators of the graph</h3>",
        f'<p class="soft">{shown(_graph(conversion))}</p>',
        table(("operator", "#nodes"), _operators(conversion)),
    ]
    return page(f"{described.name} {described.version}: conversion", body)


def _answers(conversion: Conversion) -> tuple[str, ...]:
    charts = '<div class="charts">' + "".join(_charts(conversion)) + "</div>"
    return ("<h2>Original and converted answers</h2>", CHARTS_ARE, charts)


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
                charts.append(equal_line(name, int((got == expected).sum()), expected.size))
    return charts


def _graph(conversion: Conversion) -> str:
    requires = conversion.description.requires
    opsets = ", ".join(f"{domain} {opset}" for domain, opset in sorted(requires.opsets.items()))
    size = len(conversion.files[GRAPH_FILE])
    return f"{size:,} bytes; opsets {opsets}; runs on ONNX Runtime {requires.onnxruntime} and newer"


def _operators(conversion: Conversion) -> list[tuple[str, int]]:
    graph = onnx.load_model_from_string(conversion.files[GRAPH_FILE]).graph
    counted = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in graph.node)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
