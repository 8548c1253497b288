"""Parsers of reviews: records, statements, questionnaires."""

import json
import sys
from collections.abc import Callable

from securesystemslib.signer import Signature

from sealift_common.parsing import strict_json
from sealift_common.review.dsse import Envelope, canonical, parse_envelope
from sealift_common.review.questionnaire import CLASSES, default_bytes, parse_questionnaire
from sealift_common.review.record import parse_record
from sealift_common.review.statement import Statement, Subject, parse_statement

if sys.version_info >= (3, 14):
    pass
else:
    pass
from support.hostile.fuzzing.samples import MODEL, NOW

RECORD = json.dumps(
    {
        "schema": "sealift.record/1",
        "model": "toy",
        "version": "1.0.0",
        "risk": "limited",
        "personal_data": False,
        "roles": ["security", "legal"],
        "questionnaire": "sha256:" + "a" * 64,
        "answers": {"use": {"purpose": "none"}},
        "source": "sha256:" + "b" * 64,
        "samples": "sha256:" + "c" * 64,
        "accepted": [{"kind": "e-mail", "file": "CARD.md", "place": "line 1", "reason": "public"}],
        "authors": [],
        "probe": {},
        "versions": {"python": "3.11"},
    }
).encode()


def review_record(data: bytes) -> None:
    parse_record(data, MODEL)


def review(data: bytes) -> None:
    envelope = parse_envelope(strict_json.parse(data, "review"), "review")
    parse_statement(envelope.payload, "review")


def questionnaire(data: bytes) -> None:
    found = parse_questionnaire(data)
    for risk in CLASSES:
        found.demand(risk, personal_data=True)


def _review() -> bytes:
    subject = Subject(MODEL, "sha256:" + "a" * 64)
    statement = Statement("sim", "security", "approved", 1, (subject,), None, None, NOW, NOW, "fine")
    return canonical(Envelope(statement.to_bytes(), (Signature("k", "00" * 64),)))


# Each target, and good inputs for it, from which a fuzzer departs.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "review_record": (review_record, lambda: [RECORD]),
    "review": (review, lambda: [_review()]),
    "questionnaire": (questionnaire, lambda: [default_bytes()]),
}
