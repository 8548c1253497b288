"""`sealift doctor`: what is right and wrong here, and what to do about it. Changes nothing, needs no rights."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from sealift.cli.options import json_option, store_options
from sealift_common.console import plain, print_json


@click.command("doctor")
@store_options
@json_option
def command(store_path: Path, trust_path: Path, as_json: bool) -> None:
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

    store = Store(store_path, trust=trust_path)
    installed = packages.read()
    groups = {
        "machine": machine.judge(machine_facts.read(store)),
        "packages": [*packages.judge(installed), *known_faults.judge(installed.found)],
        "store": health.judge(health_facts.read(store, datetime.now(UTC))),
        "policy": policy.judge(policy_facts.read(store, datetime.now(UTC))),
    }
    findings = [finding for group in groups.values() for finding in group]
    error = worst(findings)
    if as_json:
        print_json(
            {
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
        )
    else:
        for finding in findings:
            remedy = f"; {finding.do}" if finding.do else ""
            code = f" [{finding.error.code}]" if finding.error else ""
            click.echo(plain(f"{finding.level:<8} {finding.about}: {finding.seen}{remedy}{code}"))
    sys.stdout.flush()
    click.get_current_context().exit(0 if error is None else error.exit_code)
