"""Layout of a store; the one place that turns a name into a path."""

import os
from pathlib import Path
from typing import NamedTuple

from sealift_common.names import ModelVersion

DEFAULT_STORE = "/var/opt/gitlab/sealift"
DEFAULT_TRUST = "/etc/gitlab/sealift"
# Next to the links of a generation; no model can have a name that starts with a dot.
GENERATION_FILE = ".generation.json"


def default_store() -> Path:
    """Return the store named by `SEALIFT_STORE`, or GitLab's place for application data."""
    return Path(os.environ.get("SEALIFT_STORE") or DEFAULT_STORE)


def default_trust() -> Path:
    """Return the directory of the pinned root: `SEALIFT_TRUST`, or GitLab's place for configuration."""
    return Path(os.environ.get("SEALIFT_TRUST") or DEFAULT_TRUST)


class StoreLayout(NamedTuple):
    """Paths in a store; names come in as parsed objects, never as text."""

    root: Path

    @property
    def models(self) -> Path:
        """`models/<name>/<version>/`, read-only real files."""
        return self.root / "models"

    @property
    def manifests(self) -> Path:
        """`manifests/<sha256>.json`: manifests and configs, as signed."""
        return self.root / "manifests"

    @property
    def generations(self) -> Path:
        """`generations/<n>/<name>`, links to model directories."""
        return self.root / "generations"

    @property
    def current(self) -> Path:
        """The link to the active generation."""
        return self.root / "current"

    @property
    def trust(self) -> Path:
        """The client state."""
        return self.root / "trust"

    @property
    def history(self) -> Path:
        """One JSON line for every change."""
        return self.root / "history.jsonl"

    @property
    def staging(self) -> Path:
        """Directory in which an install builds; empty between installs."""
        return self.root / "staging"

    @property
    def lock(self) -> Path:
        """The file that a process holds locked while it changes the store."""
        return self.root / "lock"

    def model(self, model: ModelVersion) -> Path:
        """Return the directory of one model version."""
        return self.models / model.name / str(model.version)

    def manifest(self, digest: str) -> Path:
        """Return the file that holds the manifest or config with `digest`."""
        return self.manifests / f"{digest.removeprefix('sha256:')}.json"

    def generation(self, number: int) -> Path:
        """Return the directory of one generation."""
        return self.generations / str(number)
