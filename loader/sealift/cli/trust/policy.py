"""`sealift policy check` and `sealift policy set`: which approvals this instance demands."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift.cli.options import json_option, store_options
from sealift_common.console import plain, print_json

if TYPE_CHECKING:
    from sealift.policy.policy import Policy
    from sealift.store import Store

_FILE = click.Path(path_type=Path, readable=False)


@click.group("policy")
def command() -> None:
    """Decide which approvals of reviewers this instance demands."""


@command.command("check")
@click.argument("policy", metavar="FILE", type=_FILE)
@store_options
@json_option
def check(policy: Path, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Read the policy FILE, and say which active models it would stop; exit status 29 when it stops any."""
    from sealift.store import Store

    store = Store(store_path, trust=trust_path)
    _, parsed = _read(policy, store)
    stopped = _stopped(store, parsed)
    _report(parsed, stopped, as_json=as_json)
    if stopped:
        raise _refusal(stopped, "")


@command.command("set")
@click.argument("policy", metavar="FILE", type=_FILE)
@click.option("--yes", is_flag=True, help="Set it although it stops models that are active.")
@store_options
@json_option
def set_(policy: Path, yes: bool, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Check the policy FILE, and put it beside the pinned root in one step."""
    from sealift import journal
    from sealift.policy.policy import FILE_NAME
    from sealift.store import Store
    from sealift.store.contents import history
    from sealift_common.files import durable
    from sealift_common.files.output import require_place

    store = Store(store_path, trust=trust_path)
    data, parsed = _read(policy, store)
    stopped = _stopped(store, parsed)
    if stopped and not yes:
        raise _refusal(stopped, "; nothing was changed: give --yes to set it all the same")
    path = trust_path / FILE_NAME
    require_place(path)
    durable.write_file(path, data)
    _report(parsed, stopped, as_json=as_json)
    if store_path.is_dir() and os.stat(store_path).st_uid == os.geteuid():
        now = datetime.now(UTC)
        entry = history.append(store.layout.history, "policy", now, policy=parsed.digest, stopped=sorted(stopped))
        override = f"stops what is active: {', '.join(sorted(stopped))}" if stopped else ""
        journal.changed("policy", entry, channel="", models=(), override=override)
    else:
        click.echo("note: the history of the store belongs to another user; its next line names this policy", err=True)
    if not as_json:
        click.echo(f"wrote {path}")


def _read(path: Path, store: "Store") -> "tuple[bytes, Policy]":
    """Read a policy, and what it needs where it will be in force."""
    from sealift.errors import LocalError
    from sealift.policy.place import with_own
    from sealift.policy.policy import parse_policy
    from sealift_common.parsing.strict_toml import read_text

    data = read_text(path, "policy", LocalError).encode()
    return data, with_own(parse_policy(data, str(path)), store.trust_directory, store.layout.root)


def _stopped(store: "Store", policy: "Policy") -> dict[str, str]:
    """Return which active models a policy would not let load, and why."""
    from sealift.errors import NotInstalledError, NoTrustError
    from sealift.policy.verdict import unmet

    try:
        generation, release = moment = store.moment()
    except (NoTrustError, NotInstalledError):
        return {}
    found = {}
    for name, model in generation.models.items():
        if model in release.models:
            said = unmet(policy, release, store.find(name, moment=moment).manifest)
            if said:
                found[str(model)] = "; ".join(said)
    return found


def _refusal(stopped: dict[str, str], more: str) -> Exception:
    from sealift.errors import UnreviewedError

    listed = ". ".join(f"{model}: {why}" for model, why in stopped.items())
    return UnreviewedError(f"this policy stops what is active. {listed}{more}")


def _report(policy: "Policy", stopped: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json({"policy": policy.digest, "roles": list(policy.roles), "stopped": stopped})
        return
    click.echo(f"policy {policy.digest}: {', '.join(policy.roles) or 'no role'} for every version")
    for role in policy.own_keys:
        click.echo(f"  {role}: this site's own reviewers, {', '.join(policy.own_keys[role])}")
    for pattern, roles in policy.models.items():
        click.echo(plain(f"  {pattern}: {', '.join(roles)} as well"))
    for one in policy.exceptions.values():
        ended = ", which has ended" if one.until <= datetime.now(UTC) else ""
        click.echo(plain(f"  except {one.digest} until {one.until:%Y-%m-%d}{ended}: {one.reason}"))
    for model, why in stopped.items():
        click.echo(plain(f"  stops {model}: {why}"))
