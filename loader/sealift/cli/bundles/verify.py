"""`sealift verify`: would this bundle be accepted here? Changes nothing."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import access_options, bundle_argument, json_option, store_options
from sealift.cli.progress import bytes_bar
from sealift_common.columns import table
from sealift_common.console import plain, print_json
from sealift_common.files import scratch
from sealift_common.wording import human

if TYPE_CHECKING:
    from sealift.inspection.explain import Link
    from sealift.inspection.verify import Verified
    from sealift.registry.access import Access
    from sealift.store import Store


@click.command("verify")
@bundle_argument
@store_options
@click.option(
    "--tmpdir",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=None,
    help="Directory for metadata, and up to 64 MiB of a header of weights [default: the system's].",
)
@click.option(
    "--require-review",
    multiple=True,
    metavar="ROLE",
    help="Role that must have approved each version, on top of the policy; repeat for several.",
)
@click.option("--explain", "explained", is_flag=True, help="Print the whole chain of trust, link by link.")
@access_options
@json_option
def command(
    bundle: tuple[str, ...],
    store_path: Path,
    trust_path: Path,
    tmpdir: Path | None,
    require_review: tuple[str, ...],
    explained: bool,
    ca_file: Path | None,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Check every signature and every byte of a bundle against what is trusted and installed here.

    Headers of weights that nobody converts are checked as well. Installing checks more: that compressed files expand to
    what was signed, and that models still answer the same.

    FILE is a bundle, or all parts of one in any order, or directories that hold them. One part of several is
    compared with its own digest, which finds a bad stick but proves nothing.
    """
    from sealift.errors import Error
    from sealift.inspection.described import DescriptionCheck
    from sealift.inspection.opening import open_bundle, size_of
    from sealift.inspection.verify import verify_head, verify_payload
    from sealift.install.base_files import BaseFiles
    from sealift.registry.access import Access
    from sealift.store import Store
    from sealift.trust import pin

    if _is_one_of_several(bundle):
        _check_part(bundle[0], as_json)
        return
    store = Store(store_path, trust=trust_path)
    state = store.trust_state()
    pinned = pin.read(trust_path, store_path)
    now = datetime.now(UTC)
    access = Access(ca_file, plain_http)
    chain = _chain(bundle, access, pinned, state.read_floor(), now) if explained else []
    try:
        size = size_of(bundle)
        with (
            scratch.folder("sealift-verify", tmpdir) as work,
            bytes_bar(size, "verifying") as progress,
            open_bundle(bundle, progress, access) as source,
        ):
            state.copy_to(work)
            verified = verify_head(source, pinned, work, state.read_floor(), now=now)
            _require_fit(store, verified, max(now, verified.floor.time), require_review)
            BaseFiles(store, verified.release, verified.contents, verified.contents.manifests).require()
            verify_payload(source, verified, DescriptionCheck(verified.contents.manifests, work).take)
    except Error as error:
        if not as_json:
            _echo(_agreeing(chain, str(error)))
        raise
    chain = _agreeing(chain, None)
    if not as_json:
        _echo(chain)
    size = verified.contents.size if size is None else size
    document = _document(verified, size)
    if as_json:
        print_json({**document, "chain": [link.to_dict() for link in chain]} if explained else document)
        return
    if explained:
        click.echo()
    rows = [[m.model.name, m.model.version, human(m.size), m.digest[:19]] for m in verified.contents.manifests]
    click.echo(table(rows, ["model", "version", "size", "digest"]))
    click.echo()
    what = f"{document['channel']} release {document['release']}, {human(size)}"
    click.echo(f"accepted: {what}, signed by {', '.join(verified.signers['targets'])}; every byte was checked")


def _require_fit(store: "Store", verified: "Verified", time: datetime, require_review: tuple[str, ...]) -> None:
    """Refuse what installing would: a bundle stripped of a model's newest version, or one that lacks an approval."""
    from sealift.install.plan import make_plan
    from sealift.install.reviewing import refusal, unapproved
    from sealift.store.contents import generations

    active = generations.active(store.layout)
    serving = active.models if active else {}
    plan = make_plan(verified.release, verified.contents.manifests, store.all_versions(), (), serving, ())
    lacking = unapproved(store, verified, plan, store.policy().tightened(require_review), time)
    if lacking:
        raise refusal(lacking)


def _echo(chain: "list[Link]") -> None:
    for link in chain:
        click.echo(str(link))


def _chain(bundle: tuple[str, ...], access: "Access", pinned: bytes, floor: Any, now: datetime) -> "list[Link]":
    """Read the head alone, so that a refusal still comes with its chain."""
    from sealift.bundle.reader import read_head
    from sealift.inspection.explain import explain
    from sealift.inspection.opening import open_bundle

    with open_bundle(bundle, access=access) as source:
        head = read_head(source)
    return explain(head.metadata, pinned, floor, max(now, floor.time) if floor else now)


def _agreeing(chain: "list[Link]", refusal: str | None) -> "list[Link]":
    if not chain:
        return chain
    from sealift.inspection.explain import agree

    return agree(chain, refusal)


def _is_one_of_several(bundle: tuple[str, ...]) -> bool:
    from sealift.bundle.parts import is_part, read_header
    from sealift.registry.address import has_scheme

    if len(bundle) > 1 or has_scheme(bundle[0]) or Path(bundle[0]).is_dir() or not is_part(bundle[0]):
        return False
    return read_header(bundle[0]).count > 1


def _check_part(path: str, as_json: bool) -> None:
    from sealift.bundle.parts import check_part, read_header

    with bytes_bar(read_header(path).length, "verifying") as progress:
        header = check_part(path, progress)
    if as_json:
        print_json({"verdict": "intact", "trusted": False, "part": asdict(header)})
        return
    click.echo(plain(f"intact: part {header.number} of {header.count} of {header.bundle}, {human(header.length)}"))
    click.echo("This part is as it was written; verify all parts together to know whether to trust them.")


def _document(verified: "Verified", size: int) -> dict[str, Any]:
    release = verified.release
    return {
        "verdict": "accepted",
        "channel": release.channel,
        "release": release.number,
        "released": f"{release.released:%Y-%m-%dT%H:%M:%SZ}",
        "size": size,
        "signers": {role: list(names) for role, names in verified.signers.items()},
        "models": [
            {"name": m.model.name, "version": str(m.model.version), "digest": m.digest, "size": m.size}
            for m in verified.contents.manifests
        ],
    }
