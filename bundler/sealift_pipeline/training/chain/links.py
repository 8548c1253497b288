"""The links from a version back to its data snapshot. Pure: bytes in, verified objects out.

1. the proof: model.json says that the converted model answered as the original
2. the run: the manifest's `revision` is the digest of run.json, which is about this version
3. the model: every converted file is the one that the run names, and each that the run names is there
4. the data snapshot: its digest is the one that the run names
5. the gate: the run says that the version passed

Before: the bundle's signatures and bytes. After: the rows of the data snapshot, up to its root.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sealift_common.contents.reading import Proof
from sealift_common.errors import DigestError
from sealift_common.oci.manifest import Manifest
from sealift_pipeline.errors import (
    ChainGateError,
    ChainModelError,
    ChainProofError,
    ChainRunError,
    ChainSnapshotError,
)
from sealift_pipeline.runs.document import FILE as RUN_FILE
from sealift_pipeline.runs.document import Run, digest
from sealift_pipeline.snapshots.document import FILE as SNAPSHOT_FILE
from sealift_pipeline.snapshots.document import Snapshot


class Linked(NamedTuple):
    """A version whose links hold."""

    manifest: Manifest
    run: Run
    snapshot: Snapshot


def linked(manifest: Manifest, proof: Proof | None, files: Mapping[str, bytes]) -> Linked:
    """Check the links of one version.

    Args:
        manifest: verified.
        proof: what its model.json records.
        files: at least run.json, data-snapshot.json and the converted files, expanded.

    Raises:
        ChainProofError, ChainRunError, ChainModelError, ChainSnapshotError, ChainGateError: a link is broken; each is
            a DigestError.
        MalformedError, LimitError, UnsupportedVersionError: run.json or data-snapshot.json is not of its form.
    """
    if proof is None or proof.wrong != 0 or not proof.rows:  # 1
        raise _broken(
            ChainProofError, manifest, "model.json records no proof that its answers are those of the original"
        )
    for name in (RUN_FILE, SNAPSHOT_FILE):
        if name not in files:
            raise _broken(ChainRunError, manifest, f"it has no {name}; `retrain` did not make it")
    revision, found = manifest.descriptor.get("revision", ""), digest(files[RUN_FILE])
    if revision != found:  # 2
        raise _broken(
            ChainRunError, manifest, f"run.json is {found}, and the manifest was made of {revision or 'none'}"
        )
    run = Run.parse(files[RUN_FILE])
    if run.model != manifest.model:
        raise _broken(ChainRunError, manifest, f"run.json is about {run.model}")
    _require_model(manifest, run, files)  # 3
    if digest(files[SNAPSHOT_FILE]) != run.inputs["data_snapshot"]:  # 4
        got = digest(files[SNAPSHOT_FILE])
        used = run.inputs["data_snapshot"]
        raise _broken(ChainSnapshotError, manifest, f"{SNAPSHOT_FILE} is {got}, and the run used {used}")
    if not run.gate["passed"]:  # 5
        raise _broken(ChainGateError, manifest, "its run was refused by the gate")
    return Linked(manifest, run, Snapshot.parse(files[SNAPSHOT_FILE]))


def _require_model(manifest: Manifest, run: Run, files: Mapping[str, bytes]) -> None:
    for name, wanted in sorted(run.files.items()):
        got = digest(files[name]) if name in files else "not there"
        if got != wanted:
            raise _broken(ChainModelError, manifest, f"{name} is {got}, and the run made {wanted}")
    if "model.onnx" not in run.files:
        raise _broken(ChainModelError, manifest, "the run names no model.onnx")


_LINKS = {
    ChainProofError: "proof",
    ChainRunError: "run",
    ChainModelError: "model",
    ChainSnapshotError: "data snapshot",
    ChainGateError: "gate",
}


def _broken(error: type[DigestError], manifest: Manifest, why: str) -> DigestError:
    return error(f"{manifest.model}: the chain is broken at the {_LINKS[error]}: {why}")
