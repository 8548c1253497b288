"""A recipe whose source is a version in a registry of models, pinned by a digest. Pure."""

import os
import re
from collections.abc import Mapping
from typing import Any

from sealift.errors import UsageError
from sealift.registry.models.place import VARIABLE, RegistryPlace
from sealift_bundler.source.registered_source import RegisteredSource
from sealift_common.blob import is_digest
from sealift_common.clock import VARIABLE as EPOCH

SCHEME = "mlflow://"
KEYS = ("registry", "source_digest")
_ADDRESS = re.compile(r"mlflow://models/(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,99})/(?P<version>[A-Za-z0-9.+-]{1,100})")


def is_registered(source: object) -> bool:
    """Return whether a source is not a path."""
    return isinstance(source, str) and source.startswith(SCHEME)


def problem_of_registered(
    document: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> tuple[str, str] | None:
    """Return the key that is wrong, and why; None where all are right."""
    source = document.get("source")
    if not is_registered(source):
        wrong = next((key for key in KEYS if key in document), None)
        return (
            None if wrong is None else (wrong, f"{wrong!r} goes with a source like mlflow://models/NAME/VERSION alone")
        )
    if _ADDRESS.fullmatch(str(source)) is None:
        return "source", f"'source' is {source!r:.200}; expected mlflow://models/NAME/VERSION"
    registry = document.get("registry", environment.get(VARIABLE, ""))
    if not isinstance(registry, str) or not registry:
        return "registry", f"'registry' is missing; write registry = 'gitlab://HOST/GROUP%2FPROJECT', or set {VARIABLE}"
    try:
        RegistryPlace.parse(registry)
    except UsageError as error:
        return "registry", f"'registry': {error}"
    digest = document.get("source_digest", "")
    if digest and not is_digest(digest):
        return "source_digest", f"'source_digest' is {digest!r:.100}; expected 'sha256:' and 64 digits"
    if "created_at" not in document and EPOCH not in environment:
        # The registry's own date is not pinned, and would change the manifest with it.
        return "source", "'created_at' is missing; a registry's own date is not pinned, so say when the model was made"
    return None


def registered_of(document: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> RegisteredSource | None:
    """Return the source of a checked recipe; None where it is a path."""
    found = _ADDRESS.fullmatch(str(document.get("source", "")))
    if found is None:
        return None
    place = RegistryPlace.parse(document.get("registry", environment.get(VARIABLE, "")))
    return RegisteredSource(place, found["name"], found["version"], document.get("source_digest", ""))
