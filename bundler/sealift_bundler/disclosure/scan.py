"""Search strings, texts and the files of a model."""

from collections.abc import Iterable, Mapping

from sealift_bundler.disclosure.finding import Finding, gather
from sealift_bundler.disclosure.search import search


def findings_in(strings: Iterable[object], file: str = "samples", what: str = "value") -> tuple[Finding, ...]:
    """Search values of a column, or any other strings; what is not text is passed over.

    Args:
        file: what the findings name as their file.
        what: what one string is called in their places, for example "row" or "category".
    """
    texts = [string if isinstance(string, str | bytes) else "" for string in strings]
    return tuple(gather(file, search(texts), lambda index: f"{what} {index + 1:,} of {len(texts):,}"))


def scan_text(text: str, file: str) -> tuple[Finding, ...]:
    """Search a text line by line."""
    return tuple(gather(file, search(text.splitlines()), lambda index: f"line {index + 1:,}"))


def scan_files(files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """Search the files of a model."""
    return tuple(finding for name in files for finding in scan_text(files[name].decode("latin-1"), name))
