"""Addresses of bundles in a registry, parsed by one strict rule: `oci://` and `gitlab://`. Pure."""

import re
from typing import NamedTuple
from urllib.parse import unquote

from sealift.errors import UsageError
from sealift_common.blob import is_digest

OCI = "oci://"
GITLAB = "gitlab://"
LATEST = "latest"

# Compiled by `re` where they are first used: a command that names a file needs one of them.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
# Names that GitLab gives to groups and projects, or a project's number.
_PROJECT = r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*"
_PACKAGE = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NUMBER = r"[1-9][0-9]{0,14}"
_MOST_CHARS = 255


class OciAddress(NamedTuple):
    """A repository of an OCI registry, and what is meant in it: a tag, or `sha256:<hex>`; None is the newest."""

    host: str
    repository: str
    reference: str | None = None

    def __str__(self) -> str:
        mark = "" if self.reference is None else "@" if is_digest(self.reference) else ":"
        return f"{OCI}{self.host}/{self.repository}{mark}{self.reference or ''}"

    def without_reference(self) -> "OciAddress":
        """Return the address of the repository."""
        return OciAddress(self.host, self.repository)


class GitlabAddress(NamedTuple):
    """A generic package of a GitLab project; by default that of the channel's name, and its newest version."""

    host: str
    project: str
    package: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        parts = [self.project.replace("/", "%2F"), self.package, self.version]
        return f"{GITLAB}{self.host}/{'/'.join(part for part in parts if part)}"


def has_scheme(bundle: str) -> bool:
    """Return whether `bundle` has the form of an address, of whatever kind; `./` in front makes it a path."""
    return re.match(_SCHEME, bundle, re.ASCII) is not None


def is_address(bundle: str) -> bool:
    """Return whether `bundle` names a place in a registry, not a file."""
    return bundle.startswith((OCI, GITLAB))


def parse(text: str) -> OciAddress | GitlabAddress:
    """Parse an address.

    Raises:
        UsageError: it has another form.
    """
    return _parse_oci(text) if text.startswith(OCI) else _parse_gitlab(text)


def is_release_number(text: str) -> bool:
    """Return whether `text` is the number of a release, as it is written."""
    return re.fullmatch(_NUMBER, text, re.ASCII) is not None


def split_host(host: str) -> tuple[str, int | None]:
    """Return the bare host and the port, if one is given."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.strip("[]"), None
    return name.strip("[]"), int(port)


def _parse_oci(text: str) -> OciAddress:
    host, _, rest = text.removeprefix(OCI).partition("/")
    _require_host(host, text)
    repository, at, digest = rest.partition("@")
    reference: str | None = digest
    if not at:
        repository, colon, tag = rest.partition(":")
        if colon and re.fullmatch(_TAG, tag, re.ASCII) is None:
            raise UsageError(
                f"{tag[:140]!r} in {text[:300]!r} is not a tag; expected letters, digits, '.', '_' and '-'"
            )
        # Written out, it is still the same tag: a push leaves it with the newest release too.
        reference = tag if tag not in ("", LATEST) else None
    elif not is_digest(digest):
        raise UsageError(f"{digest[:80]!r} in {text[:300]!r} is not a digest; expected 'sha256:' and 64 digits")
    if re.fullmatch(_REPOSITORY, repository, re.ASCII) is None or len(repository) > _MOST_CHARS:
        raise UsageError(
            f"{text[:300]!r} names no repository; expected 'oci://host[:port]/repository[:tag]', in lower case"
        )
    return OciAddress(host, repository, reference)


def _parse_gitlab(text: str) -> GitlabAddress:
    host, _, rest = text.removeprefix(GITLAB).partition("/")
    _require_host(host, text)
    project, *more = rest.split("/")
    package, version = (*more, None, None)[:2]
    form = "'gitlab://host/group%2Fproject[/package[/release]]'"
    if len(more) > 2 or re.fullmatch(_PROJECT, unquote(project), re.ASCII) is None or len(project) > _MOST_CHARS:
        raise UsageError(f"{text[:300]!r} names no project; expected {form}, the project's path with %2F for '/'")
    if package is not None and (re.fullmatch(_PACKAGE, package, re.ASCII) is None or len(package) > _MOST_CHARS):
        raise UsageError(f"{package[:140]!r} in {text[:300]!r} is not a package; expected {form}")
    if version is not None and not is_release_number(version):
        raise UsageError(f"{version[:140]!r} in {text[:300]!r} is not a release; expected its number: {form}")
    return GitlabAddress(host, unquote(project), package, version)


def _require_host(host: str, text: str) -> None:
    if "@" in host or ("@" in text and not text.rpartition("@")[2].startswith("sha")):
        # Not shown: it may hold a password, even one with a slash.
        raise UsageError(
            "an address takes no user or password, and only a digest after '@'; log in with `docker login`, "
            "or see `sealift push --help`"
        )
    if (
        re.fullmatch(_HOST, host, re.ASCII) is None
        or len(host) > _MOST_CHARS
        or (split_host(host)[1] or 1) not in range(1, 65536)
    ):
        raise UsageError(f"{host[:140]!r} in {text[:300]!r} is not a host; expected 'host' or 'host:port'")
