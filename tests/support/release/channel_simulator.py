"""A channel under the tests' control: real metadata, real models, and every lie a signer could tell.

Keys are made on the spot and never encrypted; nothing here is fit for use outside tests.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rfc8785
from securesystemslib.signer import CryptoSigner
from sklearn.linear_model import LogisticRegression
from support.release.repack import read_members, write_members
from tuf.api.metadata import Metadata

from sealift.trust.release import release_of
from sealift_bundler import convert
from sealift_bundler.packing.blobs import read_manifest
from sealift_bundler.packing.whole import Prepared, bundle_bytes, choose_models, pack, select
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_bundler.release.staging import release, stage, withdraw
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.beginning import init
from sealift_keys.ceremony.plan import RolePlan
from sealift_keys.channel.directory import Channel

ROLES = ("root", "targets", "snapshot", "timestamp")


@cache
def toy_files(seed: int = 0) -> Mapping[str, bytes]:
    """A converted two-class model of four columns: a real graph with real golden examples, made once."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(80, 4)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(np.int64)
    return convert(LogisticRegression().fit(rows, labels), rows, name="toy", version="1.0.0").files


def renamed(files: Mapping[str, bytes], name: str, version: str) -> dict[str, bytes]:
    """The same model under another name and version."""
    described = json.loads(files["model.json"]) | {"name": name, "version": version}
    return {**files, "model.json": rfc8785.dumps(described)}


_written: dict[Any, tuple[Blob, dict[str, bytes]]] = {}


def write_once(blobs: Path, model: ModelVersion, files: Mapping[str, bytes], descriptor: Descriptor) -> Blob:
    """Write a model as `write_model` does; what another test wrote already is not compressed and hashed again."""
    key = (model, tuple(sorted(files.items())), repr(descriptor))
    if key not in _written:
        with tempfile.TemporaryDirectory() as made:
            manifest = write_model(Path(made, "sha256"), model, files, descriptor)
            _written[key] = manifest, {path.name: path.read_bytes() for path in Path(made, "sha256").iterdir()}
    manifest, found = _written[key]
    blobs.mkdir(parents=True, exist_ok=True)
    for name, data in found.items():
        if not (blobs / name).exists():
            (blobs / name).write_bytes(data)
    return manifest


