"""The vocabulary of a `tokenizer.json`: WordPiece, BPE or Unigram, and the tokens that were added. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sealift.errors import LimitError
from sealift.limits import LIMITS
from sealift.model.documents.fields import Fields
from sealift.model.frontend.tokenizer.parts import require_length

_LONGEST_MARK = 16
# Logarithms of probabilities; the sum of a million of them stays a number.
_LARGEST_SCORE = 1e6


def read_vocabulary(model: Fields) -> dict[str, int]:
    """Check the model of a tokenizer; return the id of each piece.

    Raises:
        MalformedError: another model, or one that would fail or end the process on a text.
        LimitError: more or longer pieces than the limits.
    """
    kind = model.text("type")
    if kind not in _MODELS:
        raise model.refuse(f"is of the type {kind[:80]!r}, which does not run here; expected one of {sorted(_MODELS)}")
    ids = _MODELS[kind](model)
    model.close()
    return ids


def add_tokens(ids: dict[str, int], added: Iterable[Fields]) -> None:
    """Check added tokens, and give `ids` those that the vocabulary does not have.

    The library numbers these itself, in their order, whatever the file says.

    Raises:
        MalformedError: a token is empty, stands twice, or has another id than the library gives it.
    """
    seen: set[str] = set()
    for token in added:
        content = token.text("content")
        require_length(token, "content", content, 1, LIMITS.tokenizer_piece_chars)
        number = token.integer("id")
        for key in ("single_word", "lstrip", "rstrip", "normalized", "special"):
            token.boolean(key)
        token.close()
        if content in seen:
            raise token.refuse(f"adds {content[:80]!r} a second time")
        seen.add(content)
        expected = ids.setdefault(content, len(ids))
        if number != expected:
            raise token.refuse(f"has the id {number:,}; the library gives {expected:,} to {content[:80]!r}")


def _wordpiece(model: Fields) -> dict[str, int]:
    ids = _of_mapping(model)
    _require_unknown(model, ids, model.text("unk_token"))
    require_length(model, "continuing_subword_prefix", model.text("continuing_subword_prefix"), 0, _LONGEST_MARK)
    longest = model.integer("max_input_chars_per_word", at_least=1)
    if longest > LIMITS.tokenizer_word_chars:
        raise LimitError(
            f"{model.where}.max_input_chars_per_word is {longest:,}; expected at most {LIMITS.tokenizer_word_chars}"
        )
    return ids


def _bpe(model: Fields) -> dict[str, int]:
    ids = _of_mapping(model)
    # A number here makes other tokens of the same text each time.
    if model.has("dropout"):
        raise model.refuse("has dropout; expected null, for a text has one answer")
    model.optional_text("dropout")
    unknown = model.optional_text("unk_token")
    if unknown is not None:
        _require_unknown(model, ids, unknown)
    prefix = model.optional_text("continuing_subword_prefix") or ""
    suffix = model.optional_text("end_of_word_suffix") or ""
    for key, mark in (("continuing_subword_prefix", prefix), ("end_of_word_suffix", suffix)):
        require_length(model, key, mark, 0, _LONGEST_MARK)
    for key in ("fuse_unk", "byte_fallback", "ignore_merges"):
        model.optional_boolean(key)
    for merge in model.array("merges"):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not (isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
            raise model.refuse(f"has the merge {merge!r:.80}; expected two pieces")
        one, other = parts
        if one not in ids or other not in ids or one + other[len(prefix) :] not in ids:
            raise model.refuse(f"has the merge {merge!r:.80}, of which the vocabulary lacks a part or the whole")
    return ids


def _unigram(model: Fields) -> dict[str, int]:
    pieces = model.array("vocab")
    _require_count(model, len(pieces))
    ids: dict[str, int] = {}
    for number, entry in enumerate(pieces):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise model.refuse(f"has {entry!r:.80} in its vocab; expected a piece and its score")
        piece, score = entry
        if type(score) not in (int, float) or not -_LARGEST_SCORE <= score <= _LARGEST_SCORE:
            raise model.refuse(f"gives {piece[:80]!r} the score {score!r:.20}; expected up to {_LARGEST_SCORE:,.0f}")
        _require_piece(model, piece)
        if ids.setdefault(piece, number) != number:
            raise model.refuse(f"has the piece {piece[:80]!r} twice")
    unknown = model.integer("unk_id")
    if unknown >= len(ids):
        raise model.refuse(f"has unk_id {unknown:,} for {len(ids):,} pieces")
    model.optional_boolean("byte_fallback")
    return ids


def _of_mapping(model: Fields) -> dict[str, int]:
    """Check a vocabulary of pieces with their ids: each once, none left out."""
    ids: dict[str, Any] = model.mapping("vocab")
    _require_count(model, len(ids))
    taken = bytearray(len(ids))
    for piece, number in ids.items():
        _require_piece(model, piece)
        if type(number) is not int or not 0 <= number < len(ids):
            raise model.refuse(f"gives {piece[:80]!r} the id {number!r:.20}; expected 0 to {len(ids) - 1:,}, each once")
        taken[number] += 1
        if taken[number] > 1:
            raise model.refuse(f"gives {piece[:80]!r} the id {number:,}, which another piece has")
    return ids


def _require_count(model: Fields, count: int) -> None:
    if count == 0:
        raise model.refuse("has an empty vocab")
    if count > LIMITS.tokenizer_pieces:
        raise LimitError(f"{model.where}.vocab has {count:,} pieces; expected at most {LIMITS.tokenizer_pieces:,}")


def _require_piece(model: Fields, piece: str) -> None:
    if not piece:
        raise model.refuse("has an empty piece in its vocab")
    if len(piece) > LIMITS.tokenizer_piece_chars:
        raise LimitError(
            f"{model.where}.vocab has a piece of {len(piece):,} characters; "
            f"expected at most {LIMITS.tokenizer_piece_chars}"
        )


def _require_unknown(model: Fields, ids: Mapping[str, int], token: str) -> None:
    if token not in ids:
        raise model.refuse(f"has the unk_token {token[:80]!r}, which its vocab lacks")


_MODELS: Mapping[str, Callable[[Fields], dict[str, int]]] = {"WordPiece": _wordpiece, "BPE": _bpe, "Unigram": _unigram}
