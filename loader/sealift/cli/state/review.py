"""`sealift review`: who approved a model until when, and the signed statements for other tools."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift.cli.options import json_option, model_argument, store_options, version_option
from sealift_common.columns import table
from sealift_common.console import plain, print_json

if TYPE_CHECKING:
    from sealift.inspection.reviewed import Reviewed


@click.command("review")
@model_argument
@version_option
@click.option(
    "--html",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write the same as a page that needs nothing else.",
)
@click.option(
    "--attestations",
    "folder",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="Write each statement as a DSSE envelope, and each key that signed one; DIR is made if it is not there.",
)
@store_options
@json_option
def command(
    name: str,
    version: str | None,
    html: Path | None,
    folder: Path | None,
    store_path: Path,
    trust_path: Path,
    as_json: bool,
) -> None:
    """Show who approved model NAME, until when, and whether that is enough for this instance.

    A version that lacks an approval is shown as well, and the exit status is 0: `sealift check` judges.
    """
    from sealift.inspection.review_page import review_html
    from sealift.inspection.reviewed import attestations, reviewed
    from sealift.store import Store
    from sealift_common.files.output import PAGE, require_place, write

    store = Store(store_path, trust=trust_path)
    moment = store.moment()
    installed = store.find(name, version, moment=moment)
    # The release itself shows that its time has passed.
    now = max(datetime.now(UTC), moment[1].released)
    found = reviewed(moment[1], installed.manifest, store.policy(), now)
    exported = [] if folder is None else list(attestations(found))
    if html is not None:
        require_place(html, device=True, kind=PAGE)
    if folder is not None:
        _make(folder)
        for file, _ in exported:
            require_place(folder / file)
        for file, data in exported:
            write(folder / file, data)
    if html is not None:
        write(html, review_html(found, now).encode("utf-8"))
    if as_json:
        print_json({**found.document(now), "attestations": [str((folder or Path()) / file) for file, _ in exported]})
        return
    _print(found, now)
    for file, _ in exported:
        click.echo(f"wrote {(folder or Path()) / file}")


def _make(folder: Path) -> None:
    from sealift.errors import UsageError

    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise UsageError(f"output {str(folder)!r} is not a folder; name another, or remove it") from None


def _print(found: "Reviewed", now: datetime) -> None:
    from sealift.inspection.review_page import HEADS, decision_rows, policy_line

    click.echo(f"{found.model}   channel {found.channel}, release {found.release}")
    click.echo(f"digest   {found.digest}")
    click.echo(plain(f"policy   {policy_line(found)}"))
    if found.excepted is not None:
        click.echo(plain(f"excepted until {found.excepted.until:%Y-%m-%d}: {found.excepted.reason}"))
    rows = [list(row) for row in decision_rows(found, now)]
    click.echo()
    click.echo(table(rows, list(HEADS)) if rows else "nobody has decided about this version")
    click.echo()
    if found.unmet:
        click.echo(plain(f"it is not loaded here: {'; '.join(found.unmet)}"))
    elif found.unmet_for_installing:
        click.echo(plain(f"it is loaded, and would not be installed anew: {'; '.join(found.unmet_for_installing)}"))
    else:
        click.echo("it may be installed and loaded here")
