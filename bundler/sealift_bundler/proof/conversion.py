"""The request for a conversion and its result: files that are proven, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sealift.model.documents.description import FILE_NAME, ModelDescription, Tolerance
from sealift.model.model import Model

if TYPE_CHECKING:
    from sealift_bundler.disclosure import Finding


@dataclass(frozen=True)
class Order:
    """Order for a conversion: name and version, how far a score may be off, and which modules it needs."""

    name: str
    version: str
    tolerance: Tolerance
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversion:
    """A model directory's content, proven against the original: file names and bytes."""

    files: Mapping[str, bytes]

    @property
    def description(self) -> ModelDescription:
        """The parsed `model.json`."""
        return ModelDescription.parse(self.files[FILE_NAME])

    @cached_property
    def findings(self) -> "tuple[Finding, ...]":
        """What the disclosure scan finds in the files: secrets and personal data, told by kind and place."""
        from sealift_bundler.disclosure import scan_files

        return scan_files(self.files)

    @property
    def rung(self) -> str:
        """The rung of the ladder that proved itself, for example "float32"."""
        return self.description.rung

    @property
    def parity(self) -> Mapping[str, Any]:
        """The parity report: rows, labels wrong, ties, largest errors, worst rows, edge rows by kind."""
        return self.description.parity

    def open(self, *, threads: int | None = None) -> Model:
        """Open the converted model: the very code that an instance runs."""
        return Model.from_files(self.files, threads=threads)
