"""`sealift push`: bring a bundle into a registry inside the closed network."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift.cli.options import access_options, json_option, self_test_memory_option, trust_option
from sealift.cli.progress import bytes_bar
from sealift_common.console import print_json
from sealift_common.wording import counted, human

if TYPE_CHECKING:
    from sealift.publish.registered import Published
    from sealift.publish.sending import PushReport


@click.command("push")
@click.argument("bundle", metavar="FILE...", type=click.Path(readable=False), nargs=-1)
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--as-image",
    is_flag=True,
    help="Push a ready store as a container image of one layer; needs the pinned root, and tries the models here.",
)
@click.option(
    "--model-registry",
    is_flag=True,
    help="To gitlab://…: also put each model version of the bundle into the project's model registry.",
)
@click.option(
    "--tmpdir",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=None,
    help="With --as-image: directory with room for two copies of the store [default: the system's].",
)
@self_test_memory_option
@trust_option
@access_options
@json_option
def command(
    bundle: tuple[str, ...],
    address: str,
    as_image: bool,
    model_registry: bool,
    tmpdir: Path | None,
    self_test_memory_bytes: int | None,
    trust_path: Path,
    ca_file: Path | None,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Copy a bundle to ADDRESS; only what is missing there travels.

    FILE is a bundle, or all parts of one in any order, or directories that hold them.

    ADDRESS is oci://HOST[:PORT]/REPOSITORY[:TAG] or gitlab://HOST/GROUP%2FPROJECT[/PACKAGE]. The login comes from the
    Docker configuration; for GitLab's packages from GITLAB_TOKEN, GITLAB_DEPLOY_TOKEN or CI_JOB_TOKEN. GitLab's model
    registry takes none of the last two: it needs GITLAB_TOKEN or MLFLOW_TRACKING_TOKEN.
    """
    from sealift.bundle.parts import size_of
    from sealift.errors import UsageError
    from sealift.publish.image import push_image
    from sealift.publish.models_of_bundle import publish_models
    from sealift.publish.package import push_package
    from sealift.publish.release import push
    from sealift.registry.access import Access
    from sealift.registry.address import GitlabAddress, OciAddress, parse
    from sealift_common.blob import is_digest

    _require_form(bundle, address)
    target = parse(address)
    access = Access(ca_file, plain_http)
    if isinstance(target, OciAddress) and is_digest(target.reference):
        raise UsageError(f"{str(target)!r} names what is there already; give a tag, or only the repository")
    if as_image and isinstance(target, GitlabAddress):
        raise UsageError("--as-image goes to a container registry: oci://…")
    if model_registry and not isinstance(target, GitlabAddress):
        raise UsageError("--model-registry goes to a project of GitLab: gitlab://…")
    published: tuple[Published, ...] = ()
    with bytes_bar(size_of(bundle), "pushing") as progress:
        if isinstance(target, GitlabAddress):
            report = push_package(bundle, target, access, progress)
            if model_registry:
                published = publish_models(bundle, target, access, progress)
        elif as_image:
            report = push_image(
                bundle, target, access, trust_path, progress, tmpdir, self_test_memory_bytes=self_test_memory_bytes
            )
        else:
            report = push(bundle, target, access, progress)
    if as_json:
        print_json(asdict(report) | ({"models": [asdict(one) for one in published]} if model_registry else {}))
        return
    _print(report)
    for one in published:
        click.echo(f"{one.name} {one.version} {one.outcome} in the model registry: {one.digest}")


def _require_form(bundle: tuple[str, ...], address: str) -> None:
    from sealift.errors import UsageError
    from sealift.registry.address import has_scheme, is_address

    if bundle and _lacks_scheme(address):
        raise UsageError(f"the address {address[:300]!r} names no kind of registry; give oci://{address[:300]}")
    if not bundle or any(map(has_scheme, bundle)) or not is_address(address):
        raise UsageError(
            "`sealift push` takes a file, then an address; for example 'gitlab-models-2.tar oci://host/repo'"
        )


def _lacks_scheme(address: str) -> bool:
    """Return whether it begins with a host, as `docker push` takes it, and is no file."""
    host, slash, _ = address.partition("/")
    return (
        bool(slash) and re.fullmatch(r"[\w-]+([.:][\w-]+)+|localhost", host) is not None and not Path(address).exists()
    )


def _print(report: "PushReport") -> None:
    click.echo(f"{report.channel} release {report.release} is at {report.address}")
    sent, kept = counted(report.sent, "blob"), counted(report.kept, "was", "were")
    click.echo(f"sent {sent} ({human(report.sent_bytes)}), {kept} there already")
    if report.digest is not None:
        click.echo(f"tags {', '.join(report.tags)}; digest {report.digest}")
    if report.superseded:
        click.echo("a newer release was pushed before, and stays the latest")
