"""Put a version that a channel has released or staged into GitLab's model registry."""

from collections.abc import Callable
from pathlib import Path

from sealift.errors import LocalError
from sealift.publish.registered import Published, publish_version
from sealift.publish.version_content import content_of
from sealift.registry.access import Access
from sealift.registry.models.client import open_registry
from sealift.registry.models.place import RegistryPlace
from sealift_bundler.packing.blobs import blob_chunks, read_manifest
from sealift_common.errors import ChannelError
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel
from sealift_pipeline.errors import GitlabError


def publish(
    channel: Channel,
    model: ModelVersion,
    place: RegistryPlace,
    access: Access,
    *,
    token_file: Path | None = None,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda _size: None,
) -> Published:
    """Publish a version of a channel.

    Args:
        progress: called with the number of bytes sent since the last call.

    Raises:
        ChannelError: the channel has no such version, or withdrew it.
        GateError: a blob is missing.
        DigestError: a file is damaged; it was not sent to its end.
        GitlabError: the registry refuses, does not answer, or has this version with other bytes.
    """
    release, staged = channel.release(), channel.staged()
    for entry in release.withdrawn:
        if entry.model == model:
            raise ChannelError(f"{model} was withdrawn at {entry.at} ({entry.reason!r}); it is published no more")
    reference = release.models.get(model) or staged.get(model)
    if reference is None:
        known = [str(one.version) for one in {**release.models, **staged} if one.name == model.name]
        raise ChannelError(
            f"{model} is neither released nor staged; "
            + (f"versions: {', '.join(known)}" if known else "the channel has no model of that name")
        )
    manifest = read_manifest(channel.blobs_dir, model, reference)
    state = "released" if model in release.models else "staged"
    content = content_of(
        manifest,
        lambda blob: blob_chunks(channel.blobs_dir, blob, f"a file of {model}"),
        {"sealift.channel": channel.name, "sealift.state": state},
    )
    try:
        with open_registry(place, access, token_file) as registry:
            return publish_version(registry, content, dry_run=dry_run, progress=progress)
    except LocalError as error:
        raise GitlabError(str(error)) from error
