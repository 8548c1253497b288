"""Lines for the machine's log, and so for a SIEM: what changed the store, what was overridden, what was refused.

Where systemd's journal listens, an event goes there with fields of its own; else to syslog, as the same words in one
line. The words and the fields stay the same from version to version:

    install code="ok" channel="gitlab-models" release="3" generation="4" user="root (uid 0)" model="triage:1.4.0"
        digest="sha256:…"

Nothing waits for the log, and an install never fails because of it: who must have every event reads the store's
history, which is written first. `SEALIFT_SYSLOG=none` switches it off.
"""

import os
import re
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sealift.places import person
from sealift_common.errors import Error
from sealift_common.names import ModelVersion

VARIABLE = "SEALIFT_SYSLOG"
JOURNAL = Path("/run/systemd/journal/socket")
SYSLOG = Path("/dev/log")

_IDENTIFIER = "sealift"
_DAEMON = 3 << 3
_NOTICE, _WARNING = 5, 4
# One datagram each: some collectors cut a line off at 8 KB, and older ones earlier.
_MOST_MODELS = 20
_VALUE_CHARS = 400
_FIELDS = (
    "code",
    "channel",
    "release",
    "generation",
    "before",
    "user",
    "reason",
    "override",
    "message",
    "model",
    "digest",
)
_ODD = re.compile(r'["\\\x00-\x1f\x7f-\x9f]')

P = ParamSpec("P")
T = TypeVar("T")
Models = Sequence[tuple[ModelVersion, str]]


def changed(action: str, entry: Mapping[str, Any], *, channel: str, models: Models, override: str = "") -> None:
    """Tell that the store was changed.

    Args:
        action: such as `install`, `refresh`, `rollback`.
        entry: of the history.
        models: active versions afterwards, each with its digest.
        override: what was relaxed for it, and why; empty for nothing.
    """
    facts = {key: entry[key] for key in ("release", "generation", "before", "user", "reason") if key in entry}
    _tell(
        action,
        _WARNING if override else _NOTICE,
        {"code": "ok", "channel": channel, "override": override, **facts},
        models,
    )


def refused(action: str, error: Error, user: str) -> None:
    """Tell that something was refused, and that the store is as it was."""
    _tell(action, _WARNING, {"code": error.code, "user": user, "message": str(error)}, ())


def tells_refusals(action: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a decorator that tells when a function that changes the store refuses."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def call(*arguments: P.args, **named: P.kwargs) -> T:
            try:
                return function(*arguments, **named)
            except Error as error:
                refused(action, error, person())
                raise

        return call

    return decorate


def _tell(action: str, priority: int, facts: Mapping[str, Any], models: Models) -> None:
    if os.environ.get(VARIABLE) == "none":
        return
    pairs = [(key, str(facts[key])) for key in _FIELDS if facts.get(key) not in (None, "")]
    for model, digest in models[:_MOST_MODELS]:
        pairs += [("model", model.reference), ("digest", digest)]
    if len(models) > _MOST_MODELS:
        pairs.append(("models_left_out", str(len(models) - _MOST_MODELS)))
    pairs = [(key, value[:_VALUE_CHARS]) for key, value in pairs]
    line = " ".join([action, *(f'{key}="{_ODD.sub(_escaped, value)}"' for key, value in pairs)])
    if JOURNAL.exists():
        fields = [("MESSAGE", line), ("PRIORITY", str(priority)), ("SYSLOG_IDENTIFIER", _IDENTIFIER)]
        fields += [("SEALIFT_ACTION", action), *((f"SEALIFT_{key.upper()}", value) for key, value in pairs)]
        _send(JOURNAL, b"".join(_field(name, value) for name, value in fields))
    elif SYSLOG.exists():
        _send(SYSLOG, f"<{_DAEMON | priority}>{_IDENTIFIER}[{os.getpid()}]: {line}".encode())


def _field(name: str, value: str) -> bytes:
    """Return one field in the journal's native form, which takes any text: name, length, bytes."""
    data = value.encode("utf-8", "backslashreplace")
    return name.encode("ascii") + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\{character}" if character in '"\\' else f"\\x{ord(character):02x}"


def _send(path: Path, data: bytes) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(data, str(path))
    except OSError:
        return
