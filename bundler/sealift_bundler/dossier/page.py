"""The dossier as a page. The order is that of a reviewer's questions; everything in it is escaped."""

from collections.abc import Iterator

import numpy as np

from sealift_bundler.dossier.answers import answers_section
from sealift_bundler.dossier.approvals import approval_section
from sealift_bundler.dossier.differences import differences_section
from sealift_bundler.dossier.gathering import Graph, Version
from sealift_bundler.dossier.materials import files_section, materials_section
from sealift_bundler.dossier.replaying import Replayed, of_graph
from sealift_bundler.proof.pages.chart import Points, equal_line, scatter
from sealift_bundler.proof.pages.findings import AUTHORS, findings_section
from sealift_bundler.proof.pages.probe_page import probe_sections
from sealift_bundler.proof.pages.proof_sections import proof_facts, proof_tables, source_line, verdict
from sealift_bundler.proof.pages.table import shown
from sealift_common.contents.summary import provenance_lines
from sealift_common.errors import MalformedError
from sealift_common.pages.page import facts, page
from sealift_common.wording import human

_CHARTS_ARE = (
    '<p class="soft">The recorded examples: what the original answered, and what this graph answered on the machine '
    "that made this page. Points on the dashed line are equal.</p>"
)


def dossier_html(version: Version, replayed: Replayed) -> str:
    """Write the page.

    Args:
        replayed: what its graphs answered here.

    Raises:
        MalformedError: what the probe found is not as `add` writes it.
    """
    return page(f"{version.model}: dossier", _body(version, replayed))


def _body(version: Version, replayed: Replayed) -> Iterator[str]:
    yield from _head(version)
    yield from approval_section(version)
    yield from answers_section(version)
    record = version.contents.record
    if record is not None:
        authors = [{**one, "reason": AUTHORS} for one in record.authors]
        yield from findings_section([*record.accepted, *authors])
    for graph in version.graphs:
        yield from _graph(graph, version, replayed)
    if not version.graphs:
        yield "<h2>Proof</h2><p>These files are carried and not run: their bytes are proven, and no answers.</p>"
    yield from differences_section(version)
    yield from materials_section(version)
    yield from files_section(version)


def _head(version: Version) -> Iterator[str]:
    manifest, descriptor = version.contents.manifest, version.contents.manifest.descriptor
    yield f"<h1>{shown(version.model)}</h1>"
    title = descriptor.get("title")
    if title:
        yield f"<p>{shown(title)}</p>"
    yield f'<p class="soft">channel {shown(version.channel)}; {shown(version.state)}</p>'
    if descriptor.get("description"):
        yield f"<p>{shown(descriptor['description'])}</p>"
    yield f"<p>The digest that reviewers approve: <code>{shown(manifest.digest)}</code></p>"
    record = version.contents.record
    yield facts(
        [
            ("files", f"{len(manifest.files):,}"),
            ("size", human(manifest.size)),
            ("license", ", ".join(version.contents.licenses) or "not stated"),
            ("class of risk", "not answered" if record is None else record.risk),
            ("golden rows", _golden(version)),
            *(("pipeline", one) for one in provenance_lines(version.contents)),
        ]
    )


def _golden(version: Version) -> str:
    proof = version.contents.proof
    return "none" if proof is None else proof.golden or "not stated"


def _graph(graph: Graph, version: Version, replayed: Replayed) -> Iterator[str]:
    of = f" of graph {shown(graph.name)}" if graph.name else ""
    yield f"<h2>Proof{of}</h2>"
    yield verdict(graph.described)
    yield source_line(graph.described)
    yield proof_facts(graph.described)
    answers = list(of_graph(replayed, graph.name))
    if replayed.problem:
        yield f'<p class="bad">It did not answer here: {shown(replayed.problem)}</p>'
    elif replayed.skipped:
        yield f'<p class="soft">{shown(replayed.skipped)}</p>'
    elif answers:
        yield "<h3>Recorded answers, and those of this machine</h3>"
        yield _CHARTS_ARE
        charts = []
        for one in answers:
            if one.expected is None or one.got is None:
                charts.append(equal_line(one.output, one.equal, one.of))
            else:
                charts.append(
                    scatter(one.output, Points(np.array(one.expected), np.array(one.got)), ("recorded", "here"))
                )
        yield f'<div class="charts">{"".join(charts)}</div>'
    yield from proof_tables(graph.described)
    try:
        yield from probe_sections(graph.probe)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise MalformedError(
            f"the probe in the record of {version.model} is not as `add` writes it: {error!r}"
        ) from None
