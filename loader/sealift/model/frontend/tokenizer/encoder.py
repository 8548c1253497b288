"""Cut texts into tokens, as the library does, without a look at what lies beyond the tokens that count.

A text of a million characters takes seconds, and the graph takes the first few hundred tokens. So the library gets the
beginning of a long text, up to white space, and twice as much while there are too few tokens in it. That these are the
tokens of the whole text is proven for each model where it is packed; where it is not, long texts are refused.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from sealift.errors import Error, InputError
from sealift.limits import LIMITS
from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
from sealift.model.frontend.tokenizer.library import asked

# Of English there are four or five characters in a token, of other languages fewer.
_CHARACTERS_A_TOKEN = 8
# The last tokens of a beginning may not be those of the whole: a sign and the line end behind it are one, say.
_SPARE_TOKENS = 16
_BEFORE_SPACE = re.compile(r"(?s:.*)[^\s](?=[ \n])")
# The library makes up to 18 characters of one, U+FDFA; and time and memory go with what it makes.
_MOST_OF_ONE = 18
# Up to so many texts one after the other; more are faster together, if the application lets the library start threads.
_FEW_TEXTS = 16
_PARALLEL = "TOKENIZERS_PARALLELISM"
_YES = frozenset(["1", "true", "t", "on", "yes", "y"])


class Encoder:
    """A tokenizer that was opened; safe to share between threads.

    Args:
        declared: what the model says of it.
        tokenizer: the library's own, which cuts at `declared.max_tokens`.
        specials: how many tokens it puts around a text.
    """

    def __init__(self, declared: DeclaredTokenizer, tokenizer: Any, specials: int) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = declared.max_tokens
        self._specials = specials
        self._prefix = declared.prefix
        self._most_chars = LIMITS.text_chars if declared.prefix else LIMITS.whole_text_chars
        self._first_chars = _CHARACTERS_A_TOKEN * declared.max_tokens

    def encode(self, texts: Sequence[str], first_row: int = 0) -> list[Any]:
        """Return the library's encoding of each text: `ids` and `type_ids`.

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
        empty = next((row for row, encoding in enumerate(found, first_row) if not len(encoding)), None)
        if empty is not None:
            raise InputError(f"text row {empty} has no token in it, so the model has nothing to answer")
        return found

    def _together(self, texts: Sequence[str], first_row: int) -> list[Any]:
        """Encode in the library's own threads what needs no look at its beginning alone."""
        places = [place for place, text in enumerate(texts) if len(text) <= self._first_chars]

        def refused(reason: str) -> Error:
            return InputError(f"the tokenizer cannot take one of the texts: {reason}")

        encodings = asked(refused, self._tokenizer.encode_batch, [texts[place] for place in places])
        found = dict(zip(places, encodings, strict=True))
        return [
            found[place] if place in found else self._one(text, first_row + place) for place, text in enumerate(texts)
        ]

    def _one(self, text: str, row: int) -> Any:
        end = self._first_chars
        while self._prefix and end < len(text):
            beginning = _BEFORE_SPACE.match(text[: end + 1])
            if beginning is not None:
                encoding = self._whole(beginning[0], row)
                if self._is_enough(encoding):
                    return encoding
            end *= 2
        return self._whole(text, row)

    def _is_enough(self, encoding: Any) -> bool:
        """Return whether there are some tokens beyond those that count."""
        if len(encoding) < self._max_tokens:
            return False
        return sum(len(part) - self._specials for part in encoding.overflowing) >= _SPARE_TOKENS

    def _whole(self, text: str, row: int) -> Any:
        if len(text) > LIMITS.text_chars // _MOST_OF_ONE:
            made = len(unicodedata.normalize("NFKD", text))
            if made > LIMITS.text_chars:
                raise InputError(
                    f"text row {row} has {len(text):,} characters without white space that stand for {made:,}; "
                    f"expected at most {LIMITS.text_chars:,}"
                )

        def refused(reason: str) -> Error:
            return InputError(f"the tokenizer cannot take text row {row}: {reason}")

        return asked(refused, self._tokenizer.encode, text)
