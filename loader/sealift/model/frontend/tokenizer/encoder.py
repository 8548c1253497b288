"""Cut texts into tokens, as the library does, without a look at what lies beyond the tokens that count.

A text of a million characters takes seconds, and the graph takes the first few hundred tokens. So the library gets the
beginning of a long text, up to white space, and twice as much while there are too few tokens in it. That these are the
tokens of the whole text is proven for each model where it is packed; where it is not, long texts are refused.

Tokens beyond `max_tokens` are left out here: the library would make an object of every so many of them.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from sealift.errors import Error, InputError
from sealift.limits import LIMITS
from sealift.model.frontend.tokenizer.check import Checked
from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
from sealift.model.frontend.tokenizer.library import asked

# Of English there are four or five characters in a token, of other languages fewer.
_CHARACTERS_A_TOKEN = 8
# The last tokens of a beginning may not be those of the whole: a sign and the line end behind it are one, say.
_SPARE_TOKENS = 16
# Chinese and Japanese have full stops where others have spaces.
_BEFORE_SPACE = re.compile("(?s:.*)[^\\s\u3002](?=[ \\n\u3000\u3002])")
# The library makes up to 18 characters of one, U+FDFA, of three bytes each.
_MOST_OF_ONE = 54
# Up to so many texts one after the other; more are faster together, if the application lets the library start threads.
_FEW_TEXTS = 16
_PARALLEL = "TOKENIZERS_PARALLELISM"
_YES = frozenset(["1", "true", "t", "on", "yes", "y"])


class Tokens(NamedTuple):
    """The tokens of one text, special ones included, and what the model tells apart by their types; as many of each."""

    ids: list[int]
    types: list[int]


class Encoder:
    """A tokenizer that was opened; safe to share between threads.

    Args:
        declared: what the model says of it.
        tokenizer: the library's own, which cuts nothing off.
        checked: what its file was found to be.
    """

    def __init__(self, declared: DeclaredTokenizer, tokenizer: Any, checked: Checked) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = declared.max_tokens
        self._after = checked.after
        self._prefix = declared.prefix
        self._most_chars = LIMITS.text_chars if declared.prefix else LIMITS.whole_text_chars
        self._first_chars = _CHARACTERS_A_TOKEN * declared.max_tokens

    def encode(self, texts: Sequence[str], first_row: int = 0) -> list[Tokens]:
        """Return the tokens of each text.

        Args:
            texts: without halves of surrogate pairs.
            first_row: the row of the first, for messages.

        Raises:
            InputError: a text is too long, has no token, or makes the library fail; the message names the row.
        """
        for row, text in enumerate(texts, first_row):
            if len(text) > self._most_chars:
                raise InputError(
                    f"text row {row} has {len(text):,} characters; expected at most {self._most_chars:,}: cut it"
                )
        if len(texts) > _FEW_TEXTS and os.environ.get(_PARALLEL, "").lower() in _YES:
            found = self._together(texts, first_row)
        else:
            found = [self._one(text, row) for row, text in enumerate(texts, first_row)]
        empty = next((row for row, tokens in enumerate(found, first_row) if not tokens.ids), None)
        if empty is not None:
            raise InputError(f"text row {empty} has no token in it, so the model has nothing to answer")
        return found

    def _together(self, texts: Sequence[str], first_row: int) -> list[Tokens]:
        """Encode in the library's own threads what needs no look at its beginning alone."""
        places = [place for place, text in enumerate(texts) if len(text) <= self._first_chars]

        def refused(reason: str) -> Error:
            return InputError(f"the tokenizer cannot take one of the texts: {reason}")

        encodings = asked(refused, self._tokenizer.encode_batch, [texts[place] for place in places])
        found = {place: self._cut(encoding) for place, encoding in zip(places, encodings, strict=True)}
        return [
            found[place] if place in found else self._one(text, first_row + place) for place, text in enumerate(texts)
        ]

    def _one(self, text: str, row: int) -> Tokens:
        end = self._first_chars
        while self._prefix and end < len(text):
            beginning = _BEFORE_SPACE.match(text[: end + 1])
            if beginning is not None:
                encoding = self._whole(beginning[0], row)
                if len(encoding) >= self._max_tokens + _SPARE_TOKENS:
                    return self._cut(encoding)
            end *= 2
        return self._cut(self._whole(text, row))

    def _cut(self, encoding: Any) -> Tokens:
        """Leave out the tokens that are too many, before the special ones at the end."""
        ids, types, most = encoding.ids, encoding.type_ids, self._max_tokens
        if len(ids) <= most:
            return Tokens(ids, types)
        kept, last = most - self._after, len(ids) - self._after
        return Tokens(ids[:kept] + ids[last:], types[:kept] + types[last:])

    def _whole(self, text: str, row: int) -> Any:
        if len(text) > LIMITS.text_made_bytes // _MOST_OF_ONE:
            made = len(unicodedata.normalize("NFKD", text).encode("utf-8"))
            if made > LIMITS.text_made_bytes:
                raise InputError(
                    f"text row {row} has {len(text):,} characters without enough tokens, or white space, to cut it; "
                    f"they come to {made:,} bytes, expected at most {LIMITS.text_made_bytes:,}: cut it"
                )

        def refused(reason: str) -> Error:
            return InputError(f"the tokenizer cannot take text row {row}: {reason}")

        return asked(refused, self._tokenizer.encode, text)
