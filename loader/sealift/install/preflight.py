"""The end of step 4: all that this machine has against an install, in one report, before any model byte is written.

Room on the file systems · every new model's `model.json` and the names of its files · whether ONNX Runtime here can
run each of them. The store's lock and safety were tried in step 1; they belong into the same report.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sealift.bundle.reader import Contents, read_ahead
from sealift.bundle.source import Source
from sealift.errors import Error, IncompatibleError, NoSpaceError, PreflightError
from sealift.inspection.described import described, description_file
from sealift.inspection.plain import plain_bytes
from sealift.install.base_files import BaseFiles
from sealift.model.documents.description import FILES, ModelDescription, Requirements
from sealift.model.trial.process import SelfTestProcess
from sealift.store.guard.room import free_bytes, free_inodes
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest, ModelFile

if TYPE_CHECKING:
    from sealift_common.blob import Blob

# Manifests, a generation, the trust state, history; and what file systems round up.
_SLACK_BYTES = 16 * 1024 * 1024
_SLACK_INODES = 64

Descriptions = Mapping[ModelVersion, ModelDescription]


def read_descriptions(archive: Source, contents: Contents, new: Sequence[Manifest], base: BaseFiles) -> Descriptions:
    """Read what each new model says of itself, ahead of the payload; out of the store where the bundle leaves it out.

    Raises:
        MalformedError, UnsupportedVersionError, LimitError: a `model.json` is missing, not right, or does not explain
            the version's files.
        DigestError: it is not what was signed.
        CorruptError: a differential bundle leaves it out, and the store's is damaged.
    """
    wanted: dict[Blob, list[tuple[Manifest, ModelFile]]] = defaultdict(list)
    descriptions = {}
    for manifest in new:
        file = description_file(manifest)
        known = base.document(file)
        if known is None:
            wanted[file.blob].append((manifest, file))
        else:
            descriptions[manifest.model] = described(known, manifest)
    for blob, data in read_ahead(archive, contents, wanted):
        for manifest, file in wanted[blob]:
            descriptions[manifest.model] = described(plain_bytes(data, manifest, file), manifest)
    return descriptions


def room(manifests: Sequence[Manifest], store: Path, scratch: Path) -> list[Error]:
    """Compare what the new models need with what the file systems have left.

    Args:
        store: a directory on the store's file system.
        scratch: where the largest compressed blob waits, perhaps on another one.
    """
    spool = max((file.blob.size for manifest in manifests for file in manifest.files if file.compressed), default=0)
    need = sum(manifest.size for manifest in manifests) + _SLACK_BYTES
    elsewhere = scratch.stat().st_dev != store.stat().st_dev
    problems = [_short_of_bytes(store, need if elsewhere else need + spool)]
    if elsewhere:
        problems.append(_short_of_bytes(scratch, spool))
    # A file each, two directories and two documents a model, and its link.
    inodes = sum(len(manifest.files) + 5 for manifest in manifests) + _SLACK_INODES
    free = free_inodes(store)
    if free is not None and inodes > free:
        problems.append(
            NoSpaceError(
                f"the install needs {inodes:,} inodes on the file system of {str(store)!r}; {free:,} are free; "
                "remove some files and run the same command again"
            )
        )
    return [problem for problem in problems if problem is not None]


def compatibility(descriptions: Descriptions, process: SelfTestProcess) -> list[Error]:
    """Ask ONNX Runtime of this machine about every new model; models with equal requirements are asked about once."""
    models: dict[str, list[ModelVersion]] = defaultdict(list)
    requirements: dict[str, Requirements] = {}
    for model, description in descriptions.items():
        if description.kind == FILES:
            continue
        models[repr(description.requires)].append(model)
        requirements[repr(description.requires)] = description.requires
    found: list[Error] = []
    for key, requires in requirements.items():
        names = _listed(models[key])
        lacks = process.lacks(requires, names)
        found += [IncompatibleError(f"{names} cannot run here: this machine {lack}") for lack in lacks]
    return found


def require_none(problems: Sequence[Error]) -> None:
    """Raise what was found.

    Raises:
        PreflightError: several problems; one alone is raised as itself.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise PreflightError(problems)


def _short_of_bytes(path: Path, need: int) -> Error | None:
    free = free_bytes(path)
    if need <= free:
        return None
    return NoSpaceError(
        f"the install needs {need:,} bytes on the file system of {str(path)!r}; {free:,} are free; "
        "make room and run the same command again"
    )


def _listed(models: Sequence[ModelVersion]) -> str:
    first = ", ".join(map(str, models[:3]))
    return first if len(models) <= 3 else f"{first} and {len(models) - 3} more"
