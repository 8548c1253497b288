"""The parts of a `tokenizer.json` that change and cut texts: which of them run, and with which settings. Pure.

Whatever is not named here is refused by its name: some types fail on a text with an exception that ends applications,
others let a text of a kilobyte grow to all memory.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.documents.fields import Fields
from sealift.model.frontend.tokenizer.published import CHARACTER_MAPS, REPLACING, SPLITTING

Part = Callable[[Fields], object]

_BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
_SCHEMES = ("first", "never", "always")
# Of a word that is put before, of a mark inside words.
_LONGEST_MARK = 16


def walk(fields: Fields, known: Mapping[str, Part], key: str) -> list[str]:
    """Check a part, and those in it where it is a Sequence; return the types, one for each part.

    Args:
        fields: the part.
        known: a check for each type that may run.
        key: what a Sequence calls its list.

    Raises:
        MalformedError: a type or a setting that is not known.
        LimitError: more parts, or more levels of them, than the limits.
    """
    found: list[str] = []
    _walk(fields, known, key, found, 1)
    return found


def _walk(fields: Fields, known: Mapping[str, Part], key: str, found: list[str], level: int) -> None:
    if level > LIMITS.tokenizer_levels:
        raise LimitError(f"{fields.where} nests deeper than {LIMITS.tokenizer_levels} levels of parts")
    kind = fields.text("type")
    if kind == "Sequence":
        for part in fields.objects(key, lambda part: part):
            _walk(part, known, key, found, level + 1)
        fields.close()
        return
    if kind not in known:
        raise fields.refuse(f"is of the type {kind[:80]!r}, which does not run here; expected one of {sorted(known)}")
    found.append(kind)
    if len(found) > LIMITS.tokenizer_parts:
        raise LimitError(f"{fields.where} is one of more than {LIMITS.tokenizer_parts} parts")
    known[kind](fields)
    fields.close()


def _nothing(_: Fields) -> None:
    """A type without settings."""


def _bert(fields: Fields) -> None:
    for key in ("clean_text", "handle_chinese_chars", "lowercase"):
        fields.boolean(key)
    fields.optional_boolean("strip_accents")


def _strip(fields: Fields) -> None:
    fields.boolean("strip_left")
    fields.boolean("strip_right")


def _prepend(fields: Fields) -> None:
    require_length(fields, "prepend", fields.text("prepend"), 1, _LONGEST_MARK)


def _replace(fields: Fields) -> None:
    kind, pattern = _pattern(fields)
    content = fields.text("content")
    if kind == "Regex" and pattern not in REPLACING:
        raise fields.refuse(f"replaces by the pattern {pattern[:80]!r}, which is not one of the published ones")
    # What makes a text longer, several times, makes it endless.
    longest = len(pattern) if kind == "String" else 1
    if len(content) > longest:
        raise fields.refuse(f"replaces {pattern[:80]!r} by {len(content):,} characters; expected at most {longest}")


def _pattern(fields: Fields) -> tuple[str, str]:
    pattern = fields.object("pattern")
    kind = "Regex" if pattern.has("Regex") else "String"
    text = pattern.text(kind)
    pattern.close()
    if kind == "String":
        require_length(fields, "pattern", text, 1, LIMITS.tokenizer_piece_chars)
    return kind, text


def _character_map(fields: Fields) -> None:
    try:
        data = base64.b64decode(fields.text("precompiled_charsmap"), validate=True)
    except (binascii.Error, ValueError):
        raise fields.refuse("has a precompiled_charsmap that is not base64") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest not in CHARACTER_MAPS:
        raise fields.refuse(f"has a precompiled_charsmap of SHA-256 {digest}, which is none of SentencePiece's own")


def _byte_level(fields: Fields) -> None:
    for key in ("add_prefix_space", "trim_offsets", "use_regex"):
        fields.optional_boolean(key)


def _metaspace(fields: Fields) -> None:
    require_length(fields, "replacement", fields.text("replacement"), 1, 1)
    fields.optional_boolean("add_prefix_space")
    fields.optional_boolean("split")
    if fields.optional_text("prepend_scheme") not in (None, *_SCHEMES):
        raise fields.refuse(f"has another prepend_scheme than {', '.join(_SCHEMES)}")
    # Written by older libraries, and derived from the replacement.
    if fields.optional_text("str_rep") not in (None, fields.text("replacement")):
        raise fields.refuse("has a str_rep that is not its replacement")


def _split(fields: Fields) -> None:
    kind, pattern = _pattern(fields)
    if kind == "Regex" and pattern not in SPLITTING:
        raise fields.refuse(f"splits by the pattern {pattern[:80]!r}, which is not one of the published ones")
    fields.text("behavior", allowed=_BEHAVIORS)
    fields.optional_boolean("invert")


def _punctuation(fields: Fields) -> None:
    if fields.optional_text("behavior") not in (None, *_BEHAVIORS):
        raise fields.refuse(f"has another behavior than {', '.join(_BEHAVIORS)}")


def _delimiter(fields: Fields) -> None:
    require_length(fields, "delimiter", fields.text("delimiter"), 1, 1)


def _wordpiece_decoder(fields: Fields) -> None:
    require_length(fields, "prefix", fields.text("prefix"), 0, _LONGEST_MARK)
    fields.boolean("cleanup")


def _strip_decoder(fields: Fields) -> None:
    require_length(fields, "content", fields.text("content"), 1, 1)
    for key in ("start", "stop"):
        if fields.integer(key) > _LONGEST_MARK:
            raise fields.refuse(f"has {key} above {_LONGEST_MARK}")


def require_length(fields: Fields, key: str, text: str, least: int, most: int) -> None:
    """Check how many characters a setting has.

    Raises:
        MalformedError: fewer or more.
    """
    if not least <= len(text) <= most:
        expected = f"{least}" if least == most else f"{least} to {most}"
        raise MalformedError(f"{fields.where}.{key} has {len(text):,} characters; expected {expected}")


NORMALIZERS: Mapping[str, Part] = {
    **dict.fromkeys(("Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "StripAccents", "ByteLevel"), _nothing),
    "BertNormalizer": _bert,
    "Strip": _strip,
    "Prepend": _prepend,
    "Replace": _replace,
    "Precompiled": _character_map,
}
PRE_TOKENIZERS: Mapping[str, Part] = {
    **dict.fromkeys(("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"), _nothing),
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "Split": _split,
    "Punctuation": _punctuation,
    "Digits": lambda fields: fields.optional_boolean("individual_digits"),
    "CharDelimiterSplit": _delimiter,
}
# They run where an application makes texts of tokens, with the file that it was given here.
DECODERS: Mapping[str, Part] = {
    **dict.fromkeys(("Fuse", "ByteFallback"), _nothing),
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "WordPiece": _wordpiece_decoder,
    "BPEDecoder": lambda fields: require_length(fields, "suffix", fields.text("suffix"), 0, _LONGEST_MARK),
    "Replace": _replace,
    "Strip": _strip_decoder,
}
