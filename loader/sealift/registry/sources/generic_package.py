"""A bundle as a file in GitLab's package registry, for instances whose container registry takes no artifacts.

`PUT` and `GET /api/v4/projects/:id/packages/generic/:package/:release/:file`; the file is the bundle, unchanged.
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

from sealift.bundle.archive import CHUNK_BYTES
from sealift.errors import LocalError, UsageError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.address import GitlabAddress, is_release_number
from sealift.registry.failing import BrokenError
from sealift.registry.origin import Origin
from sealift.registry.session import Patience, Session, gone
from sealift.registry.sources.remote_file import open_remote
from sealift.registry.transport import Response, Transport
from sealift_common.parsing import strict_json

_OF_A_JOB = "CI_JOB_TOKEN"
# Variable of the environment to header; the first that is set counts. CI sets the last by itself.
_TOKENS = (
    ("GITLAB_TOKEN", "PRIVATE-TOKEN"),
    ("GITLAB_DEPLOY_TOKEN", "DEPLOY-TOKEN"),
    (_OF_A_JOB, "JOB-TOKEN"),
)
_PAGE = 100


class InstanceToken:
    """The token for one GitLab instance; it goes nowhere else, not to object storage either."""

    def __init__(self, origin: Origin, environment: Mapping[str, str]) -> None:
        self.origin = origin
        # Nobody chose the token of a job, so it goes to the instance that runs the job and to no other.
        ours = environment.get("CI_SERVER_HOST", origin.host).lower() == origin.host
        usable = [(name, header) for name, header in _TOKENS if environment.get(name) and (ours or name != _OF_A_JOB)]
        name, header = usable[0] if usable else ("", "")
        token = environment.get(name, "")
        if not token.isascii() or not token.isprintable():
            raise LocalError(f"the token in {name} holds a line break, or a character that no token has; set it again")
        self._headers = {header: token} if token else {}

    def headers(self, origin: Origin) -> dict[str, str]:
        """Return the header with the token, for this instance alone."""
        return self._headers if origin == self.origin else {}

    def answer(self, _challenges: list[str]) -> None:
        """Refuse: a token that was not taken is not taken the second time either."""
        raise LocalError(
            f"{self.origin} requires a token" + (", and refuses the one given" if self._headers else "") + "; "
            f"set one of {', '.join(name for name, _ in _TOKENS)} in the environment"
        )


class Project:
    """The package registry of one project."""

    def __init__(self, origin: Origin, address: GitlabAddress, session: Session) -> None:
        self._address = address
        self._api = f"{origin}/api/v4/projects/{quote(address.project, safe='')}/packages"
        self._session = session

    def open_bundle(self) -> io.BufferedReader:
        """Open the bundle that the address names, or the one of the highest release.

        Raises:
            UsageError: the address names no package.
            LocalError: there is none, or the server does not answer.
        """
        package = self._address.package
        if package is None:
            raise UsageError(f"{str(self._address)!r} names no package; add '/' and its name, which is the channel's")
        release = self._address.version or self._newest(package)
        url = self._url(package, release)

        def ask(offset: int) -> Response:
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            return self._session.request("GET", url, accept=(200, 206), headers=headers)

        return open_remote(ask)

    def has(self, package: str, release: str, sha256: str) -> bool:
        """Return whether exactly this file is there."""
        for found in self._packages(package):
            if found.get("version") == release:
                files = self._pages(f"{self._api}/{int(found['id'])}/package_files?per_page={_PAGE}")
                return any(
                    file.get("file_name") == _file_name(package, release) and file.get("file_sha256") == sha256
                    for file in files
                )
        return False

    def put(self, package: str, release: str, file: BinaryIO, size: int, progress: Callable[[int], object]) -> None:
        """Upload a bundle; GitLab cannot go on with half a file, so a break begins anew."""

        def body() -> Iterable[bytes]:
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                progress(len(chunk))
                yield chunk

        url = self._url(package, release)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        patience = Patience()
        while True:
            try:
                self._session.once("PUT", url, accept=(200, 201), headers=headers, body=body).read(
                    LIMITS.http_document_bytes, "the answer to an upload"
                )
                return
            except BrokenError as error:
                patience.wait(url, error)

    def _newest(self, package: str) -> str:
        # The newest hundred releases are enough to find the newest.
        releases = (str(found.get("version")) for found in self._packages(package))
        numbers = [int(release) for release in islice(filter(is_release_number, releases), _PAGE)]
        if not numbers:
            raise LocalError(f"the project {self._address.project!r} holds no package {package!r}; push a bundle first")
        return str(max(numbers))

    def _packages(self, package: str) -> Iterator[dict[str, Any]]:
        """Yield what is there under this name, the newest first; GitLab finds names that hold it, however many."""
        query = {"package_name": package, "package_type": "generic", "order_by": "created_at", "sort": "desc"}
        for found in self._pages(f"{self._api}?{urlencode({**query, 'per_page': _PAGE})}"):
            if found.get("name") == package:
                yield found

    def _pages(self, url: str) -> Iterator[dict[str, Any]]:
        for page in range(1, LIMITS.http_list_pages + 1):
            entries = self._get(f"{url}&page={page}")
            yield from entries
            if len(entries) < _PAGE:
                return
        raise LocalError(
            f"the project {self._address.project!r} has more than {LIMITS.http_list_pages * _PAGE:,} packages with "
            "such names; name the release in the address, or remove old packages"
        )

    def _get(self, url: str) -> list[dict[str, Any]]:
        response = self._session.request("GET", url, accept=(200,))
        try:
            data = response.read(LIMITS.http_document_bytes, "a list of packages")
        except BrokenError as error:
            raise gone(url, error) from None
        document = strict_json.parse(data, "the list of packages", max_size_bytes=LIMITS.http_document_bytes)
        if not isinstance(document, list) or not all(
            isinstance(entry, dict) and isinstance(entry.get("id"), int) for entry in document
        ):
            raise LocalError(
                f"{response.origin} answers with something other than a list of packages; check the address"
            )
        return document

    def _url(self, package: str, release: str) -> str:
        return f"{self._api}/generic/{quote(package)}/{quote(release)}/{quote(_file_name(package, release))}"


def _file_name(package: str, release: str) -> str:
    return f"{package}-{release}.tar"


@contextmanager
def open_project(address: GitlabAddress, access: Access) -> Iterator[Project]:
    """Open the package registry of a project; nothing is sent yet."""
    transport = Transport(access)
    try:
        origin = transport.origin(address.host)
        transport.require_allowed(origin, "the instance is")
        yield Project(origin, address, Session(transport, InstanceToken(origin, os.environ)))
    finally:
        transport.close()
