"""An instance for tests: a store, a pinned root, and a fingerprint of everything in both."""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sealift.install.steps import InstallReport, install
from sealift.store import Store
from sealift.trust import pin


@dataclass
class Instance:
    directory: Path

    @property
    def store_path(self) -> Path:
        return self.directory / "store"

    @property
    def trust_path(self) -> Path:
        return self.directory / "etc"

    @property
    def store(self) -> Store:
        return Store(self.store_path, trust=self.trust_path)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SEALIFT_STORE": str(self.store_path), "SEALIFT_TRUST": str(self.trust_path)}

    def export(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let commands in this process find the store and the pin."""
        monkeypatch.setenv("SEALIFT_STORE", str(self.store_path))
        monkeypatch.setenv("SEALIFT_TRUST", str(self.trust_path))

    def pin(self, root: bytes) -> None:
        pin.pin(self.trust_path, root)

    def install(
        self, bundle: Path, now: datetime | None = None, accept_expired: str | None = None, **options: Any
    ) -> InstallReport:
        return install(str(bundle), self.store, now=now, accept_expired=accept_expired, **options)

    def snapshot(self) -> dict[str, str]:
        """Name, kind, mode and content of everything in the store and next to it; the lock file's content aside."""
        found = {}
        for base, directories, files in os.walk(self.directory):
            for name in [*directories, *files]:
                path = Path(base, name)
                if path == self.store_path / "lock":
                    continue
                mode = oct(path.lstat().st_mode)
                content = os.readlink(path) if path.is_symlink() else _digest(path) if path.is_file() else ""
                found[str(path.relative_to(self.directory))] = f"{mode} {content}"
        return found


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
