"""What a release changes, as a page."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from sealift_bundler.proof.pages.table import shown, table
from sealift_common.contents.summary import Summary, decision_line, proof_line, provenance_lines, record_lines
from sealift_common.names import ModelVersion
from sealift_common.pages.page import facts, line, page
from sealift_common.review.reviewers import demand_line
from sealift_common.wording import human


def preview_html(summary: Summary, links: Mapping[ModelVersion, str] = MappingProxyType({})) -> str:
    """Write the page; what the disclosure scan finds in texts is withheld from it.

    Args:
        links: relative URLs of the dossiers of some versions.
    """
    after = summary.after
    return page(f"{after.channel}, release {after.number}", _body(summary, links))


def _body(summary: Summary, links: Mapping[ModelVersion, str]) -> Iterator[str]:
    after, changes = summary.after, summary.changes
    against = "the first release" if summary.before is None else f"against release {summary.before.number}"
    yield f"<h1>{shown(after.channel)}, release {after.number}</h1>"
    yield f'<p class="soft">{against}</p>'
    demanded = demand_line(after.reviewers)
    if demanded:
        yield f"<p>{shown(demanded[0].upper() + demanded[1:])}.</p>"
    if summary.digest:
        yield f"<p>Targets, as signatures cover them: <code>{summary.digest}</code></p>"
    else:
        yield "<p>This release is not made yet.</p>"
    counted = {"new": len(changes.new), "withdrawn": len(changes.withdrawn), "as before": changes.kept}
    yield facts((name, f"{number:,}") for name, number in counted.items())
    yield from _alarms(summary)
    yield "<h2>New versions</h2>"
    yield table(("model", "version", "after", "#files", "#size", "license"), map(_row(summary), changes.new))
    for model, blob in changes.new.items():
        yield f"<h2>{_linked(model, links)}</h2><p><code>{blob.digest}</code></p>"
        contents = summary.contents.get(model)
        if contents is None:
            yield '<p class="bad">Its files are not in this copy of the channel: nothing can be said of them.</p>'
            continue
        mark = "bad" if contents.proof is None or contents.proof.wrong else "good"
        yield f'<p class="{mark}">{shown(proof_line(contents))}</p>'
        said = (
            *provenance_lines(contents),
            *record_lines(contents),
            *map(decision_line, summary.decisions.get(model, ())),
        )
        yield from (f"<p>{shown(one)}</p>" for one in said)
        files = contents.manifest.files
        yield table(
            ("file", "#bytes", "digest"), [(one.name, f"{one.plain.size:,}", one.plain.digest) for one in files]
        )
    yield "<h2>Withdrawn versions</h2>"
    yield table(
        ("model", "version", "reason"),
        [(entry.model.name, entry.model.version, entry.reason) for entry in changes.withdrawn],
    )


def _linked(model: ModelVersion, links: Mapping[ModelVersion, str]) -> str:
    return f'<a href="{line(links[model])}">{shown(model)}</a>' if model in links else shown(model)


def _alarms(summary: Summary) -> Iterator[str]:
    changes = summary.changes
    alarms = [f"{model} was withdrawn, and is listed all the same" for model in changes.returned]
    alarms += [f"{model} was {old.digest} and is {new.digest}" for model, (old, new) in changes.changed.items()]
    alarms += [f"{model} is no longer listed, and was not withdrawn" for model in changes.gone]
    yield from (f'<p class="bad">Do not sign this: {shown(alarm)}.</p>' for alarm in alarms)


def _row(summary: Summary) -> Callable[[ModelVersion], tuple[object, ...]]:
    def row(model: ModelVersion) -> tuple[object, ...]:
        contents = summary.contents.get(model)
        lower, _ = summary.changes.predecessors.get(model, (None, None))
        known = (model.name, model.version, "" if lower is None else lower.version)
        if contents is None:
            return (*known, "", "", "")
        manifest = contents.manifest
        return (*known, len(manifest.files), human(manifest.size), ", ".join(contents.licenses) or "not stated")

    return row
