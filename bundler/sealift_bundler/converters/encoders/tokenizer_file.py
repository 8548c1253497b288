"""Read a `tokenizer.json` for a release: its own padding and truncation are left out, the rest stays byte for byte."""

import json
import re
from pathlib import Path

from sealift.errors import Error
from sealift.limits import LIMITS
from sealift.model.frontend.tokenizer.check import Checked, check_tokenizer
from sealift_bundler.errors import SourceError
from sealift_bundler.given_file import require_written

# What a recipe says, or the loader: how long a text may be, and that texts are never padded.
_LEFT_OUT = ("truncation", "padding")
_SPACE = re.compile(r"[ \t\n\r]*")
# What others ship, of which tokenizers are made that may answer otherwise.
_ALONE = {
    ".txt": "a vocabulary alone, without the rules that cut a text",
    ".model": "a model of SentencePiece",
    ".bpe": "merges alone, without the rules that cut a text",
    ".vocab": "a vocabulary alone, without the rules that cut a text",
}
_HOW = "save a tokenizer.json with AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"


def problem_of_name(path: Path) -> str | None:
    """Say why a file cannot be the tokenizer; None where it can."""
    suffix = path.suffix.lower()
    if suffix in _ALONE:
        return f"is {_ALONE[suffix]}; {_HOW}"
    return None if suffix == ".json" else f"is not a tokenizer.json; {_HOW}"


def read_tokenizer(path: Path) -> tuple[bytes, Checked]:
    """Read and check a tokenizer's file.

    Returns:
        The bytes that travel, and what they were found to be.

    Raises:
        SourceError: it cannot be read, or is not a tokenizer.json.
        MalformedError, LimitError: the check refuses it; see `check_tokenizer`.
    """
    if problem := problem_of_name(path):
        raise SourceError(f"{path.name!r} {problem}")
    try:
        require_written(path)
        if path.stat().st_size > LIMITS.tokenizer_size_bytes:
            size = path.stat().st_size
            raise SourceError(f"{path.name!r} has {size:,} bytes; expected at most {LIMITS.tokenizer_size_bytes:,}")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read the tokenizer {str(path)!r}: {error.strerror}") from error
    data = _without_settings(data)
    try:
        return data, check_tokenizer(data, path.name)
    except Error as error:
        if b'"vocab"' not in data:
            raise SourceError(f"{path.name!r} is not a tokenizer.json: {error}; {_HOW}") from None
        raise


def _without_settings(data: bytes) -> bytes:
    """Write null for padding and truncation; what is no JSON object stays as it is, for the check to refuse."""
    try:
        text = data.decode("utf-8-sig")
        spans = _values(text)
    except (ValueError, IndexError, RecursionError, StopIteration):
        return data
    for key, (start, end) in sorted(spans.items(), key=lambda item: -item[1][0]):
        if key in _LEFT_OUT:
            text = f"{text[:start]}null{text[end:]}"
    return text.encode("utf-8")


def _values(text: str) -> dict[str, tuple[int, int]]:
    """Find where the values of the outermost object stand."""
    decode = json.JSONDecoder().raw_decode
    found: dict[str, tuple[int, int]] = {}
    place = _after_space(text, 0)
    if text[place] != "{":
        raise ValueError
    place = _after_space(text, place + 1)
    while text[place] == '"':
        key, place = decode(text, place)
        place = _after_space(text, place)
        start = _after_space(text, place + 1)
        _, place = decode(text, start)
        if key in found:
            raise ValueError
        found[key] = (start, place)
        place = _after_space(text, place)
        if text[place] == ",":
            place = _after_space(text, place + 1)
    return found


def _after_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return place if match is None else match.end()
