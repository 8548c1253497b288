"""`sealift diff`: what changes from one bundle to another, before anybody carries it."""

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import access_options, json_option
from sealift_common.console import plain, print_json
from sealift_common.wording import counted, human, spaced

if TYPE_CHECKING:
    from sealift.inspection.outline import Outline
    from sealift.registry.access import Access

_MOST_LINES = 20
_MOST_CHARS = 120


@click.command("diff")
@click.argument("before", metavar="A", type=click.Path(readable=False))
@click.argument("after", metavar="B", type=click.Path(readable=False))
@access_options
@json_option
def command(before: str, after: str, ca_file: Path | None, plain_http: bool, as_json: bool) -> None:
    """Show what changes from bundle A to bundle B: models, files, inputs and outputs, proofs, withdrawals.

    A and B are bundles, directories of their parts, or addresses of releases in a registry. Reads heads and
    descriptions; checks for damage, not trust.
    """
    from sealift.registry.access import Access

    document = compare(before, after, Access(ca_file, plain_http))
    if as_json:
        print_json(document)
    else:
        _print(document)


def compare(before: str, after: str, access: "Access") -> dict[str, Any]:
    """Return the document that `--json` prints."""
    from sealift.inspection.difference import compare_models
    from sealift.inspection.outline import read_outline
    from sealift.model.documents.description import FILE_NAME, ModelDescription

    one, other = read_outline(before, access=access), read_outline(after, access=access)
    old, new = one.newest(), other.newest()
    changed = [name for name in new if name in old and old[name].digest != new[name].digest]
    one = read_outline(before, document=FILE_NAME, models=[old[name].model for name in changed], access=access)
    other = read_outline(after, document=FILE_NAME, models=[new[name].model for name in changed], access=access)

    def described(outline: "Outline", model: Any) -> ModelDescription | None:
        data = outline.documents.get(model)
        return None if data is None else ModelDescription.parse(data)

    differences = [
        compare_models(old[name], new[name], (described(one, old[name].model), described(other, new[name].model)))
        for name in changed
    ]
    withdrawn = {withdrawal.model for withdrawal in one.claims.release.withdrawn}
    return {
        "trusted": False,
        "before": _bundle(before, one),
        "after": _bundle(after, other),
        "same_root": one.claims.root_fingerprint == other.claims.root_fingerprint,
        "added": [_model(new[name]) for name in new if name not in old],
        "removed": [_model(old[name]) for name in old if name not in new],
        "changed": [
            {
                "name": found.after.name,
                "before": str(found.before.version),
                "after": str(found.after.version),
                "same_interface": found.same_interface,
                **{
                    part: [change.to_dict() for change in getattr(found, part)]
                    for part in ("files", "inputs", "outputs", "columns", "figures")
                },
            }
            for found in differences
        ],
        "unchanged": [old[name].model.reference for name in new if name in old and name not in changed],
        "withdrawn": [
            {"model": withdrawal.model.reference, "reason": withdrawal.reason, "at": withdrawal.at}
            for withdrawal in other.claims.release.withdrawn
            if withdrawal.model not in withdrawn
        ],
    }


def _bundle(path: str, outline: "Outline") -> dict[str, Any]:
    release = outline.claims.release
    return {
        "path": path,
        "channel": release.channel,
        "release": release.number,
        "released": f"{release.released:%Y-%m-%dT%H:%M:%SZ}",
        "size": outline.size,
    }


def _model(manifest: Any) -> dict[str, Any]:
    return {
        "name": manifest.model.name,
        "version": str(manifest.model.version),
        "size": manifest.size,
        "files": len(manifest.files),
    }


def _print(document: dict[str, Any]) -> None:
    for side in ("before", "after"):
        one = document[side]
        click.echo(plain(f"{side:<6}  {one['channel']} release {one['release']}, {human(one['size'])}, {one['path']}"))
    if not document["same_root"]:
        click.echo("note: the two bundles have different roots; they are not of one channel")
    click.echo()
    for kind in ("added", "removed"):
        for model in document[kind]:
            size = f"{human(model['size'])}, {counted(model['files'], 'file')}"
            click.echo(f"{kind} {model['name']} {model['version']} ({size})")
    for model in document["changed"]:
        _print_changed(model)
    if document["unchanged"]:
        click.echo(f"unchanged {', '.join(map(spaced, document['unchanged']))}")
    for withdrawal in document["withdrawn"]:
        click.echo(plain(f"withdrawn {spaced(withdrawal['model'])}: {withdrawal['reason']!r}"))
    click.echo()
    click.echo("This is what the bundles say of themselves. `sealift verify` shows whether it is true.")


def _print_changed(model: dict[str, Any]) -> None:
    same = "same inputs and outputs" if model["same_interface"] else "INPUTS OR OUTPUTS CHANGE"
    click.echo(f"changed {model['name']} {model['before']} -> {model['after']}: {same}")
    for change in model["files"]:
        click.echo(plain(f"  file {change['name']}: {_sizes(change)}"))
    for part in ("inputs", "outputs", "columns", "figures"):
        for change in model[part][:_MOST_LINES]:
            what = f"{part[:-1]} {change['name']}"
            click.echo(plain(f"  {what}: {_change(_text(change['before']), _text(change['after']))}"))
        if len(model[part]) > _MOST_LINES:
            click.echo(f"  and {len(model[part]) - _MOST_LINES} more {part}; --json lists all")


def _sizes(change: dict[str, Any]) -> str:
    sizes = [None if change[side] is None else f"{change[side]:,} bytes" for side in ("before", "after")]
    if sizes[0] is None or sizes[1] is None:
        return f"new, {sizes[1]}" if sizes[0] is None else f"gone, {sizes[0]}"
    return f"{sizes[0]} -> {sizes[1]}" if sizes[0] != sizes[1] else f"other content, {sizes[0]}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _change(before: str, after: str) -> str:
    """Write both, long ones from shortly before the first character that differs."""
    start = 0
    if max(len(before), len(after)) > _MOST_CHARS:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
        start = max(0, sum(1 for _ in alike) - 40)
    return " -> ".join(_cut(text, start) for text in (before, after))


def _cut(text: str, start: int) -> str:
    end = start + _MOST_CHARS
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
