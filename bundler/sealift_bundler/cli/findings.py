"""Lines about what the disclosure scan found; never a value."""

import re
from collections.abc import Mapping, Sequence

import click

from sealift_bundler.disclosure import Acceptance, Disclosure, Finding, withheld
from sealift_bundler.release.recipes.recipe import CARD, Recipe
from sealift_common.console import plain
from sealift_common.wording import counted

# Each fingerprint takes a tenth of a second.
MAX_LINES = 100
_MOST_TODOS = 20
# As `recipe new` writes it; a recipe without the key says nothing of licenses on purpose.
_NO_LICENSE = re.compile(r"^licenses *= *\[ *\]", re.MULTILINE)


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
    echo_unused(disclosure.unused)


def echo_unused(unused: Sequence[Acceptance], refused: Sequence[Finding] = ()) -> None:
    """Say which acceptances fit nothing, and which ones a finding has outgrown."""
    changed = {(finding.kind, finding.file) for finding in refused}
    for one in unused:
        said = f"{one.kind} in {one.file} (fingerprint {one.fingerprint})"
        if (one.kind, one.file) in changed:
            _echo(f"accepted, and now of other values: {said}; where these may leave, too, write the new fingerprint")
        else:
            _echo(f"accepted, and not found: {said}; remove this entry from the recipe")


def reasoned(document: Mapping[str, object]) -> dict[str, object]:
    """Withhold from the reason of an acceptance what nobody may read elsewhere, in `--json` as on the screen."""
    return {**document, "reason": withheld(document["reason"])}


def _echo(line: str) -> None:
    click.echo(plain(line), err=True)


def echo_unfinished(recipe: Recipe) -> None:
    """Warn of what `sealift-bundler recipe new` left to people and nobody wrote: the license, and the card's TODO."""
    if _NO_LICENSE.search(recipe.path.read_text("utf-8", "replace")):
        click.echo(f"warning: {recipe.path.name} names no license; give an SPDX expression in `licenses`", err=True)
    card = recipe.documents.get(CARD)
    if card is None:
        return
    lines = card.read_text("utf-8", "replace").splitlines()
    left = [str(number) for number, line in enumerate(lines, 1) if line.startswith("TODO")]
    if left:
        where = ("line " if len(left) == 1 else "lines ") + ", ".join(left[:_MOST_TODOS])
        click.echo(f"warning: {card.name} says TODO in {where}", err=True)
