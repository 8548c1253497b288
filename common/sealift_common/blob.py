"""Bytes by their content: a SHA-256 digest and a length. Pure."""

from typing import NamedTuple

_CHARS = 64


def is_digest(text: object) -> bool:
    """Return whether `text` is `sha256:` and 64 lower-case hexadecimal digits."""
    if not isinstance(text, str):
        return False
    kind, _, digits = text.partition(":")
    # Not by a pattern, which every process that loads a model would compile.
    return kind == "sha256" and len(digits) == _CHARS and not digits.strip("0123456789abcdef")


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
