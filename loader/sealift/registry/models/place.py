"""Where a registry of models is, parsed by one strict rule: `gitlab://` or a tracking address. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sealift.errors import UsageError
from sealift.registry.address import GITLAB, GitlabAddress, parse

VARIABLE = "MLFLOW_TRACKING_URI"
_TRACKING = re.compile(r"(?P<prefix>(?:/[A-Za-z0-9._~-]+)*)/api/v4/projects/(?P<project>[A-Za-z0-9._%-]+)/ml/mlflow")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~%-]+)*", re.ASCII)


@dataclass(frozen=True)
class RegistryPlace:
    """A registry of models.

    Attributes:
        text: as people write it.
        host: with its port, where that is given.
        scheme: `http` or `https`; "" leaves it to the connection, as for bundles.
        path: in front of `/api/2.0/`; with a slash at its beginning, or empty.
        project: of GitLab, as it stands in addresses; "" for another server.
    """

    text: str
    host: str
    scheme: str
    path: str
    project: str

    @classmethod
    def parse(cls, text: str) -> "RegistryPlace":
        """Parse `gitlab://HOST/GROUP%2FPROJECT`, or the tracking address of GitLab or of an MLflow server.

        Raises:
            UsageError: it has another form, or holds a login.
        """
        form = "'gitlab://HOST/GROUP%2FPROJECT' or 'https://HOST/PATH'"
        if text.startswith(GITLAB):
            address = parse(text)
            if not isinstance(address, GitlabAddress) or address.package is not None:
                raise UsageError(f"{text[:300]!r} names a package; expected {form}")
            return cls(text, address.host, "", *_of_project(address.project.replace("/", "%2F")))
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise UsageError(f"{text[:300]!r} is not a registry of models; expected {form}") from None
        if parts.username is not None or "@" in parts.netloc:
            # Not shown: it may hold a password.
            raise UsageError("an address takes no login; give the token with --token-file or in the environment")
        path = parts.path.rstrip("/")
        right = parts.scheme in ("https", "http") and host and not parts.query and not parts.fragment
        if not right or len(text) > 1000 or _PATH.fullmatch(path) is None or ".." in unquote(path).split("/"):
            raise UsageError(f"{text[:300]!r} is not a registry of models; expected {form}")
        gitlab = _TRACKING.fullmatch(path)
        return cls(text, parts.netloc, parts.scheme, path, gitlab["project"] if gitlab else "")

    @property
    def is_gitlab(self) -> bool:
        """Whether GitLab answers here, where each version has a run and a package of its own."""
        return bool(self.project)


def _of_project(project: str) -> tuple[str, str]:
    return f"/api/v4/projects/{project}/ml/mlflow", project
