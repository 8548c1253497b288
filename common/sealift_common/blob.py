"""Bytes by their content: a SHA-256 digest and a length. Pure."""

import re
from typing import NamedTuple

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def is_digest(text: object) -> bool:
    """Return whether `text` is `sha256:` and 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


class Blob(NamedTuple):
    """Bytes by content: `sha256:<hex>` and length in bytes."""

    digest: str
    size: int

    @property
    def hex(self) -> str:
        """The digest without its algorithm, as files of blobs are named."""
        return self.digest.removeprefix("sha256:")

    @property
    def member(self) -> str:
        """The bundle member that holds it."""
        return f"blobs/sha256/{self.hex}"
