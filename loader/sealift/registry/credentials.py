"""Logins where Docker, Podman and skopeo keep them: files of one form, with `auths` and credential helpers.

Searched in this order: `$REGISTRY_AUTH_FILE`, where it is set; `$DOCKER_CONFIG/config.json`, or that of `~/.docker`;
`$XDG_RUNTIME_DIR/containers/auth.json`, where `podman login` and `skopeo login` write. The first that knows the host
wins.
"""

import base64
import binascii
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealift.errors import KeyFileError, LimitError, LocalError, MalformedError
from sealift.limits import LIMITS
from sealift_common.console import local_error
from sealift_common.files.secret_file import read_regular, require_private
from sealift_common.parsing import strict_json

_HELPER = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_HELPER_TIMEOUT_S = 60
# What helpers of every kind print when they know nothing of a server.
_NOT_FOUND = "credentials not found"


@dataclass(frozen=True)
class Login:
    """A user and a password, or an identity token that an authorization server takes in place of both."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find_login(host: str, repository: str, environment: Mapping[str, str] = os.environ) -> Login | None:
    """Look up who we are to a registry; None where nobody logged in.

    The entry of the longest path wins, as with podman: `host/group`, then `host`.

    Raises:
        LocalError: the configuration cannot be read, others may read or replace it, or a helper failed.
    """
    for path in _places(environment):
        found = _find_in(path, host, repository)
        if found is not None:
            return found
    return None


def _places(environment: Mapping[str, str]) -> Iterator[Path]:
    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"])
    # Not `Path.home()`, which fails where a service has no home.
    yield Path(environment.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"), "config.json")
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"], "containers", "auth.json")


def _find_in(path: Path, host: str, repository: str) -> Login | None:
    document = _read(path)
    helpers = document.get("credHelpers")
    helper = helpers.get(host) if isinstance(helpers, dict) else None
    helper = helper or document.get("credsStore")
    if helper and (login := _ask(str(helper), host)):
        return login
    auths = document.get("auths")
    for name in _names(host, repository):
        entry = auths.get(name) if isinstance(auths, dict) else None
        if isinstance(entry, dict) and entry:
            return _login(entry, f"{name!r} in {str(path)!r}")
    return None


def _read(path: Path) -> dict[str, Any]:
    what = "the Docker configuration" if path.name == "config.json" else "the file of logins"
    try:
        data, status = read_regular(path, LIMITS.http_document_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise local_error(error, f"cannot read {what}") from None
    try:
        require_private(path, status, what)
    except KeyFileError as error:
        raise LocalError(str(error)) from None
    try:
        document = strict_json.parse(data, str(path), max_size_bytes=LIMITS.http_document_bytes)
    except (MalformedError, LimitError) as error:
        raise LocalError(f"{what} cannot be read: {error}") from None
    return document if isinstance(document, dict) else {}


def _names(host: str, repository: str) -> list[str]:
    parts = repository.split("/")
    paths = [f"{host}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    return [*paths, host, f"https://{host}", f"https://{host}/v2/", f"https://{host}/v1/", f"http://{host}"]


def _login(entry: Mapping[str, Any], what: str) -> Login:
    if isinstance(token := entry.get("identitytoken"), str) and token:
        return Login(identity_token=token)
    if isinstance(entry.get("username"), str) and isinstance(entry.get("password"), str):
        return Login(entry["username"], entry["password"])
    try:
        user, colon, password = base64.b64decode(str(entry.get("auth", "")), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, colon, password = "", "", ""
    if not colon:
        raise LocalError(f"the login {what} is damaged; log in again with `docker login` or `podman login`")
    # Docker pads short ones with zero bytes.
    return Login(user, password.rstrip("\0"))


def _ask(helper: str, host: str) -> Login | None:
    """Run a credential helper: the server's name on stdin, a JSON document on stdout."""
    if _HELPER.fullmatch(helper) is None:
        raise LocalError(f"the credential helper {helper[:80]!r} has no usable name")
    program = f"docker-credential-{helper}"
    # The one child that sees more than `child_environment`: a helper is the admin's own program, there to use logins
    # that variables of many names hold. Only what is ours it cannot need.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEALIFT_")}
    try:
        done = subprocess.run(
            [program, "get"],
            input=host.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT_S,
            check=False,
            env=environment,
        )
    except FileNotFoundError:
        raise LocalError(f"the Docker configuration names {program!r}, which is not installed here") from None
    except OSError as error:
        raise LocalError(
            f"{program!r}, which the Docker configuration names, cannot be run: {error.strerror}"
        ) from None
    except subprocess.TimeoutExpired:
        raise LocalError(f"{program!r} did not answer within {_HELPER_TIMEOUT_S} s") from None
    if done.returncode != 0:
        if _NOT_FOUND in (done.stdout + done.stderr).decode(errors="replace"):
            return None
        said = (done.stdout or done.stderr).decode(errors="replace").strip()[:200]
        shown = "it shows a secret" if '"Secret"' in said else repr(said)
        raise LocalError(f"{program!r} failed for {host!r}: {shown}")
    try:
        document = strict_json.parse(done.stdout, program, max_size_bytes=LIMITS.http_document_bytes)
    except (MalformedError, LimitError):
        document = None
    found = [document.get(key) for key in ("Username", "Secret")] if isinstance(document, dict) else []
    texts = [value for value in found if isinstance(value, str)]
    if len(texts) != 2:
        raise LocalError(f"{program!r} answered with something other than a login")
    user, secret = texts
    return Login(identity_token=secret) if user == "<token>" else Login(user, secret)
