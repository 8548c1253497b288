"""What `add` and `convert` say of a conversion: the rows that travel, and the page about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift_bundler.errors import ParityError
from sealift_common.console import plain
from sealift_common.files.output import write

if TYPE_CHECKING:
    from sealift_bundler.disclosure import Disclosure
    from sealift_bundler.proof.conversion import Conversion

report_option: Callable[[Any], Any] = click.option(
    "--report",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write a page about the proof and the probe (HTML), or about the rows that differ; it does not travel.",
)
holdout_option: Callable[[Any], Any] = click.option(
    "--holdout",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Rows that the model was not trained on: probes whether its confidence tells them from the samples.",
)


def echo_golden(conversion: "Conversion", graph: str = "") -> None:
    """Say on standard error how many rows of what travel; `graph` names one of several."""
    if conversion.golden is not None:
        click.echo(f"{graph}.{conversion.golden.line}" if graph else conversion.golden.line, err=True)


def golden_document(conversion: "Conversion") -> dict[str, Any] | None:
    """The same for `--json`."""
    return None if conversion.golden is None else asdict(conversion.golden)


def write_report(conversion: "Conversion", path: Path | None, disclosure: "Disclosure | None" = None) -> None:
    """Write the page, where one is asked for; `disclosure` as for `report_html`."""
    if path is not None:
        from sealift_bundler.proof.pages.conversion_page import report_html

        write(path, report_html(conversion, disclosure).encode("utf-8"))


@contextmanager
def reported(path: Path | None) -> Iterator[None]:
    """Write the page also where the converted model gives other answers; it shows the rows that differ."""
    try:
        yield
    except ParityError as error:
        if path is not None and error.refusal:
            from sealift_bundler.proof.pages.refusal_page import refusal_html

            write(path, refusal_html(error.refusal, str(error)).encode("utf-8"))
            click.echo(f"report in {path}", err=True)
        raise


def echo_probe(conversion: "Conversion") -> None:
    """Say what the probe found, a line for each question that it could ask."""
    from sealift_bundler.disclosure import withheld
    from sealift_bundler.proof.pages.probe_page import membership_line, turned_most

    changes = conversion.probe.get("text", {}).get("changes", ())
    if changes:
        most = [(one["change"], turned_most(one)) for one in changes]
        turned = ", ".join(
            f"{change} {one['flips']} of {one['rows']} ({withheld(one.get('label', 'all'))})" for change, one in most
        )
        click.echo(plain(f"  probe: rows of the label that turns most: {turned}"))
    membership = conversion.probe.get("membership", {})
    if "auc" in membership:
        click.echo(f"  probe: {membership_line(membership)}")
