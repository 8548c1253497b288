"""Options and lines that the commands which sign share."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from sealift_common import fingerprint
from sealift_common.clock import rfc3339
from sealift_common.console import plain, print_json, typed
from sealift_common.contents.summary import Summary, lines, summary_document
from sealift_common.errors import Error
from sealift_common.review.statement import Statement
from sealift_keys.ceremony.revocation import targets_keys_to_replace
from sealift_keys.ceremony.roster import root_changes, roster
from sealift_keys.ceremony.rotation import Changed
from sealift_keys.ceremony.signing import Signed
from sealift_keys.channel.directory import ROLES, Channel
from sealift_keys.channel.status import ChannelStatus, status

FILE = click.Path(path_type=Path)
# A path, or the URI of a key in a token or service; see `sealift_keys.keyfiles.signers`.
KEY = click.Path()

passphrase_file_option: Callable[[Any], Any] = click.option(
    "--passphrase-file",
    "passphrase_files",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="File of mode 0600 with the passphrase, or /dev/stdin; one for all keys, or one for each --key in order.",
)


directory_argument: Callable[[Any], Any] = click.argument("directory", metavar="DIR", type=FILE)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
SEVERAL = "repeat for several"
sign_option_text = (
    f"Private key to sign the change with right away; {SEVERAL}. Others sign later with: sealift-keys sign."
)


def complete_keys(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the names of the keys that may sign the channel DIR."""
    try:
        keys = roster(Channel.open(typed(ctx, "directory"))).keys
    except (Error, OSError):
        return []
    return [key.name for key in keys if key.name.startswith(incomplete)]


def role_option(*, required: bool, text: str) -> Callable[[Any], Any]:
    """The repeatable `--role ROLE`."""
    return click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=required, help=text)


def report_change(channel: Channel, changed: Changed, *, as_json: bool, extra: dict[str, Any] | None = None) -> None:
    """Say what a ceremony changed, what is still missing, and the next command."""
    state, also = status(channel), targets_keys_to_replace(channel)
    if as_json:
        document = {
            **state.to_dict(),
            **(extra or {}),
            "targets_keys_to_replace": list(also),
            "changed": list(changed.lines),
            "signed": signed_documents(changed.signed),
            "written": [{"role": role, "version": version} for role, version in changed.written],
        }
        print_json(document)
        return
    for line in changed.lines:
        click.echo(line)
    click.echo("wrote " + ", ".join(f"{role} {version}" for role, version in changed.written))
    echo_signed(changed.signed)
    echo_state(state)
    if also:
        removals = " ".join(f"--remove {key}" for key in also)
        click.echo(
            f"ALL targets keys must go, {', '.join(also)} as well: the revoked keys were enough to sign targets, and "
            "an instance that installed a thief's release refuses yours as older until then. Run: "
            f"sealift-keys rotate {channel.directory} --role targets {removals} --add NEW.pem.pub --key …"
        )


def signed_documents(made: Sequence[Signed]) -> list[dict[str, Any]]:
    """Return the signatures as `--json` prints them."""
    return [{"key": one.key_name, "role": one.role, "version": one.version} for one in made]


def review_line(statement: Statement) -> str:
    """Say in one line what a reviewer decided."""
    until = f" until {statement.expires:%Y-%m-%d}" if statement.expires else ""
    note = f": {plain(statement.note)!r}" if statement.note else ""
    models = ", ".join(str(subject.model) for subject in statement.subjects)
    return f"{models} {statement.decision} for {statement.role}{until}{note}"


def review_document(statement: Statement) -> dict[str, Any]:
    """Return the same as `--json` prints it."""
    return {
        "decision": statement.decision,
        "expires": None if statement.expires is None else rfc3339(statement.expires),
        "models": [{"digest": one.digest, "name": one.model.reference} for one in statement.subjects],
        "note": statement.note,
        "role": statement.role,
        "serial": statement.serial,
    }


def _use_module(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        # securesystemslib takes it from nowhere else.
        os.environ["PYKCS11LIB"] = str(value)


pkcs11_option: Callable[[Any], Any] = click.option(
    "--pkcs11-module",
    type=FILE,
    metavar="FILE",
    envvar="PYKCS11LIB",
    expose_value=False,
    callback=_use_module,
    help="PKCS#11 module of the token that holds an hsm: key.",
)


def key_option(*, required: bool, text: str) -> Callable[[Any], Any]:
    """The repeatable `--key FILE`, and `--pkcs11-module` with it."""
    keys = click.option("--key", "keys", type=KEY, multiple=True, required=required, metavar="FILE", help=text)
    return lambda command: keys(pkcs11_option(command))


def echo_signed(made: Sequence[Signed]) -> None:
    """Print one line for each signature that was added."""
    for one in made:
        click.echo(f"signed {one.role} {one.version} as {one.key_name!r}")


def echo_root_changes(channel: Channel, *, err: bool = False) -> None:
    """Print what the newest root changes, so that nobody signs it unread."""
    changes = root_changes(channel)
    if changes:
        number = channel.root_versions()[-1]
        click.echo(f"root {number} changes:" if number > 1 else "root 1, the first, says who may sign:", err=err)
    for line in changes:
        click.echo(f"  {line}", err=err)


def echo_state(state: ChannelStatus, following: str = "") -> None:
    """Print each role's signatures, what else is wrong, and the next command: `following`, or what `state` says."""
    echo_roles(state)
    click.echo(f"next: {following or state.next_command()}")


def echo_fingerprint(state: ChannelStatus, signed: Iterable[Signed]) -> None:
    """Print the fingerprint to publish, where the first root has just got the last of its signatures."""
    if state.root_fingerprint and any(one.role == "root" and one.version == 1 for one in signed):
        click.echo(f"root fingerprint, to publish out of band: {fingerprint.grouped(state.root_fingerprint)}")


def echo_roles(state: ChannelStatus) -> None:
    """Print each role's signatures, and whether the files belong together."""
    for role in state.roles:
        click.echo(role.line())
    if state.inconsistent:
        click.echo(state.inconsistent)


def contents_document(summary: Summary | None) -> dict[str, Any] | None:
    """Return the same as `echo_contents` prints, for `--json`."""
    return None if summary is None else summary_document(summary)


def echo_contents(summary: Summary | None, *, err: bool = False) -> None:
    """Print which models a release brings, changes and withdraws; nothing where no release waits."""
    for line in () if summary is None else lines(summary):
        click.echo(line, err=err)
