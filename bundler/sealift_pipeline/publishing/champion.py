"""The champion as a registry of models knows it: its version, its digest, and what it reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift.errors import LocalError
from sealift.publish.version_content import DIGEST_TAG
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift.registry.models.client import open_registry
from sealift.registry.models.place import RegistryPlace
from sealift_common.blob import is_digest
from sealift_pipeline.errors import GitlabError


@dataclass(frozen=True)
class Champion:
    """A version of a registry. Nobody signed this: compare the digest with that of a channel.

    Attributes:
        version: SemVer where the registry knows it, else the registry's number.
        digest: of the manifest; "" where Sealift did not publish the version.
        params, metrics: of its run.
    """

    registry: str
    name: str
    version: str
    digest: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]


def read_champion(
    place: RegistryPlace,
    name: str,
    version: str | None = None,
    *,
    access: Access = DEFAULT_ACCESS,
    token_file: Path | None = None,
) -> Champion:
    """Read a version of a model from a registry.

    Args:
        version: None is the newest: of GitLab the highest SemVer.

    Raises:
        GitlabError: there is none, or the registry refuses or does not answer.
    """
    try:
        with open_registry(place, access, token_file) as registry:
            found = registry.latest(name) if version is None else registry.version(name, version)
            if found is None:
                what = f"version {version} of model" if version else "version of a model"
                raise GitlabError(f"{place.text} has no {what} {name!r}; check the name, or publish one first")
            run = registry.run(found.run_id) if found.run_id else None
    except LocalError as error:
        raise GitlabError(str(error)) from error
    digest = found.tags.get(DIGEST_TAG, "")
    return Champion(
        place.text,
        name,
        found.version or found.number,
        digest if is_digest(digest) else "",
        {} if run is None else run.params,
        {} if run is None else run.metrics,
    )
