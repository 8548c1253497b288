"""What a release changes of the one before it, decided from the two signed documents alone. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from sealift_common.blob import Blob
from sealift_common.metadata.release_document import Release, Withdrawal
from sealift_common.names import ModelVersion


class Changes(NamedTuple):
    """What is other in a release than in the one before it.

    Attributes:
        new: versions that were not listed before, with their manifests.
        predecessors: for each of them, the newest lower version of that model that was listed before, if any.
        withdrawn: versions that this release takes back.
        kept: how many versions are listed as before.
        changed: versions that were listed before with another manifest; a version never changes its bytes.
        gone: versions that were listed, and are neither listed nor withdrawn now.
        returned: versions that are listed although they were withdrawn, before or by this very release.
    """

    new: Mapping[ModelVersion, Blob]
    predecessors: Mapping[ModelVersion, tuple[ModelVersion, Blob]]
    withdrawn: tuple[Withdrawal, ...]
    kept: int
    changed: Mapping[ModelVersion, tuple[Blob, Blob]]
    gone: Mapping[ModelVersion, Blob]
    returned: tuple[ModelVersion, ...]

    @property
    def nothing(self) -> bool:
        """Whether both list the same versions, with the same bytes and the same withdrawals."""
        return not (self.new or self.withdrawn or self.changed or self.gone or self.returned)


def changes(before: Release | None, after: Release) -> Changes:
    """Compare two releases of a channel.

    Args:
        before: the earlier one; None where there is none to compare with, so that all is new.
    """
    old: Mapping[ModelVersion, Blob] = {} if before is None else before.models
    taken_back = {} if before is None else before.withdrawals()
    new = {model: blob for model, blob in sorted(after.models.items()) if model not in old}
    newest: dict[str, ModelVersion] = {}
    predecessors = {}
    for model in sorted({*old, *new}):
        if model in new and model.name in newest:
            lower = newest[model.name]
            predecessors[model] = (lower, old[lower])
        if model in old:
            newest[model.name] = model
    withdrawn = tuple(entry for model, entry in after.withdrawals().items() if model not in taken_back)
    contradicted = {entry.model for entry in after.contradicted}
    return Changes(
        new=new,
        predecessors=predecessors,
        withdrawn=withdrawn,
        kept=sum(old.get(model) == blob for model, blob in after.models.items()),
        changed={
            model: (old[model], blob) for model, blob in sorted(after.models.items()) if old.get(model, blob) != blob
        },
        gone={
            model: blob
            for model, blob in sorted(old.items())
            if model not in after.models and after.withdrawal_of(model) is None
        },
        returned=tuple(sorted({*contradicted, *(model for model in new if model in taken_back)})),
    )
