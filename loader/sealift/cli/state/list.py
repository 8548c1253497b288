"""`sealift list`: the active models."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift.cli.options import json_option, store_options
from sealift_common.clock import rfc3339
from sealift_common.console import print_json, table
from sealift_common.wording import human

if TYPE_CHECKING:
    from sealift.policy.mark import Mark


@click.command("list")
@store_options
@json_option
def command(store_path: Path, trust_path: Path, as_json: bool) -> None:
    """List the models that applications get, with version, size and digest, and how their approvals stand."""
    from sealift.policy.mark import mark
    from sealift.store import Store

    store = Store(store_path, trust=trust_path)
    generation, release = moment = store.moment()
    installed = [
        store.find(name, moment=moment) for name, model in generation.models.items() if model in release.models
    ]
    policy, floor = store.policy(), store.trust_state().read_floor()
    now = datetime.now(UTC) if floor is None else max(datetime.now(UTC), floor.time)
    marks = {found.model: mark(policy, release, found.manifest, now) for found in installed}
    if as_json:
        print_json(
            [
                {
                    "name": found.model.name,
                    "version": str(found.model.version),
                    "size": found.manifest.size,
                    "digest": found.manifest.digest,
                    "path": str(found.path),
                    "review": _review(marks[found.model]),
                }
                for found in installed
            ]
        )
        return
    rows = [[f.model.name, f.model.version, human(f.manifest.size), f.manifest.digest[:19]] for f in installed]
    heads = ["model", "version", "size", "digest"]
    if any(str(one or "") for one in marks.values()):
        heads.append("reviews")
        rows = [[*row, str(marks[found.model] or "")] for row, found in zip(rows, installed, strict=True)]
    click.echo(table(rows, heads))


def _review(found: "Mark | None") -> dict[str, str | None] | None:
    if found is None:
        return None
    return {"state": found.state, "until": None if found.until is None else rfc3339(found.until)}
