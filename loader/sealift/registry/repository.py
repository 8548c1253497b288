"""One repository of an OCI registry: the requests of the distribution specification, and what their answers mean."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from sealift.errors import LocalError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.address import OciAddress
from sealift.registry.authentication import Authentication
from sealift.registry.credentials import find_login
from sealift.registry.download import Download
from sealift.registry.failing import BrokenError
from sealift.registry.origin import Origin, join
from sealift.registry.session import PASSING, Patience, Session, failure, retrying, said
from sealift.registry.transport import Response, Transport
from sealift_common.blob import Blob
from sealift_common.oci import layout

_UPLOADED = re.compile(r"(?:bytes=)?0-([0-9]{1,15})", re.ASCII)
_OCTETS = "application/octet-stream"
# Small enough to go with the request that ends an upload.
_ONE_REQUEST_BYTES = 1024 * 1024

# Give the bytes of a blob from an offset, this many.
Content = Callable[[int, int], Iterable[bytes]]


class Repository:
    """One repository: its contents, and transfers in both directions.

    Args:
        origin: of the registry.
        address: names the repository.
        session: carries the requests.
    """

    def __init__(self, origin: Origin, address: OciAddress, session: Session) -> None:
        self.address = address
        self._base = f"{origin}/v2/{address.repository}"
        self._session = session

    def manifest(self, reference: str) -> bytes | None:
        """Return a manifest by tag or digest, unverified; None if there is none.

        Raises:
            LimitError: it is larger than a manifest may be.
            LocalError: the registry did not answer.
        """
        url = f"{self._base}/manifests/{reference}"

        def read() -> Response:
            response = self._session.once("GET", url, accept=(200, 404), headers={"Accept": layout.MANIFEST_TYPE})
            found.append(response.read(LIMITS.oci_manifest_size_bytes, f"the manifest {reference!r}"))
            return response

        found: list[bytes] = []
        return found[-1] if retrying(read, url).status == 200 else None

    def manifest_digest(self, reference: str) -> str | None:
        """Return the digest that the registry gives for a tag, to compare, never to trust; None if there is none."""
        response = self._session.request(
            "HEAD", f"{self._base}/manifests/{reference}", accept=(200, 404), headers={"Accept": layout.MANIFEST_TYPE}
        )
        return response.header("Docker-Content-Digest") if response.status == 200 else None

    def blob(self, digest: str) -> Download | None:
        """Begin to download a blob; None if there is none."""
        url = f"{self._base}/blobs/{digest}"

        def ask(offset: int) -> Response:
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            return self._session.request("GET", url, accept=(200, 206), headers=headers)

        response = self._session.request("GET", url, accept=(200, 404))
        return Download(ask, response) if response.status == 200 else None

    def has_blob(self, digest: str) -> bool:
        """Ask whether a blob is there."""
        return self._session.request("HEAD", f"{self._base}/blobs/{digest}", accept=(200, 404)).status == 200

    def put_manifest(self, reference: str, raw: bytes) -> None:
        """Write a manifest under a tag.

        Raises:
            LocalError: the registry refuses it; the message says what works with such a one.
        """
        url = f"{self._base}/manifests/{reference}"
        headers = {"Content-Type": layout.MANIFEST_TYPE}
        response = self._session.request("PUT", url, accept=(201, 400, 415), headers=headers, body=raw)
        if response.status == 201:
            return
        words = said(response)
        if "media type" in words or "MANIFEST_INVALID" in words:
            raise LocalError(
                f"the registry {self.address.host!r} takes only media types that it knows, as GitLab's does{words}; "
                "push to GitLab's package registry (gitlab://), or a store as an image (--as-image)"
            )
        raise failure("PUT", response, words)

    def upload(self, blob: Blob, content: Content) -> None:
        """Upload a blob that is not there; goes on where a broken connection left it, if the registry lets us.

        Args:
            content: gives the blob's bytes; asked again for what was lost.

        Raises:
            LocalError: the registry refused, or did not answer.
        """
        most = 0

        def counted(offset: int, length: int) -> Iterator[bytes]:
            nonlocal most
            for chunk in content(offset, length):
                offset += len(chunk)
                most = max(most, offset)
                yield chunk

        location, offset = self._begin(), 0
        patience = Patience()
        while True:
            try:
                if blob.size - offset > _ONE_REQUEST_BYTES:
                    location, offset = self._append(location, offset, blob, counted)
                    patience.reached(offset)
                    continue
                self._finish(location, offset, blob, counted)
                return
            except BrokenError as error:
                patience.wait(location, error)
            if self.has_blob(blob.digest):
                return  # the answer was lost, not the blob
            location, offset = self._where(location, most)
            patience.reached(offset)

    def _begin(self) -> str:
        response = self._session.request("POST", f"{self._base}/blobs/uploads/", accept=(202,))
        return self._location(response)

    def _append(self, location: str, offset: int, blob: Blob, content: Content) -> tuple[str, int]:
        length = min(blob.size - offset, LIMITS.http_upload_bytes)
        headers = {
            "Content-Type": _OCTETS,
            "Content-Length": str(length),
            "Content-Range": f"{offset}-{offset + length - 1}",
        }
        response = self._session.once(
            "PATCH", location, accept=(202,), headers=headers, body=lambda: content(offset, length)
        )
        return self._location(response), offset + length

    def _finish(self, location: str, offset: int, blob: Blob, content: Content) -> None:
        mark = "&" if "?" in location else "?"
        length = blob.size - offset
        headers = {"Content-Type": _OCTETS, "Content-Length": str(length)}
        if offset and length:
            headers["Content-Range"] = f"{offset}-{blob.size - 1}"
        self._session.once(
            "PUT",
            f"{location}{mark}digest={quote(blob.digest, safe='')}",
            accept=(201,),
            headers=headers,
            body=lambda: content(offset, length),
        )

    def _where(self, location: str, most: int) -> tuple[str, int]:
        """Ask how much of an upload arrived; begin anew where the registry does not know, or says more than `most`."""
        response = self._session.request("GET", location, accept=(204, 400, 404, 416))
        match = _UPLOADED.fullmatch(response.header("Range") or "")
        # `0-0` is written for nothing and for one byte.
        if response.status != 204 or match is None or match[1] == "0" or int(match[1]) >= most:
            return self._begin(), 0
        return self._location(response, location), int(match[1]) + 1

    def _location(self, response: Response, default: str = "") -> str:
        location = response.header("Location") or default
        if not location:
            raise LocalError(f"{response.origin} begins an upload and does not say where; there is no Location")
        return join(response.url, location)


def _ask_for_token(transport: Transport, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
    length = {"Content-Length": str(len(body))} if body else {}
    response = transport.exchange(method, url, {**headers, **length}, [body])
    if response.status in PASSING:
        raise BrokenError(f"HTTP {response.status}")
    return response


@contextmanager
def open_repository(address: OciAddress, access: Access, actions: str) -> Iterator[Repository]:
    """Open a repository; nothing is sent yet.

    Args:
        actions: what a token is asked for, `pull` or `pull,push`.
    """
    transport = Transport(access)
    try:
        origin = transport.origin(address.host)
        transport.require_allowed(origin, "the registry is")
        logins = Authentication(
            origin,
            f"repository:{address.repository}:{actions}",
            lambda: find_login(address.host, address.repository),
            lambda method, url, headers, body: retrying(
                lambda: _ask_for_token(transport, method, url, headers, body), url
            ),
            transport.require_allowed,
        )
        yield Repository(origin, address, Session(transport, logins))
    finally:
        transport.close()
