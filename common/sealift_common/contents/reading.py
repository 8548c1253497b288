"""What one model version holds, read from blobs whose bytes match the signed digests.

    manifest of the release → config and list of files → model.json: how the version was proven
                                                       → REVIEW.json: what its author answered

Bytes in, verified objects out: nothing is parsed before its length and SHA-256 matched, each document is bounded, and
a file of weights is never read. Who signed the digest is the caller's to know.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sealift_common.blob import Blob
from sealift_common.errors import DigestError, LimitError, MalformedError
from sealift_common.names import ModelVersion
from sealift_common.oci.layout import ONNX
from sealift_common.oci.manifest import Manifest, ModelFile, bind_config, parse_manifest
from sealift_common.parsing import strict_json
from sealift_common.parsing.limits import LIMITS
from sealift_common.review.record import FILE_NAME as RECORD
from sealift_common.review.record import Record, parse_record

DESCRIPTION_FILE = "model.json"

Read = Callable[[Blob], bytes]


class Proof(NamedTuple):
    """How a version was proven, as its `model.json` records it; a number is None where it does not.

    Attributes:
        rung: of the ladder of conversions.
        reference: what gave the answers to agree with.
        rows, samples: how many rows were compared, and how many of them were the author's.
        wrong: labels and scores that were wrong.
        ties: rows whose best two classes are exactly equal.
        golden: whose rows the golden examples are.
    """

    rung: str
    reference: str
    rows: int | None
    samples: int | None
    wrong: int | None
    ties: int | None
    golden: str


class Contents(NamedTuple):
    """One model version of a release; `record` is None where nobody answered.

    `proof` is None where there is no `model.json`, and of files that nobody converts; of several graphs it is that of
    all together.
    """

    manifest: Manifest
    proof: Proof | None
    record: Record | None

    @property
    def model(self) -> ModelVersion:
        """The name and version."""
        return self.manifest.model

    @property
    def licenses(self) -> tuple[str, ...]:
        """SPDX expressions that the author gave."""
        return tuple(self.manifest.descriptor.get("licenses", ()))


def read_contents(model: ModelVersion, blob: Blob, read: Read) -> Contents:
    """Read what `model` holds, whose manifest a release lists as `blob`.

    Args:
        read: returns the bytes of a blob; what it returns is checked here.

    Raises:
        DigestError: bytes do not have the digest and length that were signed.
        MalformedError, LimitError, UnsafeMemberError: a document is signed and still not of its form.
        UnsupportedVersionError: its record has a schema of a newer Sealift.
    """
    raw = _verified(blob, read, f"the manifest of {model}", LIMITS.oci_manifest_size_bytes)
    unbound = parse_manifest(raw, model, blob.digest)
    config = _verified(unbound.config, read, f"the config of {model}", LIMITS.oci_config_size_bytes)
    manifest = bind_config(unbound, config)
    described = document(manifest, DESCRIPTION_FILE, read)
    proof = None if described is None else _proof_of_kind(described, manifest, read)
    recorded = file_bytes(manifest, RECORD, read)
    return Contents(manifest, proof, None if recorded is None else parse_record(recorded, model))


def document(manifest: Manifest, name: str, read: Read) -> Mapping[str, Any] | None:
    """Return a JSON document among the files of a version; None where it has no such file.

    Raises:
        DigestError, MalformedError, LimitError: as `read_contents`.
    """
    data = file_bytes(manifest, name, read)
    if data is None:
        return None
    what = f"{name!r} of {manifest.model}"
    found = strict_json.parse(data, what)
    if not isinstance(found, dict):
        raise MalformedError(f"{what} is not a JSON object")
    return found


def file_bytes(manifest: Manifest, name: str, read: Read) -> bytes | None:
    """Return a small file of a version, expanded; None where it has no such file.

    Raises:
        DigestError, LimitError: as `read_contents`.
    """
    from sealift_common.oci.compression import expand

    file: ModelFile | None = next((one for one in manifest.files if one.name == name), None)
    if file is None:
        return None
    what = f"{name!r} of {manifest.model}"
    if file.plain.size > LIMITS.json_size_bytes:
        raise LimitError(f"{what} has {file.plain.size:,} bytes; expected at most {LIMITS.json_size_bytes:,}")
    data = _verified(file.blob, read, what, LIMITS.json_size_bytes)
    return b"".join(expand([data], file.plain, what)) if file.compressed else data


def _verified(blob: Blob, read: Read, what: str, most: int) -> bytes:
    if blob.size > most:
        raise LimitError(f"{what} has {blob.size:,} bytes; expected at most {most:,}")
    data = read(blob)
    if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.hex:
        raise DigestError(f"{what} is not the {blob.size:,} bytes of {blob.digest} that the release lists")
    return data


def _proof_of_kind(described: Mapping[str, Any], manifest: Manifest, read: Read) -> Proof | None:
    what = f"{DESCRIPTION_FILE!r} of {manifest.model}"
    if manifest.form != ONNX:
        return None
    if "graphs" not in described:
        return _proof(described, what)
    graphs = described["graphs"]
    if not isinstance(graphs, list) or not graphs or not all(isinstance(graph, str) for graph in graphs):
        raise MalformedError(f"{what} does not name its graphs")
    proofs = []
    for graph in graphs:
        name = f"{graph}.{DESCRIPTION_FILE}"
        part = document(manifest, name, read)
        if part is None:
            raise MalformedError(f"{manifest.model} lacks {name[:120]!r}")
        proofs.append(_proof(part, f"{name!r} of {manifest.model}"))
    return Proof(
        rung=_joined(one.rung for one in proofs),
        reference=_joined(one.reference for one in proofs),
        rows=_sum(one.rows for one in proofs),
        samples=_sum(one.samples for one in proofs),
        wrong=_sum(one.wrong for one in proofs),
        ties=_sum(one.ties for one in proofs),
        golden=_joined(one.golden for one in proofs),
    )


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Add up what each graph records; None where one does not."""
    found = list(numbers)
    known = [number for number in found if number is not None]
    return sum(known) if len(known) == len(found) else None


def _proof(described: Mapping[str, Any], what: str) -> Proof:
    conversion, parity = described.get("conversion"), described.get("parity")
    if not isinstance(conversion, dict) or not isinstance(parity, dict):
        raise MalformedError(f"{what} does not say how the version was proven")
    wrong = [_count(parity, key) for key in ("labels_wrong", "scores_wrong")]
    counted = [number for number in wrong if number is not None]
    return Proof(
        rung=_text(conversion, "rung"),
        reference=_text(parity, "reference"),
        rows=_count(parity, "rows"),
        samples=_count(parity, "caller_rows"),
        wrong=sum(counted) if counted else None,
        ties=_count(parity, "ties"),
        golden=_text(conversion, "golden"),
    )


def _count(table: Mapping[str, Any], key: str) -> int | None:
    value = table.get(key)
    return value if type(value) is int and value >= 0 else None


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""
