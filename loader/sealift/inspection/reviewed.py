"""What reviewers said of an installed version, and what this instance makes of it. Pure: verified objects in."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealift.policy.policy import Excepted, Policy, in_force
from sealift.policy.verdict import heard, unmet
from sealift_common import fingerprint
from sealift_common.clock import rfc3339
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest
from sealift_common.review.dsse import canonical
from sealift_common.review.judgement import Decision
from sealift_common.review.record import FILE_NAME

_FINGERPRINT_CHARS = 16


class Reviewed(NamedTuple):
    """The reviews of one version.

    Attributes:
        digest: of its manifest, which reviewers approved.
        record: digest of its `REVIEW.json`; None where it has none.
        roles: that the channel's root and the policy of this instance ask for; None where nobody asks.
        excepted: the policy's exception for it.
        decisions: that count: of reviewers of the channel, then of this site's own.
        ours: keys of this site's own reviewers, by material.
        unmet: what keeps it from being loaded here, in words.
        unmet_for_installing: what would keep it from being installed anew, where time matters.
    """

    channel: str
    release: int
    model: ModelVersion
    digest: str
    record: str | None
    roles: tuple[str, ...] | None
    excepted: Excepted | None
    decisions: tuple[Decision, ...]
    ours: frozenset[bytes]
    unmet: tuple[str, ...]
    unmet_for_installing: tuple[str, ...]

    def by(self, decision: Decision) -> str:
        """Return who decided, as people call the key."""
        return f"{decision.name} (this site)" if self._is_ours(decision) else decision.name

    def _is_ours(self, decision: Decision) -> bool:
        return decision.reviewer.material in self.ours

    def document(self, now: datetime) -> dict[str, Any]:
        """Return the same for scripts."""
        return {
            "channel": self.channel,
            "decisions": [
                {**_decision(one, now), "site": one.reviewer.material in self.ours} for one in self.decisions
            ],
            "digest": self.digest,
            "exception": None
            if self.excepted is None
            else {"reason": self.excepted.reason, "until": rfc3339(self.excepted.until)},
            "model": self.model.name,
            "record": self.record,
            "release": self.release,
            "roles": None if self.roles is None else list(self.roles),
            "unmet": list(self.unmet),
            "unmet_for_installing": list(self.unmet_for_installing),
            "version": str(self.model.version),
        }


def reviewed(release: Release, manifest: Manifest, policy: Policy, now: datetime) -> Reviewed:
    """Gather the reviews of a version.

    Args:
        release: verified, and lists the version.
        manifest: verified as well.
        policy: of the instance; `NONE` without one.
        now: the latest of clock and floor (UTC).

    Raises:
        MalformedError, LimitError: a review that names the version is not of its form.
    """
    reviewers = release.reviewers
    roles = list(policy.roles_for(manifest.model.name))
    if reviewers is not None and manifest.digest not in reviewers.exempt:
        roles += reviewers.require
    ours = frozenset[bytes]()
    if policy.own is not None:
        own = policy.own.reviewers(release.channel)
        ours = frozenset(one.material for role in own.roles.values() for one in role.reviewers)
    return Reviewed(
        channel=release.channel,
        release=release.number,
        model=manifest.model,
        digest=manifest.digest,
        record=next((file.plain.digest for file in manifest.files if file.name == FILE_NAME), None),
        roles=tuple(dict.fromkeys(roles)) if in_force(policy, release) else None,
        excepted=policy.exceptions.get(manifest.digest),
        decisions=tuple(heard(policy, release, manifest)),
        ours=ours,
        unmet=tuple(unmet(policy, release, manifest)),
        unmet_for_installing=tuple(unmet(policy, release, manifest, now)),
    )


def attestations(found: Reviewed) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of files for in-toto tools: each envelope that counts, and each key that made one.

    Names are made of what cannot be a path: the model, the role, and the key's fingerprint.
    """
    keys: dict[str, bytes] = {}
    for one in found.decisions:
        signer = f"{one.statement.role}-{fingerprint.of_bytes(one.reviewer.material)[:_FINGERPRINT_CHARS]}"
        pem = fingerprint.parse(one.reviewer.key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        keys[f"{signer}.pub"] = pem
        yield f"{found.model.name}@{found.model.version}.{signer}.dsse.json", canonical(one.envelope) + b"\n"
    yield from keys.items()


def _decision(one: Decision, now: datetime) -> dict[str, Any]:
    statement = one.statement
    return {
        "by": one.name,
        "created": rfc3339(statement.created),
        "decision": statement.decision,
        "expired": one.expired(now),
        "expires": None if statement.expires is None else rfc3339(statement.expires),
        "fingerprint": fingerprint.of_bytes(one.reviewer.material),
        "note": statement.note,
        "questionnaire": statement.questionnaire,
        "retired": None if one.reviewer.until is None else rfc3339(one.reviewer.until),
        "role": statement.role,
        "serial": statement.serial,
    }
