"""From a body and its headers to a record in the log: the part of the receiver that knows no HTTP."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealift_common.errors import MalformedError
from sealift_common.parsing import strict_json
from sealift_pipeline.data_policy.policy import DataPolicy
from sealift_pipeline.data_policy.record import RejectedError, apply, kind_of
from sealift_pipeline.log.base import EventLog, Rejection
from sealift_pipeline.receiver.committer import Committer

# GitLab sends no larger body: its REQUEST_BODY_SIZE_LIMIT is 25 MiB.
MOST_BODY_BYTES = 25 * 1024 * 1024
_KEY_HEADERS = ("webhook-id", "idempotency-key")
_MOST_KEY_CHARS = 200


@dataclass(frozen=True)
class Outcome:
    """What became of an event: `accepted`, `duplicate`, `ignored` or `rejected`, and a line about it or none."""

    result: str
    line: str = ""


class Intake:
    """Takes events one at a time, from any thread.

    Args:
        log: where they go.
        policy: what of them is kept.
        secret: the key of pseudonyms.
    """

    def __init__(self, log: EventLog, policy: DataPolicy, secret: bytes) -> None:
        self.log = log
        self.committer = Committer(log)
        self._policy = policy
        self._secret = secret

    def take(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Keep an event; what this returns of an accepted one is on the disk.

        Args:
            headers: by name in lower case.

        Raises:
            MalformedError, LimitError: the body is not JSON, or beyond the limits.
            EventLogError: the log did not take it.
        """
        event = strict_json.parse(body, "event", max_size_bytes=MOST_BODY_BYTES)
        if not isinstance(event, dict):
            raise MalformedError(f"an event is a JSON object, and this is a {type(event).__name__}")
        return self.take_event(event, headers, body)

    def take_event(self, event: dict[str, Any], headers: Mapping[str, str], body: bytes = b"") -> Outcome:
        """Keep an event that was parsed; see `take`.

        Args:
            body: as it came; empty where it came in a list.
        """
        kind, now = kind_of(event), time.time_ns() // 1_000
        body = body or json.dumps(event, sort_keys=True).encode("utf-8")
        try:
            record = apply(self._policy, event, key=key_of(event, headers, body), received=now, secret=self._secret)
            if record is not None and not self.log.takes(record):
                raise RejectedError("(size)")
        except RejectedError as error:
            shown = kind[:64]
            self.log.reject(Rejection(hashlib.sha256(body).hexdigest(), shown, error.path, now))
            return Outcome("rejected", f"rejected an event of kind {shown!r}: it does not fit at {error.path}")
        if record is None:
            return Outcome("ignored")
        return Outcome("accepted" if self.committer.commit(record) else "duplicate")


def key_of(event: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> str:
    """Return what is the same for each delivery of an event, and for no other event.

    A header of GitLab; without one the `id` of an event of audit streaming; else the digest of the body.
    """
    for name in _KEY_HEADERS:
        value = headers.get(name, "")
        if value and value.isprintable() and len(value) <= _MOST_KEY_CHARS:
            return value
    identity = event.get("id")
    if isinstance(identity, int | str) and "entity_type" in event and len(str(identity)) <= _MOST_KEY_CHARS:
        return f"audit:{identity}"
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
