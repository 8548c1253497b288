"""The request for a conversion and its result: files that are proven, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sealift.model.documents.description import FILE_NAME, GOLDEN_FILE, ModelDescription, Tolerance
from sealift.model.model import Model
from sealift_common.wording import counted

if TYPE_CHECKING:
    from sealift_bundler.converters.encoders.settings import TextFrontend
    from sealift_bundler.disclosure import Finding

GENERATED, SAMPLES, FILE = "generated", "samples", "file"


def is_choice(golden: Any) -> bool:
    """Return whether this names whose rows travel, and is neither rows nor their file."""
    return isinstance(golden, str) and golden in (GENERATED, SAMPLES)


@dataclass(frozen=True)
class Order:
    """Order for a conversion: name and version, how far a score may be off, modules that it needs, names to trust."""

    name: str
    version: str
    tolerance: Tolerance
    imports: tuple[str, ...] = ()
    # Rows to record: "generated", "samples", the path of a file, or rows; None decides by what the model takes.
    golden: Any = None
    # Whether to probe the converted model, and rows that it was not trained on, or their file.
    probe: bool = False
    holdout: Any = None
    trust_globals: tuple[str, ...] = ()
    # What stands before and behind a graph of tokens.
    frontend: "TextFrontend | None" = None


@dataclass(frozen=True)
class Golden:
    """Account of the rows that travel in `golden.json`.

    Attributes:
        source: "generated", "samples", or "file".
        rows: how many.
        columns: of how many columns or tensors; 0 for texts.
        unit: what these are, "column" or "tensor".
        file: the name of their file; empty for others, and for rows that were given in Python.
        reason: why, where nobody chose.
        labels: how many labels the model has; 0 where it has none, and for rows that were not generated.
        labels_shown: how many of them the rows' answers show.
        sample_rows: how many of the rows are samples: of a file, too, because it may hold some.
    """

    source: str
    rows: int
    columns: int
    unit: str = "column"
    file: str = ""
    reason: str = ""
    labels: int = 0
    labels_shown: int = 0
    sample_rows: int = 0

    @property
    def line(self) -> str:
        """Say in one line what leaves."""
        made = {GENERATED: "generated ", SAMPLES: "sample "}.get(self.source, "")
        what = counted(self.rows, f"{made}row" if self.columns else f"{made}text")
        of = f" of {counted(self.columns, self.unit)}" if self.columns else ""
        origin = "" if made else f" from {self.file}" if self.file else " given as golden rows"
        shown = f", with {self.labels_shown} of {counted(self.labels, 'label')}" if self.labels else ""
        end = "" if self.source == SAMPLES else f"; {self._samples}"
        why = f" ({self.reason})" if self.reason else ""
        return f"{GOLDEN_FILE}: {what}{of}{origin} {'travels' if self.rows == 1 else 'travel'}{shown}{end}{why}"

    @property
    def _samples(self) -> str:
        if not self.sample_rows:
            return "no sample row does"
        if self.sample_rows == self.rows:
            return "all of them are sample rows" if self.rows > 1 else "it is a sample row"
        return f"{self.sample_rows} of them {'is a sample row' if self.sample_rows == 1 else 'are sample rows'}"


@dataclass(frozen=True)
class Conversion:
    """A model directory's content, proven against the original: file names and bytes.

    `golden` and `probe` are for people, and in no file.
    """

    files: Mapping[str, bytes]
    golden: Golden | None = None
    probe: Mapping[str, Any] = field(default_factory=dict)

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