@dataclass
class ChannelSimulator:
    """A channel in `directory` with one key per role unless told otherwise."""

    directory: Path
    name: str = "sim"
    thresholds: Mapping[str, int] = field(default_factory=dict)
    keys_per_role: Mapping[str, int] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.keys = {
            role: [
                CryptoSigner.generate_ecdsa() for _ in range(self.keys_per_role.get(role, self.thresholds.get(role, 1)))
            ]
            for role in ROLES
        }
        for role, signers in self.keys.items():
            for number, signer in enumerate(signers, 1):
                signer.public_key.unrecognized_fields["x-sealift-name"] = f"{role}-{number}"
        plans = {
            role: RolePlan([signer.public_key for signer in self.keys[role]], self.thresholds.get(role, 1))
            for role in ROLES
        }
        init(self.directory, self.name, plans, self.signers, now=self.now)
        self.channel = Channel.open(self.directory)

    @property
    def signers(self) -> list[CryptoSigner]:
        return [signer for signers in self.keys.values() for signer in signers]

    @property
    def root_bytes(self) -> bytes:
        return self.channel.root_bytes(1)

    def add(self, name: str = "toy", version: str = "1.0.0", files: Mapping[str, bytes] | None = None) -> ModelVersion:
        """Stage a model version; by default the toy model under that name, with its version in the card."""
        model = ModelVersion.parse(name, version)
        content = files or {**renamed(toy_files(), name, version), "CARD.md": f"# {name} {version}\n".encode()}
        descriptor = Descriptor(title=f"{name} for tests", licenses=["MIT"])
        stage(self.channel, model, write_once(self.channel.blobs_dir, model, content, descriptor))
        return model

    def release(self, signers: list[CryptoSigner] | None = None) -> int:
        return release(self.channel, self.signers if signers is None else signers, refresh=True, now=self.now).number

    def withdraw(self, model: ModelVersion, reason: str = "it was wrong") -> int:
        return withdraw(self.channel, model, reason, self.signers, now=self.now).number

    def pack(self, output: Path, include: tuple[ModelVersion, ...] = ()) -> Path:
        # Without a look at the models' documents: many tests want an instance to meet bad ones.
        return pack(select(self.directory, include), output).path

    def pack_anything(self, output: Path, include: tuple[ModelVersion, ...] = ()) -> Path:
        """Write the bundle although the loader would refuse it."""
        channel = self.channel
        claimed = release_of(channel.root().signed, channel.targets().signed)
        metadata = {path.name: path.read_bytes() for path in channel.tuf_dir.glob("*.json")}
        models = choose_models(claimed, include)
        manifests = tuple(read_manifest(channel.blobs_dir, model, claimed.models[model]) for model in models)
        with output.open("wb") as file:
            file.writelines(bundle_bytes(Prepared(channel.blobs_dir, metadata, claimed, manifests)))
        return output

    def change(self, role: str, change: Callable[[Any], object], signers: list[CryptoSigner] | None = None) -> None:
        """Change the signed part of a role's metadata and sign it again with `signers` (the role's own keys)."""
        file = self.channel.tuf_dir / (
            f"{self.channel.root_versions()[-1]}.root.json" if role == "root" else f"{role}.json"
        )
        metadata: Metadata[Any] = Metadata.from_bytes(file.read_bytes())
        change(metadata.signed)
        metadata.signatures.clear()
        for signer in self.keys[role] if signers is None else signers:
            metadata.sign(signer, append=True)
        file.write_bytes(metadata.to_bytes())

    def next_root(self, change: Callable[[Any], object], signers: list[CryptoSigner] | None = None) -> None:
        """Write the next version of the root, signed by `signers` (the root keys)."""
        version = self.channel.root_versions()[-1]
        metadata = self.channel.root(version)
        metadata.signed.version = version + 1
        change(metadata.signed)
        metadata.signatures.clear()
        for signer in self.keys["root"] if signers is None else signers:
            metadata.sign(signer, append=True)
        (self.channel.tuf_dir / f"{version + 1}.root.json").write_bytes(metadata.to_bytes())

    def raw_bundle(self, template: Path, output: Path) -> Path:
        """Take the blobs of `template` and the metadata files as they lie in the channel, readable or not."""
        old = read_members(template)
        tuf = self.channel.tuf_dir
        roots = sorted(tuf.glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
        files = [*roots, *(tuf / f"{role}.json" for role in ("timestamp", "snapshot", "targets"))]
        members = {name: old[name] for name in ("oci-layout", "index.json")}
        members |= {f"tuf/{path.name}": path.read_bytes() for path in files}
        members |= {name: data for name, data in old.items() if not name.startswith("tuf/") and name not in members}
        return write_members(members, output)

    def began_at(self, time: datetime) -> None:
        """Let the channel's first, empty release be of `time`: later ones are never older."""

        def change(signed: Any) -> None:
            signed.unrecognized_fields["sealift"]["released"] = f"{time:%Y-%m-%dT%H:%M:%SZ}"

        self.change("targets", change)

    def expire(self, role: str) -> None:
        def change(signed: Any) -> None:
            signed.expires = self.now - timedelta(days=1)
            if role == "targets":
                signed.unrecognized_fields["sealift"]["released"] = "2020-01-01T00:00:00Z"

        self.change(role, change)

    def channel_models(self) -> list[ModelVersion]:
        """Every model version that the channel lists."""
        return [ModelVersion.from_target_path(path) for path in self.channel.targets().signed.targets]
