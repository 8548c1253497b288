"""A throw-away channel: keys made in memory, metadata and blobs, and the bundle of its current release.

The metadata is that of a real channel, and the loader's own client checks it. The one thing that is missing is
everything that protects a key: see `sealift_keys` for channels that somebody relies on.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Role, Root, Snapshot, TargetFile, Targets, Timestamp

from sealift.bundle.reader import payload_order
from sealift.bundle.tarformat import END, Member
from sealift.errors import UsageError
from sealift.testing.documents import to_json
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.manifest import Manifest, bind_config, index_of, parse_manifest

_ROLES = ("root", "targets", "snapshot", "timestamp")
_LIFETIME = timedelta(days=30)
_WEIGHTS = "model.onnx"
_WEIGHT_CONFIGS = ("model.json", "golden.json", "frontend.json")


class ToyChannel:
    """A channel with one key for each role; its keys live as long as this object."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0
        self._signers = {role: CryptoSigner.generate_ecdsa() for role in _ROLES}
        for role, signer in self._signers.items():
            signer.public_key.unrecognized_fields["x-sealift-name"] = f"toy-{role}"
        self._root = self._make_root()
        self._manifests: dict[ModelVersion, Manifest] = {}
        self._blobs: dict[str, bytes] = {}
        self._withdrawn: list[dict[str, str]] = []

    @property
    def root_bytes(self) -> bytes:
        """The signed root, which an instance pins."""
        return self._root

    def add(self, model: ModelVersion, files: Mapping[str, bytes]) -> None:
        """List a model version in the next release.

        Raises:
            UsageError: that version is listed already, or was withdrawn: a released version never changes.
        """
        if model in self._manifests or any(
            ModelVersion.parse(e["model"], e["version"]) == model for e in self._withdrawn
        ):
            raise UsageError(f"{model} is in the toy channel already; give the toy model a new version")
        digests = [self._put(files[name]) for name in sorted(files)]
        config = to_json(
            {
                "descriptor": {"name": model.name, "version": str(model.version), "title": f"{model.name}, a toy"},
                "config": {"format": _format(files), "precision": "float32"},
                "modelfs": {"type": "layers", "diffIds": digests},
            }
        )
        manifest = to_json(
            {
                "schemaVersion": 2,
                "mediaType": layout.MANIFEST_TYPE,
                "artifactType": layout.ARTIFACT_TYPE,
                "config": {"mediaType": layout.CONFIG_TYPE, "digest": self._put(config), "size": len(config)},
                "layers": [_layer(name, files[name]) for name in sorted(files)],
            }
        )
        self._manifests[model] = bind_config(parse_manifest(manifest, model, self._put(manifest)), config)

    def withdraw(self, model: ModelVersion, reason: str) -> None:
        """Take a version out of the next release, for good.

        Raises:
            UsageError: it is not listed.
        """
        if model not in self._manifests:
            raise UsageError(f"{model} is not in the toy channel; it lists {[str(one) for one in self._manifests]}")
        del self._manifests[model]
        self._withdrawn.append(
            {"at": _rfc3339(_now()), "model": model.name, "reason": reason, "version": str(model.version)}
        )

    def bundle(self) -> bytes:
        """Make the next release and return the bytes of its bundle."""
        self.number += 1
        head = {layout.root_name(1): self._root, **self._release()}
        head[layout.MANIFEST_MD] = f"# {self.name} {self.number}\n\nToy models for tests.\n".encode()
        manifests = [self._manifests[model] for model in sorted(self._newest())]
        digests = {name: layout.sha256(data) for name, data in head.items()}
        index = index_of(manifests, digests)
        members = {layout.OCI_LAYOUT: layout.OCI_LAYOUT_BYTES, layout.INDEX: index, **head}
        for group in ({one.digest for one in manifests}, {one.config.digest for one in manifests}):
            members |= {layout.blob_name(digest): self._blobs[digest] for digest in sorted(group)}
        members |= {blob.member: self._blobs[blob.digest] for blob in payload_order(manifests)}
        return b"".join(_tar(members, int(_now().timestamp())))

    def _newest(self) -> list[ModelVersion]:
        return list({model.name: model for model in sorted(self._manifests)}.values())

    def _put(self, data: bytes) -> str:
        digest = layout.sha256(data)
        self._blobs[digest] = data
        return digest

    def _make_root(self) -> bytes:
        root = Root(
            version=1,
            expires=_now() + _LIFETIME,
            keys={signer.public_key.keyid: signer.public_key for signer in self._signers.values()},
            roles={role: Role([signer.public_key.keyid], 1) for role, signer in self._signers.items()},
            consistent_snapshot=False,
            unrecognized_fields={"sealift": {"channel": self.name}},
        )
        return self._signed("root", root)

    def _release(self) -> dict[str, bytes]:
        version, expires = self.number, _now() + _LIFETIME
        targets = Targets(
            version=version,
            expires=expires,
            targets={
                model.target_path: TargetFile(
                    len(manifest.raw), {"sha256": manifest.digest.removeprefix("sha256:")}, model.target_path
                )
                for model, manifest in self._manifests.items()
            },
            unrecognized_fields={"sealift": {"released": _rfc3339(_now()), "withdrawn": self._withdrawn}},
        )
        snapshot = Snapshot(version=version, expires=expires, meta={"targets.json": MetaFile(version)})
        timestamp = Timestamp(version=version, expires=expires, snapshot_meta=MetaFile(version))
        signed = {"timestamp": timestamp, "snapshot": snapshot, "targets": targets}
        return {layout.role_name(role): self._signed(role, signed[role]) for role in layout.TUF_ROLES}

    def _signed(self, role: str, signed: Any) -> bytes:
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(self._signers[role])
        return metadata.to_bytes()


def _format(files: Mapping[str, bytes]) -> str:
    """Return what the config says of the files; without a graph, they are carried as they are."""
    return layout.ONNX if any(layout.own_name(name) == _WEIGHTS for name in files) else "files"


def _layer(name: str, data: bytes) -> dict[str, Any]:
    kind = layout.DOC_TYPE
    if layout.own_name(name).startswith(_WEIGHTS) or name.endswith(layout.WEIGHT_SUFFIXES):
        kind = layout.WEIGHT_TYPE
    elif layout.own_name(name) in _WEIGHT_CONFIGS:
        kind = layout.WEIGHT_CONFIG_TYPE
    annotations = {layout.FILEPATH: name, layout.TITLE: name, layout.PLAIN_SIZE: str(len(data))}
    return {"mediaType": kind, "digest": layout.sha256(data), "size": len(data), "annotations": annotations}


def _tar(members: Mapping[str, bytes], mtime: int) -> Iterator[bytes]:
    for name, data in members.items():
        member = Member(name, len(data), mtime)
        yield from (member.header(), data, bytes(member.padding))
    yield END


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
