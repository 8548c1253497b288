"""Statements: what one reviewer says of model versions, as in-toto has it. Pure.

An in-toto Statement v1 with the Simple Verification Result predicate. Its subjects are target paths with the SHA-256 of
the manifest; a key `sealift` of the predicate holds what no field of the standard says:

    {"channel", "role", "decision", "serial", "record", "expires", "note"}

`serial` orders the statements of one key about one subject; clocks do not. `record` is the digest of the version's
`REVIEW.json`, or null where it has none, and stands only where there is one subject. The payload is canonical JSON, so
that a digest in it has one spelling and can be looked for in the bytes.

https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sealift_common.blob import is_digest
from sealift_common.clock import rfc3339
from sealift_common.errors import MalformedError, UsageError
from sealift_common.names import ModelVersion, is_model_name
from sealift_common.parsing import strict_json
from sealift_common.review.dsse import MAX_PAYLOAD_BYTES

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/svr/v0.2"
APPROVED, REJECTED, WITHDRAWN = "approved", "rejected", "withdrawn"
# From the laxest to the strictest: of two with one serial, the stricter counts.
DECISIONS = (APPROVED, WITHDRAWN, REJECTED)
MAX_NOTE_CHARS = 1000
MAX_SUBJECTS = 1000
MAX_SERIAL = 2**53 - 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_OWN = {"channel", "role", "decision", "serial", "record", "expires", "note"}


class Subject(NamedTuple):
    """What a statement is about: a model version, and the manifest that a channel lists for it."""

    model: ModelVersion
    digest: str

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.removeprefix("sha256:")


class Statement(NamedTuple):
    """A parsed statement, whose signature is somebody else's to check.

    Attributes:
        channel: the channel that it was made for.
        role: the reviewer's role, for example "security".
        decision: one of `DECISIONS`.
        serial: the highest of one key and subject counts.
        subjects: the model versions.
        record: digest of `REVIEW.json`; None where the version has none.
        questionnaire: digest of the questionnaire that the reviewer went by; None where there was none.
        created: when it was made, UTC.
        expires: when an approval ends, UTC; None for what does not end.
        note: for people.
    """

    channel: str
    role: str
    decision: str
    serial: int
    subjects: tuple[Subject, ...]
    record: str | None
    questionnaire: str | None
    created: datetime
    expires: datetime | None
    note: str

    @property
    def rank(self) -> tuple[int, int]:
        """What orders the statements of one key about one subject: the highest counts."""
        return self.serial, DECISIONS.index(self.decision)

    def to_bytes(self) -> bytes:
        """Return the payload: canonical JSON, sorted keys and no spaces."""
        policies = [] if self.questionnaire is None else [{"digest": {"sha256": self.questionnaire[7:]}}]
        document = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": one.model.target_path, "digest": {"sha256": one.hex}} for one in self.subjects],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "verifier": {"id": _verifier(self.channel, self.role), "policies": policies},
                "timeCreated": rfc3339(self.created),
                "properties": [_property(self.role, self.decision)],
                "sealift": {
                    "channel": self.channel,
                    "role": self.role,
                    "decision": self.decision,
                    "serial": self.serial,
                    "record": self.record,
                    "expires": None if self.expires is None else rfc3339(self.expires),
                    "note": self.note,
                },
            },
        }
        return _canonical(document)


def check_note(note: str) -> str:
    """Return a note, if it may stand in a statement.

    Raises:
        UsageError: it is too long, or has control characters.
    """
    note = note.strip()
    if len(note) > MAX_NOTE_CHARS or not note.isprintable():
        raise UsageError(
            f"the note is {note[:40]!r}; expected one line of at most {MAX_NOTE_CHARS:,} characters, without control "
            "characters"
        )
    return note


def parse_statement(payload: bytes, what: str) -> Statement:
    """Parse a payload.

    Args:
        what: how errors name it.

    Raises:
        MalformedError, LimitError: it is not a statement as `Statement.to_bytes` writes it.
    """
    document = strict_json.parse(payload, what, max_size_bytes=MAX_PAYLOAD_BYTES)
    try:
        statement = _statement(document)
    except (AttributeError, KeyError, TypeError, ValueError, UsageError) as error:
        raise MalformedError(f"{what} is not a statement of a review: {error!s:.120}") from None
    # Whatever was left out of it above, and every other spelling, comes out here.
    if statement.to_bytes() != payload:
        raise MalformedError(f"{what} is not written as a statement of a review is, in canonical JSON")
    return statement


def _statement(document: Any) -> Statement:
    own, predicate = document["predicate"]["sealift"], document["predicate"]
    if own.keys() != _OWN:
        raise ValueError("its own part has other keys")
    if own["decision"] not in DECISIONS or not is_model_name(own["role"]) or not is_model_name(own["channel"]):
        raise ValueError("no decision, role or channel of that form")
    if type(own["serial"]) is not int or not 0 < own["serial"] <= MAX_SERIAL:
        raise ValueError("the serial is not a number from 1 on")
    subjects = tuple(
        Subject(ModelVersion.from_target_path(one["name"]), f"sha256:{one['digest']['sha256']}")
        for one in document["subject"]
    )
    policies = predicate["verifier"]["policies"]
    questionnaire = f"sha256:{policies[0]['digest']['sha256']}" if policies else None
    digests = [one.digest for one in subjects]
    digests += [one for one in (own["record"], questionnaire) if one is not None]
    if not 0 < len(subjects) <= MAX_SUBJECTS or not all(map(is_digest, digests)):
        raise ValueError("no subjects, too many, or digests of another form")
    if len(subjects) > 1 and own["record"] is not None:
        raise ValueError("one record for several subjects")
    if check_note(own["note"]) != own["note"]:
        raise ValueError("spaces around the note")
    return Statement(
        channel=own["channel"],
        role=own["role"],
        decision=own["decision"],
        serial=own["serial"],
        subjects=subjects,
        record=own["record"],
        questionnaire=questionnaire,
        created=_time(predicate["timeCreated"]),
        expires=None if own["expires"] is None else _time(own["expires"]),
        note=own["note"],
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def _verifier(channel: str, role: str) -> str:
    return f"urn:sealift:{channel}:{role}"


def _property(role: str, decision: str) -> str:
    return f"SEALIFT_{role}_{decision}".upper()


def _canonical(document: Any) -> bytes:
    # RFC 8785 for what stands here: strings, null and whole numbers below 2^53.
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
