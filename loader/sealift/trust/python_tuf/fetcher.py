"""Source of the metadata for python-tuf's client: bytes that we hold, parsed strictly first."""

from collections.abc import Iterator, Mapping

from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError

from sealift.trust.metadata import require_numbers
from sealift.trust.python_tuf.ngclient import FetcherInterface
from sealift_common.parsing import strict_json

BASE_URL = "sealift:/"


class BundleFetcher(FetcherInterface):
    """Hands over the metadata of a bundle's head; opens no connection and no file."""

    def __init__(self, metadata: Mapping[str, bytes]) -> None:
        self._metadata = metadata

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return one metadata file.

        python-tuf's own version of this method spools through `$TMPDIR`, where we never write.
        """
        name = url.removeprefix(BASE_URL)
        if name not in self._metadata:
            # python-tuf ends the chain of roots on this status, and refuses on it everywhere else.
            raise DownloadHTTPError(f"no {name!r}", 404)
        data = self._metadata[name]
        if len(data) > max_length:
            raise DownloadLengthMismatchError(f"{name!r} has {len(data):,} bytes; expected at most {max_length:,}")
        return data

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise DownloadError(f"{url} is not metadata")


class StrictFetcher(FetcherInterface):
    """Checks the JSON of what another fetcher brings, and remembers it, so that a refusal can name it.

    Attributes:
        name: the file asked for last.
        data: its bytes, or None when it could not be had.
    """

    def __init__(self, inner: FetcherInterface) -> None:
        self._inner = inner
        self.name = "root.json"
        self.data: bytes | None = None

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return one metadata file.

        Raises:
            MalformedError, LimitError: its JSON has a key twice, NaN, a boolean for a number, or nests too deep;
                python-tuf's parser would let the first three pass and recurse on the last.
        """
        self.name, self.data = url.rsplit("/", 1)[1], None
        self.data = self._inner.download_bytes(url, max_length)
        require_numbers(strict_json.parse(self.data, self.name, max_size_bytes=max_length), self.name)
        return self.data

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._inner.fetch(url)

    @property
    def role(self) -> str:
        """The role whose metadata was asked for last."""
        return self.name.split(".")[-2]
