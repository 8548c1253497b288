"""`run.json`: what a training run was, from the digest of its data snapshot to that of the model. Pure.

It is canonical JSON (RFC 8785) without a clock, a path or a name of a machine: the same run gives the same bytes. It
travels with the version, beside the data snapshot. docs/reference/formats/training.md describes it.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from sealift_common.errors import MalformedError, UnsupportedVersionError, UsageError
from sealift_common.names import ModelVersion
from sealift_common.parsing import strict_json
from sealift_common.parsing.limits import LIMITS

FORMAT = 1
FILE = "run.json"
# What a run depends on, besides the champion.
INPUTS = ("code", "data_snapshot", "lock", "project", "python")
_KEYS = frozenset(
    {"champion", "files", "format", "gate", "inputs", "machine", "model", "params", "profile", "search", "split"}
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest(data: bytes) -> str:
    """Return `sha256:` and the digest in hexadecimal."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        model: the version that it made, or would have made.
        inputs: digests of code, data snapshot, lock file and project file, and the version of Python.
        machine: architecture and flags of the processor, and versions of the libraries that trained.
        split: shares of validation and test, and how many rows each part had.
        search: metric, seed, trials in order, and the number of the best.
        params: of the model, by name.
        gate: what `Judgement.document` gives.
        champion: version and digest of the manifest that it was compared with; empty where there was none.
        profile: of the rows that it learned from; see `training.drift.profile`.
        files: name to digest of each converted file but `model.json`.
    """

    model: ModelVersion
    inputs: Mapping[str, str]
    machine: Mapping[str, Any]
    split: Mapping[str, Any]
    search: Mapping[str, Any]
    params: Mapping[str, Any]
    gate: Mapping[str, Any]
    champion: Mapping[str, str]
    profile: Mapping[str, Any]
    files: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Return the bytes of its file."""
        return rfc8785.dumps(
            {
                "champion": dict(self.champion),
                "files": dict(self.files),
                "format": FORMAT,
                "gate": dict(self.gate),
                "inputs": dict(self.inputs),
                "machine": dict(self.machine),
                "model": {"name": self.model.name, "version": str(self.model.version)},
                "params": dict(self.params),
                "profile": dict(self.profile),
                "search": dict(self.search),
                "split": dict(self.split),
            }
        )

    @classmethod
    def parse(cls, data: bytes, name: str = FILE) -> "Run":
        """Read the bytes of a file.

        Raises:
            MalformedError, LimitError: they are not those that `to_bytes` writes.
            UnsupportedVersionError: they are of a newer format.
        """
        document = strict_json.parse(data, name, max_size_bytes=LIMITS.json_size_bytes)
        version = document.get("format") if isinstance(document, dict) else None
        if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT:
            raise UnsupportedVersionError(f"{name!r} has format {version}; this Sealift knows {FORMAT}: upgrade it")
        try:
            fits = set(document) == _KEYS and all(isinstance(document[key], dict) for key in _KEYS - {"format"})
            named = document["model"]
            rest = {key: document[key] for key in _KEYS - {"format", "model"}}
            made = cls(model=ModelVersion.parse(named["name"], named["version"]), **rest)
            fits = fits and _fits(made) and made.to_bytes() == data
        except (TypeError, KeyError, AttributeError, ValueError, UsageError):
            fits = False
        if not fits:
            raise MalformedError(f"{name!r} is not a training run as `sealift-pipeline retrain` writes it")
        return made

    @property
    def profile_columns(self) -> Mapping[str, Any]:
        """The columns of the profile, by name."""
        columns: Mapping[str, Any] = self.profile["columns"]
        return columns


def _fits(run: Run) -> bool:
    """Check what readers of a run rely on."""
    digests = [*run.files.values(), *(run.inputs[key] for key in INPUTS if key != "python")]
    shares = [run.split["validation"], run.split["test"]]
    return (
        set(run.inputs) == set(INPUTS)
        and all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in digests)
        and all(isinstance(one, int | float) and not isinstance(one, bool) and 0 < one < 1 for one in shares)
        and isinstance(run.inputs["python"], str)
        and isinstance(run.profile["columns"], dict)
        and isinstance(run.profile["labels"], dict)
        and isinstance(run.search["trials"], list)
        and isinstance(run.gate["passed"], bool)
    )
