"""Find the statements about one model version among thousands, without parsing the others. Pure.

Rules:

1. Each payload is decoded once. An envelope that somebody asks about is parsed once, and its signature checked once for
   each key.
2. An envelope that is not of its form says nothing. Who signs targets could as well leave it out, so that a policy
   misses the approval, and an instance that saw it before misses what it saw.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping

from sealift_common.errors import LimitError, MalformedError
from sealift_common.review.dsse import MAX_PAYLOAD_BYTES, Envelope, parse_envelope
from sealift_common.review.reviewers import Reviewer
from sealift_common.review.statement import Statement, Subject, parse_statement

# The payload is canonical JSON, so that its subjects stand last, and a digest has one spelling.
_SUBJECTS = b'"subject":['
_DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_MAX_CHARS = MAX_PAYLOAD_BYTES // 3 * 4 + 4


class Said:
    """An envelope and the statement in it; who signed it is checked when somebody asks.

    Attributes:
        subjects: those of the statement, to look one up among a thousand.
    """

    def __init__(self, envelope: Envelope, statement: Statement) -> None:
        self.envelope = envelope
        self.statement = statement
        self.subjects = frozenset(statement.subjects)
        self._signed: dict[bytes, bool] = {}

    def signed_with(self, reviewer: Reviewer) -> bool:
        """Return whether this key made one of the signatures, under whatever key id."""
        known = self._signed.get(reviewer.material)
        if known is None:
            known = self._signed[reviewer.material] = self.envelope.signed_with(reviewer.key)
        return known


class StatementIndex:
    """Envelopes as signed targets hold them, by the digests that they name."""

    def __init__(self, documents: Iterable[Mapping[str, object]]) -> None:
        self._documents = list(documents)
        self._said: dict[int, Said | None] = {}
        self._places: dict[bytes, list[int]] = {}
        for place, document in enumerate(self._documents):
            payload = _payload(document)
            for digest in set(_DIGEST.findall(payload, max(payload.rfind(_SUBJECTS), 0))):
                self._places.setdefault(digest, []).append(place)

    @classmethod
    def of(cls, documents: "Iterable[Mapping[str, object]] | StatementIndex") -> "StatementIndex":
        """Return the index of envelopes, or the one that is given."""
        return documents if isinstance(documents, StatementIndex) else cls(documents)

    def about(self, subject: Subject) -> Iterator[Said]:
        """Yield what is said of one model version."""
        for place in self._places.get(subject.hex.encode(), ()):
            said = self._parsed(place)
            if said is not None and subject in said.subjects:
                yield said

    def __iter__(self) -> Iterator[Said]:
        """Yield everything that is said, in its order."""
        for place in range(len(self._documents)):
            said = self._parsed(place)
            if said is not None:
                yield said

    def _parsed(self, place: int) -> Said | None:
        if place not in self._said:
            try:
                envelope = parse_envelope(self._documents[place], "a review")
                self._said[place] = Said(envelope, parse_statement(envelope.payload, "a review"))
            except (MalformedError, LimitError):
                self._said[place] = None
        return self._said[place]


def _payload(document: Mapping[str, object]) -> bytes:
    """Decode a payload; that its base64 is the one of its bytes is checked when it is parsed."""
    text = document.get("payload") if isinstance(document, Mapping) else None
    if not isinstance(text, str) or len(text) > _MAX_CHARS:
        return b""
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""
