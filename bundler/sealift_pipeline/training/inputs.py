"""What a run depends on, told by digests: enough to say that nothing changed, without a library that trains. Pure."""

from collections.abc import Mapping
from typing import Any

from sealift_pipeline.runs.handed_over import Trained
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.training.machine import machine_of, python_version
from sealift_pipeline.training.project.code import code_digest
from sealift_pipeline.training.project.lock import Lock
from sealift_pipeline.training.project.settings import Project


def inputs_of(project: Project, lock: Lock, snapshot: Snapshot) -> dict[str, str]:
    """Return what a run depends on, besides the champion."""
    return {
        "code": code_digest(project.code),
        "data_snapshot": snapshot.digest,
        "lock": lock.digest,
        "project": project.digest,
        "python": python_version(),
    }


def shared_by(inputs: Mapping[str, str], libraries: Mapping[str, str], snapshot: Snapshot) -> dict[str, Any]:
    """Return what machines that share a search have to agree on."""
    return {**inputs, "machine": machine_of(libraries), "upto": snapshot.upto}


def champion_document(champion: Trained | None) -> dict[str, str]:
    """Return which version a run was compared with."""
    return {} if champion is None else {"digest": champion.blob.digest, "version": str(champion.model.version)}
