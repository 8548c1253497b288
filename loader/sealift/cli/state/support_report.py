"""The tar of `sealift doctor --report`: facts for support, each section a file, and no secret in any of them.

Not in it: variables of the environment but a few by name, keys, tokens, logins, rows, answers, and files of models.
In it, and for the sender to read first: names of models, of users and of hosts' folders, and reasons in the history.
"""

import io
import json
import os
import platform
import sys
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift_common.clock import rfc3339
from sealift_common.console import error_document, local_error
from sealift_common.errors import Error

if TYPE_CHECKING:
    from sealift.store import Store

FOLDER = "sealift-report"
_VARIABLES = ("LANG", "LC_ALL", "LC_CTYPE", "SEALIFT_STORE", "SEALIFT_TRUST", "SEALIFT_SYSLOG", "SSL_CERT_FILE", "TZ")
# Whether they are set; what they say can hold a login.
_SECRETIVE = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_HISTORY_ENTRIES = 500
_FILES = 20_000
_README = """\
Facts for support, written by `sealift doctor --report`. It holds no keys, tokens, logins, rows or answers.
It does hold names of models and users, paths, and reasons that people gave: read it before you send it.
"""


def support_report(store: "Store", doctor: Mapping[str, Any], now: datetime) -> bytes:
    """Return the tar; a section that cannot be read says why in its place.

    Args:
        doctor: what `sealift doctor --json` prints.
        now: the time that its files get (UTC).
    """
    sections: dict[str, Callable[[], Any]] = {
        "doctor.json": lambda: doctor,
        "machine.json": lambda: _machine(now),
        "packages.json": _packages,
        "status.json": lambda: _status(store),
        "trust.json": lambda: _trust(store),
        "history.json": lambda: _history(store),
        "store.json": lambda: _listing(store.layout.root),
    }
    files = {"README": _README.encode()}
    for name, section in sections.items():
        try:
            content = section()
        except (Error, OSError) as error:
            content = {"error": error_document(error if isinstance(error, Error) else local_error(error))}
        files[name] = json.dumps(content, indent=2, sort_keys=True, default=str).encode("utf-8", "backslashreplace")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{FOLDER}/{name}")
            info.size, info.mtime, info.mode = len(data), int(now.timestamp()), 0o600
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _machine(now: datetime) -> dict[str, Any]:
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        system = None
    return {
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "now": rfc3339(now),
        "python": sys.version,
        "prefix": sys.prefix,
        "system": system,
        "user": os.geteuid(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "variables_set": [name for name in _SECRETIVE if name in os.environ],
    }


def _packages() -> dict[str, str]:
    found = {one.metadata["Name"]: one.version for one in metadata.distributions()}
    return {name: version for name, version in found.items() if name}


def _status(store: "Store") -> Any:
    from sealift.cli.state.status import status_document
    from sealift.status.status import Thresholds, status

    return status_document(status(store), Thresholds(None, None, None))


def _trust(store: "Store") -> Any:
    from sealift.cli.trust.trust import trust_document
    from sealift.trust import pin

    return trust_document(pin.read(store.trust_directory, store.layout.root), store)


def _history(store: "Store") -> Any:
    from sealift.store.contents import history

    return history.read(store.layout.history)[-_HISTORY_ENTRIES:]


def _listing(root: Path) -> list[dict[str, Any]]:
    """List what lies in the store: owner, mode, size and time, and no content."""
    found: list[dict[str, Any]] = []
    for base, folders, files in os.walk(root):
        folders.sort()
        for name in [*folders, *sorted(files)]:
            path = Path(base, name)
            status = path.lstat()
            found.append(
                {
                    "path": str(path.relative_to(root)),
                    "mode": oct(status.st_mode),
                    "owner": f"{status.st_uid}:{status.st_gid}",
                    "size": status.st_size,
                    "changed": rfc3339(datetime.fromtimestamp(int(status.st_mtime), UTC)),
                }
            )
            if len(found) >= _FILES:
                return found
    return found
