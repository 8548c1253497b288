"""What a channel's verified metadata says: which model versions may be installed and loaded.

Pure: python-tuf's verified objects in, our objects out.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from tuf.api.metadata import Root, Targets

from sealift.bundle.layout import is_digest
from sealift.bundle.manifest import Blob
from sealift.errors import LimitError, MalformedError, UnsafeMemberError, UsageError
from sealift.limits import LIMITS
from sealift_common.names import ModelVersion, is_model_name

# Extra fields that TUF lets a repository sign along with its own.
_EXTRA = "sealift"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Withdrawal(NamedTuple):
    """A version that the channel took back, and the reason it gives."""

    model: ModelVersion
    reason: str
    at: str


class Release(NamedTuple):
    """One version of a channel's targets.

    Attributes:
        channel: the name that the root signs.
        number: version of the targets metadata; also the N of `<channel>-<N>.tar`.
        released: when the release was made, UTC, as signed.
        models: every version that may be installed and loaded, with the digest and length of its manifest.
        withdrawn: versions taken back, with reasons.
        contradicted: those of them that targets list all the same; they are not among `models`, and an install refuses
            the release.
    """

    channel: str
    number: int
    released: datetime
    models: Mapping[ModelVersion, Blob]
    withdrawn: tuple[Withdrawal, ...]
    contradicted: tuple[Withdrawal, ...] = ()

    def newest(self) -> dict[str, ModelVersion]:
        """Return the newest listed version of every model, by SemVer precedence."""
        newest: dict[str, ModelVersion] = {}
        for model in sorted(self.models):
            newest[model.name] = model
        return newest

    def withdrawals(self) -> dict[ModelVersion, Withdrawal]:
        """Return why each version was taken back, for those who ask about many."""
        # Of several entries the first counts, as for `withdrawal_of`.
        return {withdrawal.model: withdrawal for withdrawal in reversed(self.withdrawn)}

    def withdrawal_of(self, model: ModelVersion) -> Withdrawal | None:
        """Return why `model` was taken back, if the channel says so."""
        return next((withdrawal for withdrawal in self.withdrawn if withdrawal.model == model), None)


def channel_of(root: Root) -> str:
    """Return the channel's name.

    Raises:
        MalformedError: the root does not say.
    """
    name = _extra(root.unrecognized_fields, "root").get("channel")
    if not isinstance(name, str) or not is_model_name(name):
        raise MalformedError(f"the root names the channel {str(name)[:120]!r}; expected [a-z0-9][a-z0-9._-]*")
    return name


def release_of(root: Root, targets: Targets) -> Release:
    """Read verified `targets`.

    Raises:
        MalformedError, UnsafeMemberError, LimitError: signed, and still not a Sealift release.
    """
    if len(targets.targets) > LIMITS.models_per_bundle:
        raise LimitError(f"targets list {len(targets.targets):,} models; expected at most {LIMITS.models_per_bundle:,}")
    models = {}
    for path, target in targets.targets.items():
        try:
            model = ModelVersion.from_target_path(path)
        except UsageError as error:
            raise UnsafeMemberError(f"targets: {error}") from None
        digest = "sha256:" + str(target.hashes.get("sha256"))
        if not is_digest(digest):
            raise MalformedError(f"targets: {path!r} has the digest {digest[:120]!r}; expected 'sha256:<hex>'")
        if not 0 < target.length <= LIMITS.oci_manifest_size_bytes:
            raise LimitError(f"targets: {path!r} has a manifest of {target.length:,} bytes")
        models[model] = Blob(digest, target.length)
    extra = _extra(targets.unrecognized_fields, "targets")
    released = _time(extra.get("released"), "released")
    if released > targets.expires:
        # The time floor would rise above every later expiry, and lock this instance out for good.
        raise MalformedError(
            f"targets: released on {released:%Y-%m-%d}, after they expire on {targets.expires:%Y-%m-%d}"
        )
    withdrawn = tuple(_withdrawal(entry) for entry in _list(extra.get("withdrawn", [])))
    contradicted = tuple(withdrawal for withdrawal in withdrawn if models.pop(withdrawal.model, None) is not None)
    return Release(
        channel=channel_of(root),
        number=targets.version,
        released=released,
        models=MappingProxyType(models),
        withdrawn=withdrawn,
        contradicted=contradicted,
    )


def _extra(fields: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    extra = fields.get(_EXTRA)
    if not isinstance(extra, dict):
        raise MalformedError(f"{what} has no {_EXTRA!r} field: this is not the metadata of a Sealift channel")
    return extra


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedError("targets: 'withdrawn' is not a list")
    return value


def _time(value: Any, what: str) -> datetime:
    try:
        return datetime.strptime(value, _TIME).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise MalformedError(
            f"targets: {what!r} is {str(value)[:40]!r}; expected for example '2026-11-23T12:00:00Z'"
        ) from None


def _withdrawal(entry: Any) -> Withdrawal:
    try:
        model = ModelVersion.parse(entry["model"], entry["version"])
        reason, at = entry["reason"], entry["at"]
    except (TypeError, KeyError, UsageError) as error:
        raise MalformedError(f"targets: an entry of 'withdrawn' is not of the expected form: {error}") from None
    if not isinstance(reason, str) or not isinstance(at, str):
        raise MalformedError(f"targets: the withdrawal of {model} has no reason or time")
    return Withdrawal(model, reason, at)
