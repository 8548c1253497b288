"""A hook as GitLab delivers it: one connection an event, ten seconds, no second try, and off after some failures.

The rules are those of GitLab's own source: the fourth failure in a row switches a hook off for a minute, each further
one for twice as long, up to a day; the fortieth for good. What is not sent while it is off is not in its list of events.
"""

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
import uuid

_FAILURES_BEFORE_OFF, _FAILURES_FOR_GOOD = 4, 40
_LONGEST_S = 24 * 3600
_NAMES = {
    "issue": "Issue Hook",
    "note": "Note Hook",
    "merge_request": "Merge Request Hook",
    "push": "Push Hook",
    "pipeline": "Pipeline Hook",
}


class Hook:
    """One hook, with a token or a signing secret or both.

    Args:
        address: host and port of the receiver.
        signing_secret: `whsec_…` as GitLab shows it.
        clock: seconds since 1970, for signatures and for being off.
    """

    def __init__(self, address, *, token="", signing_secret="", number=3, clock=time.time):
        self.address, self.token, self.signing_secret = address, token, signing_secret
        self.number, self.clock = number, clock
        self.identity = str(uuid.UUID(int=number))
        self.failures, self.off_until = 0, 0.0
        self.sent = []
        self._lock = threading.Lock()

    @property
    def is_on(self):
        return self.failures < _FAILURES_FOR_GOOD and self.clock() >= self.off_until

    def headers(self, event, body, key):
        kind = event.get("object_kind")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitLab/18.6.0-ee",
            "Idempotency-Key": key,
            "X-Gitlab-Event": _NAMES.get(kind, "System Hook"),
            "X-Gitlab-Event-UUID": str(uuid.uuid4()),
            "X-Gitlab-Webhook-UUID": self.identity,
            "X-Gitlab-Instance": "https://gitlab.invented.example",
        }
        if self.token:
            headers["X-Gitlab-Token"] = self.token
        if self.signing_secret:
            stamp = str(int(self.clock()))
            secret = base64.b64decode(self.signing_secret.removeprefix("whsec_"))
            signature = hmac.digest(secret, f"{key}.{stamp}.".encode() + body, hashlib.sha256)
            headers |= {
                "webhook-id": key,
                "webhook-timestamp": stamp,
                # The old secret may have signed too.
                "webhook-signature": f"v1,{base64.b64encode(b'old' * 10).decode()} v1,{base64.b64encode(signature).decode()}",
            }
        return headers

    def send(self, event, *, key=None, twice=False):
        """Deliver an event; return the status, 0 where nobody answered, None where the hook is off."""
        if not self.is_on:
            return None
        body = json.dumps(event).encode()
        headers = self.headers(event, body, key or str(uuid.uuid4()))
        status = self.post(body, headers)
        if twice:
            status = self.post(body, headers)
        with self._lock:
            shown = {**headers, **({"X-Gitlab-Token": "[REDACTED]"} if self.token else {})}
            self.sent.append(
                {
                    "id": len(self.sent) + 1,
                    "url": f"http://{self.address[0]}:{self.address[1]}/",
                    "trigger": f"{event.get('object_kind', 'system')}_hooks",
                    "request_headers": shown,
                    "request_data": event,
                    "response_headers": {},
                    "response_body": "",
                    "execution_duration": 0.01,
                    "response_status": str(status) if status else "internal error",
                }
            )
            self._remember(status)
        return status

    def _remember(self, status):
        if status and 200 <= status < 300:
            self.failures, self.off_until = 0, 0.0
            return
        self.failures += 1
        if self.failures >= _FAILURES_BEFORE_OFF:
            self.off_until = self.clock() + min(60 * 2 ** (self.failures - _FAILURES_BEFORE_OFF), _LONGEST_S)

    def post(self, body, headers):
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        try:
            connection.request("POST", "/", body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
