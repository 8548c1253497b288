"""`sealift doctor`: what is right and wrong here, and what to do about it. Changes nothing, needs no rights."""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import json_option, store_options
from sealift_common.console import colored, plain, print_json
from sealift_common.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealift.doctor.finding import Finding
    from sealift.errors import Error


@click.command("doctor")
@click.option(
    "--report",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Also write a tar of facts for support: no keys, tokens, rows or answers; read it before you send it.",
)
@store_options
@json_option
def command(report: Path | None, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Look at this machine, the store and the pinned root. The exit status is that of the worst problem."""
    from sealift.doctor import (
        health,
        health_facts,
        known_faults,
        machine,
        machine_facts,
        packages,
        policy,
        policy_facts,
    )
    from sealift.doctor.finding import worst
    from sealift.store import Store
    from sealift_common.files.output import SUPPORT_REPORT, require_place, write

    if report is not None:
        require_place(report, kind=SUPPORT_REPORT)
    store = Store(store_path, trust=trust_path)
    installed = packages.read()
    groups: dict[str, Sequence[Finding]] = {
        "machine": machine.judge(machine_facts.read(store)),
        "packages": [*packages.judge(installed), *known_faults.judge(installed.found)],
        "store": health.judge(health_facts.read(store, datetime.now(UTC))),
        "policy": policy.judge(policy_facts.read(store, datetime.now(UTC))),
    }
    findings = [finding for group in groups.values() for finding in group]
    error = worst(findings)
    document = _document(groups, error)
    if as_json:
        print_json(document)
    else:
        for finding in findings:
            remedy = f"; {finding.do}" if finding.do else ""
            code = f" [{finding.error.code}]" if finding.error else ""
            click.echo(colored(plain(f"{finding.level:<8} {finding.about}: {finding.seen}{remedy}{code}")))
        click.echo(_verdict(findings, error))
    sys.stdout.flush()
    if report is not None:
        from sealift.cli.state.support_report import support_report

        # Last: where it finds no room, the findings are on the screen already.
        write(report, support_report(store, document, datetime.now(UTC)), mode=0o600)
        if not as_json:
            click.echo(f"wrote {report}; read it before you send it")
            sys.stdout.flush()
    click.get_current_context().exit(0 if error is None else error.exit_code)


def _document(groups: "Mapping[str, Sequence[Finding]]", error: "type[Error] | None") -> dict[str, Any]:
    return {
        "worst": None if error is None else error.code,
        "findings": [
            {
                "group": group,
                "about": finding.about,
                "level": finding.level,
                "seen": finding.seen,
                "do": finding.do or None,
                "error": None if finding.error is None else finding.error.code,
            }
            for group, members in groups.items()
            for finding in members
        ],
    }


def _verdict(findings: "Sequence[Finding]", error: "type[Error] | None") -> str:
    levels = Counter(finding.level for finding in findings)
    said = [counted(levels[level], level) for level in ("problem", "warning") if levels[level]]
    if levels["unknown"]:
        said.append(f"{levels['unknown']} not looked at")
    if error is not None:
        return f"verdict: {', '.join(said)}; the worst is {error.code!r}, exit status {error.exit_code}"
    return f"verdict: no problem{', ' + ', '.join(said) if said else ''}"
