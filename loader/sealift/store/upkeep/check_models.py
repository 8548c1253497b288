"""Compare the files of many models with their signed digests, on every core.

Hashing lets other threads run, so threads are enough. Each reads a chunk at a time, so memory stays small
whatever the models weigh; weights come in shards, so that one large model too keeps every core at work.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from sealift.errors import CorruptError
from sealift.store.contents import files
from sealift.store.contents.layout import StoreLayout
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest, ModelFile


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong with one model version."""

    where: Path
    model: ModelVersion
    error: CorruptError


def check_models(
    layout: StoreLayout, manifests: Sequence[Manifest], bytes_read: Callable[[int], object]
) -> list[Damage]:
    """Check every file of every model, and that there is no other; return all damage, in the order of `manifests`.

    Args:
        bytes_read: called, from the calling thread, with the size of each file once it was read.
    """
    found: list[Damage] = []
    with ThreadPoolExecutor(_cores()) as pool:
        tasks: dict[Future[CorruptError | None], tuple[Manifest, ModelFile]] = {}
        for manifest in manifests:
            directory = layout.model(manifest.model)
            try:
                for stranger in files.strangers(layout, manifest):
                    error = CorruptError(f"{stranger!r} of {manifest.model} was not signed; {files.REPAIR}")
                    found.append(Damage(directory / stranger, manifest.model, error))
            except CorruptError as error:
                found.append(Damage(directory, manifest.model, error))
                continue
            for file in manifest.files:
                tasks[pool.submit(_damage, layout, manifest, file)] = manifest, file
        try:
            for task in as_completed(tasks):
                manifest, file = tasks[task]
                bytes_read(file.plain.size)
                if (damage := task.result()) is not None:
                    found.append(Damage(layout.model(manifest.model) / file.name, manifest.model, damage))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    # A prune that ran meanwhile took the whole directory, which is not damage.
    return sorted((one for one in found if os.path.lexists(layout.model(one.model))), key=lambda one: one.where)


def _damage(layout: StoreLayout, manifest: Manifest, file: ModelFile) -> CorruptError | None:
    try:
        files.check_file(layout, manifest, file)
    except CorruptError as error:
        return error
    except OSError as error:
        return CorruptError(f"{file.name!r} of {manifest.model} cannot be read: {error.strerror}; {files.REPAIR}")
    return None


def _cores() -> int:
    return len(os.sched_getaffinity(0))
