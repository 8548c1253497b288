"""Lines about what the disclosure scan found; never a value."""

from collections.abc import Sequence

import click

from sealift_bundler.disclosure import Disclosure, Finding, withheld
from sealift_common.console import plain
from sealift_common.wording import counted

# Each fingerprint takes a tenth of a second.
MAX_LINES = 100


def echo_findings(findings: Sequence[Finding], before: str = "") -> None:
    """Say of each finding what `[[accepted]]` would name.

    Args:
        before: what each line begins with.
    """
    for finding in findings[:MAX_LINES]:
        _echo(f"{before}{finding.line()} (fingerprint {finding.fingerprint})")
    if len(findings) > MAX_LINES:
        _echo(f"and {counted(len(findings) - MAX_LINES, 'more finding')}")


def echo_disclosure(disclosure: Disclosure) -> None:
    """Say what leaves although it was found, and which acceptances fit nothing."""
    for one in disclosure.accepted:
        _echo(f"accepted: {one.finding.line()}: {withheld(one.reason)}")
    for finding in disclosure.authors:
        _echo(f"addresses of authors: {finding.line()}")
    for unused in disclosure.unused:
        _echo(
            f"accepted, and not found: {unused.kind} in {unused.file} (fingerprint {unused.fingerprint}); "
            "remove this entry from the recipe"
        )


def _echo(line: str) -> None:
    click.echo(plain(line), err=True)
