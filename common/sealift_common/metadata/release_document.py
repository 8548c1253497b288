"""The signed release document: what a channel's targets and root say in Sealift's own fields.

    root       sealift = {"channel": "<name>", "revoked": [{"name", "fingerprint", "reason", "at"}]}
               x-sealift-name in each key
    targets    models/<name>/<version> → length and SHA-256 of a manifest
               sealift = {"released": "<RFC 3339, UTC>", "withdrawn": [{"model", "version", "reason", "at"}],
                          "reviews": [<DSSE envelope>]}

Written by the keys, read by every wing; the form is known here alone. Nothing here looks at signatures. Pure.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from securesystemslib.signer import Key
from tuf.api.metadata import Root, TargetFile, Targets

from sealift_common.blob import Blob, is_digest
from sealift_common.errors import MalformedError, UnsafeMemberError, UsageError
from sealift_common.names import ModelVersion, is_model_name

if TYPE_CHECKING:
    from sealift_common.review.reviewers import Reviewers

# The field that Sealift adds to root and targets; python-tuf keeps it, and it is signed.
FIELD = "sealift"
KEY_NAME_FIELD = "x-sealift-name"
# Where root keeps the keys that were revoked.
REVOKED = "revoked"
# Where root keeps who reviews, and what it demands of them: `review.reviewers` reads both.
REVIEWERS = "reviewers"
REVIEW = "review"
_KEY_NAME_CHARS = 100
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Withdrawal(NamedTuple):
    """A version that the channel took back, the reason it gives, and when (RFC 3339, UTC)."""

    model: ModelVersion
    reason: str
    at: str

    def to_dict(self) -> dict[str, str]:
        """Return the entry as targets sign it."""
        return {"at": self.at, "model": self.model.name, "reason": self.reason, "version": str(self.model.version)}


class Release(NamedTuple):
    """One version of a channel's targets.

    Attributes:
        channel: the name that the root signs.
        number: version of the targets metadata; also the N of `<channel>-<N>.tar`.
        released: when the release was made, UTC, as signed.
        models: every version that may be installed and loaded, with the digest and length of its manifest.
        withdrawn: versions taken back, with reasons, in the order of withdrawal.
        contradicted: those of them that targets list all the same; they are not among `models`, and an install refuses
            the release.
        reviews: DSSE envelopes of reviewers' statements, as they lie in targets; nobody has parsed them, or checked
            their signatures.
        reviewers: who reviews for the channel, as its root says; None where nobody does.
        objections: rejections and withdrawals of earlier releases, as an instance remembers them; no part of targets.
    """

    channel: str
    number: int
    released: datetime
    models: Mapping[ModelVersion, Blob]
    withdrawn: tuple[Withdrawal, ...] = ()
    contradicted: tuple[Withdrawal, ...] = ()
    reviews: tuple[Mapping[str, Any], ...] = ()
    reviewers: "Reviewers | None" = None
    objections: tuple[Mapping[str, Any], ...] = ()

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


def key_name(key: Key) -> str:
    """Return the name that the root gives a key, or the start of its id."""
    name = key.unrecognized_fields.get(KEY_NAME_FIELD)
    return name if isinstance(name, str) and name.isprintable() and len(name) <= _KEY_NAME_CHARS else key.keyid[:12]


def channel_of(root: Root) -> str:
    """Return the channel's name.

    Raises:
        MalformedError: the root does not say.
    """
    name = _extra(root.unrecognized_fields, "root").get("channel")
    if not isinstance(name, str) or not is_model_name(name):
        raise MalformedError(f"the root names the channel {str(name)[:120]!r}; expected [a-z0-9][a-z0-9._-]*")
    return name


def revocations(root: Root) -> list[dict[str, str]]:
    """The keys that the channel revoked so far, as root signs them: name, fingerprint, reason, at."""
    fields = root.unrecognized_fields.get(FIELD)
    entries = fields.get(REVOKED, []) if isinstance(fields, dict) else []
    return [
        entry
        for entry in entries
        if isinstance(entry, dict) and {"name", "fingerprint", "at", "reason"} <= entry.keys()
    ]


def read_release(root: Root, targets: Targets) -> Release:
    """Read `targets`, whose signatures are the caller's to check.

    Raises:
        MalformedError, UnsafeMemberError: they are not a Sealift release.
    """
    models = {}
    for path, target in targets.targets.items():
        try:
            model = ModelVersion.from_target_path(path)
        except UsageError as error:
            raise UnsafeMemberError(f"targets: {error}") from None
        digest = "sha256:" + str(target.hashes.get("sha256"))
        if not is_digest(digest):
            raise MalformedError(f"targets: {path!r} has the digest {digest[:120]!r}; expected 'sha256:<hex>'")
        models[model] = Blob(digest, target.length)
    extra = _extra(targets.unrecognized_fields, "targets")
    released = _time(extra.get("released"))
    if released > targets.expires:
        # The time floor would rise above every later expiry, and lock this instance out for good.
        raise MalformedError(
            f"targets: released on {released:%Y-%m-%d}, after they expire on {targets.expires:%Y-%m-%d}"
        )
    entries = extra.get("withdrawn", [])
    if not isinstance(entries, list):
        raise MalformedError("targets: 'withdrawn' is not a list")
    reviews = extra.get("reviews", [])
    if not isinstance(reviews, list) or not all(isinstance(entry, dict) for entry in reviews):
        raise MalformedError("targets: 'reviews' is not a list of envelopes")
    withdrawn = tuple(_withdrawal(entry) for entry in entries)
    contradicted = tuple(withdrawal for withdrawal in withdrawn if models.pop(withdrawal.model, None) is not None)
    return Release(
        channel_of(root),
        targets.version,
        released,
        MappingProxyType(models),
        withdrawn,
        contradicted,
        tuple(reviews),
        _reviewers(root),
    )


def _reviewers(root: Root) -> "Reviewers | None":
    fields = _extra(root.unrecognized_fields, "root")
    if REVIEWERS not in fields and REVIEW not in fields:
        # As `read_reviewers` says of such a root, without importing what reviews need into every load.
        return None
    # It stands on this module.
    from sealift_common.review.reviewers import read_reviewers

    return read_reviewers(root)


def targets_of(release: Release, expires: datetime) -> Targets:
    """Write `release` as unsigned targets that are good until `expires`."""
    from sealift_common.clock import rfc3339

    return Targets(
        version=release.number,
        expires=expires,
        targets={
            model.target_path: TargetFile(manifest.size, {"sha256": manifest.hex}, model.target_path)
            for model, manifest in release.models.items()
        },
        unrecognized_fields={
            FIELD: {
                "released": rfc3339(release.released),
                "withdrawn": [withdrawal.to_dict() for withdrawal in release.withdrawn],
                **({"reviews": [dict(envelope) for envelope in release.reviews]} if release.reviews else {}),
            }
        },
    )


def _extra(fields: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    extra = fields.get(FIELD)
    if not isinstance(extra, dict):
        raise MalformedError(f"{what} has no {FIELD!r} field: this is not the metadata of a Sealift channel")
    return extra


def _time(value: Any) -> datetime:
    try:
        return datetime.strptime(value, _TIME).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise MalformedError(
            f"targets: 'released' is {str(value)[:40]!r}; expected for example '2026-11-23T12:00:00Z'"
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
