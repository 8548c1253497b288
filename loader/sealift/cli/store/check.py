"""`sealift check`: is everything in the store still what was signed? And put it right, given a bundle."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import access_options, json_option, store_options, tmpdir_option
from sealift.cli.progress import bytes_bar
from sealift_common.columns import table
from sealift_common.console import plain, print_json
from sealift_common.wording import counted, human

if TYPE_CHECKING:
    from sealift.registry.access import Access
    from sealift.store import Store
    from sealift.store.upkeep.check import CheckReport
    from sealift_common.names import ModelVersion


@click.command("check")
@store_options
@click.option(
    "--repair",
    "bundle",
    metavar="BUNDLE",
    type=click.Path(readable=False),
    default=None,
    help="Restore damaged models from this bundle, the directory of its parts, or the address of a release, "
    "then check again. Activates nothing.",
)
@tmpdir_option
@access_options
@json_option
def command(
    store_path: Path,
    trust_path: Path,
    bundle: str | None,
    tmpdir: Path | None,
    ca_file: Path | None,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Compare everything in the store with what is signed, and report all damage at once."""
    from sealift.errors import Error
    from sealift.registry.access import Access
    from sealift.store import Store

    store = Store(store_path, trust=trust_path)
    if bundle is not None:
        from sealift.inspection.opening import size_of

        # A mistyped name is told also where there is nothing to repair.
        size_of(bundle)
    report = _check(store)
    repaired: list[ModelVersion] = []
    refusal = None
    if bundle is not None and report.damaged_models():
        try:
            repaired = _repair(bundle, store, report, tmpdir, Access(ca_file, plain_http))
        except Error as error:
            refusal = error
        else:
            report = _check(store)
    if as_json:
        print_json(_document(store, report, repaired))
    else:
        _print(report, repaired)
    if refusal is not None:
        raise refusal
    worst = report.worst()
    if worst is not None:
        found = "1 finding" if len(report.findings) == 1 else f"{len(report.findings)} findings"
        raise type(worst)(f"the store {str(store_path)!r} is not as Sealift left it: {found}, listed on stdout")


def _check(store: "Store") -> "CheckReport":
    from sealift.store.upkeep.check import check

    return check(store, progress=lambda total: bytes_bar(total, "checking"))


def _repair(
    bundle: str, store: "Store", report: "CheckReport", tmpdir: Path | None, access: "Access"
) -> "list[ModelVersion]":
    from sealift.inspection.opening import size_of
    from sealift.install.repair import repair

    with bytes_bar(size_of(bundle), "repairing") as progress:
        return repair(
            bundle,
            store,
            report.damaged_models(),
            now=datetime.now(UTC),
            tmpdir=tmpdir,
            bytes_read=progress,
            access=access,
        )


def _document(store: "Store", report: "CheckReport", repaired: "list[ModelVersion]") -> dict[str, Any]:
    return {
        "store": str(store.layout.root),
        "channel": report.release.channel if report.release else None,
        "release": report.release.number if report.release else None,
        "clean": not report.findings,
        "checked": {
            "models": report.models,
            "files": report.files,
            "bytes": report.size,
            "generations": report.generations,
        },
        "findings": [
            {
                "where": finding.where,
                "model": finding.model.reference if finding.model else None,
                "code": finding.error.code,
                "exit_code": finding.error.exit_code,
                "problem": str(finding.error),
            }
            for finding in report.findings
        ],
        "notes": [{"where": where, "note": text} for where, text in report.notes],
        "repaired": [model.reference for model in repaired],
    }


def _print(report: "CheckReport", repaired: "list[ModelVersion]") -> None:
    for model in repaired:
        click.echo(f"repaired {model}")
    if report.findings:
        rows = [[finding.where, finding.error.code, str(finding.error)] for finding in report.findings]
        click.echo(table(rows, ["where", "code", "problem"]))
    for where, text in report.notes:
        click.echo(plain(f"note: {where}: {text}"))
    what = [
        counted(report.models, "model version"),
        counted(report.files, "file"),
        human(report.size),
        counted(report.generations, "generation"),
    ]
    click.echo(f"checked {', '.join(what)}" + ("" if report.findings else ": all is as it was signed"))
