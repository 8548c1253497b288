"""From a body and its headers to a record in the log: the part of the receiver that knows no HTTP."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sealift_common.errors import MalformedError
from sealift_common.parsing import strict_json
from sealift_pipeline.data_policy.policy import DESTROYED, DataPolicy
from sealift_pipeline.data_policy.record import RejectedError, apply, kind_of, system_key
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
        keys: of pseudonyms: the one in force, then former ones.
        knows_system_hook: the system hook has a token of its own, so nobody else can say that a user was removed.
    """

    def __init__(
        self, log: EventLog, policy: DataPolicy, keys: Sequence[bytes], *, knows_system_hook: bool = False
    ) -> None:
        self.log = log
        self.committer = Committer(log)
        self._policy = policy
        self._keys = keys
        self._knows_system_hook = knows_system_hook

    def take(self, body: bytes, headers: Mapping[str, str], *, is_system: bool = False) -> Outcome:
        """Keep an event; what this returns of an accepted one is on the disk.

        Args:
            headers: by name in lower case.
            is_system: the request showed the token of the system hook.

        Raises:
            MalformedError, LimitError: the body is not JSON, or beyond the limits.
            EventLogError: the log did not take it.
        """
        event = strict_json.parse(body, "event", max_size_bytes=MOST_BODY_BYTES)
        if not isinstance(event, dict):
            raise MalformedError(f"an event is a JSON object, and this is a {type(event).__name__}")
        key = key_of(event, headers, body)
        return self._keep(event, system_key(key) if is_system else key, body, is_system=is_system)

    def take_event(self, event: dict[str, Any], headers: Mapping[str, str], key: str = "") -> Outcome:
        """Keep an event that came in a list of GitLab's; see `take`.

        Args:
            key: of its own; empty for that of its headers.
        """
        body = json.dumps(event, sort_keys=True).encode("utf-8")
        return self._keep(event, key or key_of(event, headers, body), body)

    def _keep(self, event: dict[str, Any], key: str, body: bytes, *, is_system: bool = False) -> Outcome:
        kind, now = kind_of(event), time.time_ns() // 1_000
        try:
            if kind == DESTROYED and self._knows_system_hook and not is_system:
                raise RejectedError("(token of the system hook)")
            record = apply(self._policy, event, key=key, received=now, secret=self._keys[0], former=self._keys[1:])
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
        # Keys of our own have a colon: no header may name one, and so keep another event away.
        if value and value.isprintable() and ":" not in value and len(value) <= _MOST_KEY_CHARS:
            return value
    identity = event.get("id")
    if isinstance(identity, int | str) and "entity_type" in event and len(str(identity)) <= _MOST_KEY_CHARS:
        return f"audit:{identity}"
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
