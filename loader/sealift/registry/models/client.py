"""The client of a registry of models: make a model and a version, look at one, log to its run, and carry its files.

POST registered-models/create, POST registered-models/get-latest-versions
POST model-versions/create, GET model-versions/get, GET model-versions/get-download-uri
GET runs/get, POST runs/log-batch
GET mlflow-artifacts/artifacts[/PATH], PUT where the run says that its files go
GET packages, packages/ID/package_files (GitLab's own, for the digests of files)
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from sealift.errors import LimitError, LocalError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.download import Download
from sealift.registry.failing import BrokenError
from sealift.registry.models import answers
from sealift.registry.models.answers import RegisteredFile, RegisteredRun, RegisteredVersion
from sealift.registry.models.place import RegistryPlace
from sealift.registry.models.token import BearerToken, find_token
from sealift.registry.origin import Origin
from sealift.registry.session import Patience, Session, failure, gone
from sealift.registry.transport import Response, Transport
from sealift_common.blob import is_digest

_ARTIFACTS = "mlflow-artifacts"
_FOLDER = re.compile(r"mlflow-artifacts:/+(?P<path>[A-Za-z0-9._~/-]+)", re.ASCII)
_PAGE = 100


class ModelRegistry:
    """One registry of models; each method raises LocalError where the server refuses or does not answer.

    Attributes:
        place: which one it is.
        origin: the server; nobody else is sent the token.
    """

    def __init__(self, place: RegistryPlace, origin: Origin, session: Session) -> None:
        self.place = place
        self.origin = origin
        self._session = session
        self._api = f"{origin}{place.path}/api/2.0"

    # --- models and versions --------------------------------------------------------------------

    def create_model(self, name: str, description: str) -> bool:
        """Make a model; return whether it is new."""
        answer, document = self._call(
            "POST", "registered-models/create", {"name": name, "description": description}, (400, 409)
        )
        if answer.status == 200:
            return True
        if document.get("error_code") == answers.ALREADY_THERE:
            return False
        raise self._refusal("POST", answer, document)

    def create_version(
        self, name: str, tags: Mapping[str, str], description: str, *, source: str = "", run_id: str = ""
    ) -> RegisteredVersion | None:
        """Make a version of a model; None where somebody else made it meanwhile.

        Args:
            tags: metadata; `gitlab.version` is its SemVer for GitLab.
            source: where its files are; GitLab has a place of its own.
            run_id: of the run that it comes from; GitLab makes one.
        """
        body = {"name": name, "description": description, "tags": [{"key": k, "value": v} for k, v in tags.items()]}
        body |= {key: value for key, value in (("source", source), ("run_id", run_id)) if value}
        answer, document = self._call("POST", "model-versions/create", body, (400, 409))
        if answer.status == 200:
            return answers.version_of(document.get("model_version"), self.place)
        if "taken" in json.dumps(document.get("message", "")):
            return None
        raise self._refusal("POST", answer, document)

    def version(self, name: str, version: str) -> RegisteredVersion | None:
        """Return a version, of GitLab by its SemVer and of MLflow by its number; None where there is none."""
        answer, document = self._call("GET", "model-versions/get", {"name": name, "version": version}, (404,))
        if answer.status == 200:
            return answers.version_of(document.get("model_version"), self.place)
        if document.get("error_code") == answers.NOT_THERE:
            return None
        raise self._refusal("GET", answer, document)

    def latest(self, name: str) -> RegisteredVersion | None:
        """Return the newest version of a model; None where there is none."""
        answer, document = self._call("POST", "registered-models/get-latest-versions", {"name": name}, (404,))
        if answer.status == 404:
            if document.get("error_code") == answers.NOT_THERE:
                return None
            raise self._refusal("POST", answer, document)
        listed = document.get("model_versions")
        # GitLab gives `[null]` of a model without versions.
        found = [answers.version_of(one, self.place) for one in listed or () if one is not None]
        return max(found, key=lambda one: (len(one.number), one.number), default=None)

    # --- runs ------------------------------------------------------------------------------------

    def run(self, run_id: str) -> RegisteredRun:
        """Return the run of a version."""
        _, document = self._call("GET", "runs/get", {"run_id": run_id})
        return answers.run_of(document.get("run"), self.place)

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        timestamp_ms: int,
    ) -> None:
        """Log parameters, metrics and tags to a run, which keeps the first value of the first two."""
        texts = {"params": params, "tags": tags}
        body: dict[str, Any] = {kind: [{"key": k, "value": v} for k, v in of.items()] for kind, of in texts.items()}
        numbers = [{"key": k, "value": v, "timestamp": timestamp_ms, "step": 0} for k, v in metrics.items()]
        self._call("POST", "runs/log-batch", {"run_id": run_id, "metrics": numbers, **body})

    # --- files -----------------------------------------------------------------------------------

    def folder(self, name: str, version: RegisteredVersion) -> str:
        """Return where the server itself gives the files of a version.

        Raises:
            LocalError: they are in a storage that the server does not give files of.
        """
        _, document = self._call("GET", "model-versions/get-download-uri", {"name": name, "version": version.number})
        uri = document.get("artifact_uri")
        found = _FOLDER.fullmatch(uri) if isinstance(uri, str) else None
        path = found["path"].strip("/") if found else ""
        if not path or ".." in path.split("/"):
            raise LocalError(
                f"{self.origin} has the files of {name!r} at {str(uri)[:200]!r}; expected an address of the server "
                "itself, mlflow-artifacts:/…: start it with --serve-artifacts"
            )
        return path

    def files(self, folder: str) -> list[RegisteredFile]:
        """Return every file below a folder of the server, by its path in there.

        Raises:
            LocalError: a path is unsafe, two are one name on some file systems, or there are too many.
        """
        found: dict[str, RegisteredFile] = {}
        waiting = [""]
        # Each list is a request, so folders count too.
        for _ in range(LIMITS.files_per_model):
            if not waiting:
                return list(found.values())
            inner = waiting.pop()
            path = f"{folder}/{inner}".rstrip("/")
            url = f"{self._api}/{_ARTIFACTS}/artifacts?{urlencode({'path': path})}"
            _, document = self._asked("GET", url)
            files, folders = answers.files_of(document, self.place)
            for file in files:
                name = f"{inner}{file.path}"
                if name.casefold() in found or not answers.is_safe(name):
                    raise LocalError(f"{self.origin} lists {name[:120]!r} twice, or too deep; do not use this version")
                found[name.casefold()] = RegisteredFile(name, file.size)
            waiting += [f"{inner}{one}/" for one in folders if answers.is_safe(f"{inner}{one}")]
            if len(found) > LIMITS.files_per_model:
                break
        raise LocalError(f"{self.origin} lists more than {LIMITS.files_per_model:,} files or folders of a version")

    def chunks(self, folder: str, file: RegisteredFile) -> Iterator[bytes]:
        """Yield the content of a file, of exactly the length that was listed.

        Raises:
            LocalError: it is longer or shorter.
        """
        url = f"{self._api}/{_ARTIFACTS}/artifacts/{quote(folder)}/{quote(file.path)}"
        # With the marks around its chunks, however small; of the content, no byte more is taken than was listed.
        most = LIMITS.http_unsized_bytes + 2 * file.size

        def ask(offset: int) -> Response:
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            return self._session.request("GET", url, accept=(200, 206), headers=headers, unsized_bytes=most)

        response = ask(0)
        # MLflow's own server says of no file how long it is.
        pieces = response.chunks() if response.length is None else Download(ask, response).chunks()
        left = file.size
        try:
            for piece in pieces:
                left -= len(piece)
                if left < 0:
                    break
                yield piece
        except BrokenError as error:
            raise gone(url, error) from None
        except LimitError as error:
            raise LocalError(f"{self.origin} gives {file.path!r} in too small pieces: {error}") from None
        if left:
            how = "longer" if left < 0 else f"{left:,} bytes shorter"
            raise LocalError(
                f"{self.origin} gives {file.path!r}, which is {how} than its {file.size:,} bytes in the list"
            )

    def digests(self, name: str, version: str) -> dict[str, str]:
        """Return the digest of each file of a version as GitLab computed it, by path; none where it tells none.

        Raises:
            LocalError: the answer is no list of packages or files.
        """
        packages = f"{self.origin}{self.place.path.partition('/ml/mlflow')[0]}/packages"
        query = {"package_type": "ml_model", "package_name": name, "package_version": version, "per_page": _PAGE}
        # GitLab finds names that hold this one, and before 16.6 every version.
        found = [
            package
            for package in self._pages(f"{packages}?{urlencode(query)}")
            if (package.get("name"), package.get("version")) == (name, version)
        ]
        digests = {}
        for package in found:
            # A file that was sent twice is there twice, the newer one later.
            for file in self._pages(f"{packages}/{int(package['id'])}/package_files?per_page={_PAGE}"):
                digest = f"sha256:{file.get('file_sha256')}"
                if is_digest(digest):
                    digests[unquote(str(file.get("file_name", "")))] = digest
        return digests

    def _pages(self, url: str) -> Iterator[dict[str, Any]]:
        for page in range(1, LIMITS.http_list_pages + 1):
            response = self._session.request("GET", f"{url}&page={page}", accept=(200,))
            entries = answers.entries_of(self._read(response), self.place)
            yield from entries
            if len(entries) < _PAGE:
                return
        raise LocalError(f"{self.origin} lists more than {LIMITS.http_list_pages * _PAGE:,} packages or files")

    def put_file(self, artifact_uri: str, path: str, size: int, body: Callable[[], Iterable[bytes]]) -> None:
        """Upload a file of a run; a break begins anew.

        Args:
            artifact_uri: as the run says.
            size: length in bytes.
        """
        url = f"{self._upload(artifact_uri)}/{quote(path)}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        patience = Patience()
        while True:
            try:
                answer = self._session.once("PUT", url, accept=(200, 201), headers=headers, body=body)
                answer.read(LIMITS.http_document_bytes, "the answer to an upload")
                return
            except BrokenError as error:
                patience.wait(url, error)

    def _upload(self, artifact_uri: str) -> str:
        """Return the address for uploads: below the server itself, whatever it says."""
        if found := _FOLDER.fullmatch(artifact_uri):
            return f"{self._api}/{_ARTIFACTS}/artifacts/{quote(found['path'].strip('/'))}"
        parts = urlsplit(artifact_uri)
        prefix = self.place.path.partition("/api/v4/")[0] + "/api/v4/projects/"
        if not self.place.is_gitlab or not parts.path.startswith(prefix) or ".." in parts.path.split("/"):
            raise LocalError(
                f"{self.origin} wants files at {artifact_uri[:200]!r}; expected an address below {self.origin}{prefix}"
            )
        # GitLab writes the address that it is configured with, which a proxy or a tunnel may have changed.
        return f"{self.origin}{parts.path.rstrip('/')}"

    # --- requests --------------------------------------------------------------------------------

    def _call(
        self, method: str, route: str, values: Mapping[str, Any], accept: tuple[int, ...] = ()
    ) -> tuple[Response, dict[str, Any]]:
        url = f"{self._api}/mlflow/{route}"
        if method == "GET":
            return self._asked("GET", f"{url}?{urlencode(values)}", accept=accept)
        return self._asked(method, url, json.dumps(values, allow_nan=False).encode(), accept)

    def _asked(
        self, method: str, url: str, body: bytes = b"", accept: tuple[int, ...] = ()
    ) -> tuple[Response, dict[str, Any]]:
        headers = {"Content-Type": "application/json"} if body else {}
        response = self._session.request(method, url, accept=(200, *accept), headers=headers, body=body)
        return response, answers.parse(self._read(response), self.place)

    def _read(self, response: Response) -> bytes:
        try:
            return response.read(LIMITS.http_document_bytes, "the answer")
        except BrokenError as error:
            raise gone(response.url, error) from None
        except LimitError as error:
            raise LocalError(f"{self.origin}: {error}") from None

    @staticmethod
    def _refusal(method: str, response: Response, document: Mapping[str, Any]) -> LocalError:
        found = [document.get(key) for key in ("error_code", "message", "error")]
        texts = [" ".join(map(str, one)) if isinstance(one, list) else one for one in found]
        said = " ".join(one for one in texts if isinstance(one, str) and one)[:300]
        return failure(method, response, f" {said!r}" if said else "")


@contextmanager
def open_registry(
    place: RegistryPlace, access: Access, token_file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Iterator[ModelRegistry]:
    """Open a registry of models; nothing is sent yet.

    Raises:
        LocalError: the token cannot be read, or the address has no TLS.
    """
    token = find_token(place, token_file, environment)
    transport = Transport(access)
    try:
        origin = Origin.of(f"{place.scheme}://{place.host}") if place.scheme else transport.origin(place.host)
        transport.require_allowed(origin, "the registry is")
        yield ModelRegistry(place, origin, Session(transport, BearerToken(origin, token, place)))
    finally:
        transport.close()
