"""`sealift push`: bring a bundle into a registry inside the closed network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import access_options, json_option, trust_option
from sealift.cli.progress import bytes_bar, human
from sealift_keys.console import print_json

if TYPE_CHECKING:
    from sealift.registry.address import GitlabAddress, OciAddress


@click.command("push")
@click.argument("bundle", metavar="FILE...", type=click.Path(readable=False), nargs=-1, required=True)
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--as-image",
    is_flag=True,
    help="Push a ready store as a container image of one layer; needs the pinned root, and tries the models here.",
)
@click.option(
    "--tmpdir",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=None,
    help="With --as-image: directory with room for two copies of the store [default: the system's].",
)
@trust_option
@access_options
@json_option
def command(
    bundle: tuple[str, ...],
    address: str,
    as_image: bool,
    tmpdir: Path | None,
    trust_path: Path,
    ca_file: Path | None,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Copy a bundle to ADDRESS; only what is missing there travels.

    FILE is a bundle, or all parts of one in any order, or directories that hold them.

    ADDRESS is oci://HOST[:PORT]/REPOSITORY[:TAG] or gitlab://HOST/GROUP%2FPROJECT[/PACKAGE]. The login comes from the
    Docker configuration; for GitLab's packages from GITLAB_TOKEN, GITLAB_DEPLOY_TOKEN or CI_JOB_TOKEN.
    """
    from sealift.bundle.opening import size_of
    from sealift.errors import UsageError
    from sealift.registry.access import Access
    from sealift.registry.address import GitlabAddress, is_address, parse

    if any(map(is_address, bundle)) or not is_address(address):
        raise UsageError(
            "`sealift push` takes a file, then an address; for example 'gitlab-models-2.tar oci://host/repo'"
        )
    target = parse(address)
    access = Access(ca_file, plain_http)
    with bytes_bar(size_of(bundle), "pushing") as progress:
        if isinstance(target, GitlabAddress):
            if as_image:
                raise UsageError("--as-image goes to a container registry: oci://…")
            document = _package(bundle, target, access, progress)
        elif as_image:
            document = _image(bundle, target, access, trust_path, progress, tmpdir)
        else:
            document = _artifact(bundle, target, access, progress)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _artifact(bundle: tuple[str, ...], target: "OciAddress", access: Any, progress: Any) -> dict[str, Any]:
    from sealift.registry.push import push

    report = push(bundle, target, access, progress)
    return {
        "address": str(target),
        "channel": report.channel,
        "release": report.release,
        "digest": report.digest,
        "tags": list(report.tags),
        "sent": report.sent,
        "kept": report.kept,
        "sent_bytes": report.sent_bytes,
    }


def _image(
    bundle: tuple[str, ...], target: "OciAddress", access: Any, trust: Path, progress: Any, tmpdir: Path | None
) -> dict[str, Any]:
    from sealift.registry.image import push_image

    report = push_image(bundle, target, access, trust, progress, tmpdir)
    return {
        "address": str(target),
        "channel": report.channel,
        "release": report.release,
        "digest": report.digest,
        "tags": list(report.tags),
        "sent": int(report.sent),
        "kept": int(not report.sent),
        "sent_bytes": report.size if report.sent else 0,
    }


def _package(bundle: tuple[str, ...], target: "GitlabAddress", access: Any, progress: Any) -> dict[str, Any]:
    from sealift.registry.push_package import push_package

    report = push_package(bundle, target, access, progress)
    return {
        "address": str(report.address),
        "channel": report.channel,
        "release": report.release,
        "digest": None,
        "tags": [],
        "sent": int(report.sent),
        "kept": int(not report.sent),
        "sent_bytes": report.size if report.sent else 0,
    }


def _print(document: dict[str, Any]) -> None:
    click.echo(f"{document['channel']} release {document['release']} is at {document['address']}")
    click.echo(
        f"sent {document['sent']} blobs ({human(document['sent_bytes'])}), {document['kept']} were there already"
    )
    if document["tags"]:
        click.echo(f"tags {', '.join(document['tags'])}; digest {document['digest']}")
