"""The strict check of a `tokenizer.json`, before the library sees a byte of it: one for add, verify, install and load.

The library is written in Rust. Some files end its process, some let it take all memory or time, and some raise what
`except Exception` does not catch. So a file passes only if every part of it is known, and known to be bounded. Pure.

The format is that of the library `tokenizers`, 0.19 to 0.23.
"""

from typing import NamedTuple

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.documents.fields import Fields
from sealift.model.frontend.tokenizer.parts import DECODERS, NORMALIZERS, PRE_TOKENIZERS, walk
from sealift.model.frontend.tokenizer.processors import Processors
from sealift.model.frontend.tokenizer.vocabulary import add_tokens, read_vocabulary
from sealift_common.parsing.strict_json import parse

FORMAT = "1.0"


class Checked(NamedTuple):
    """What a checked tokenizer is: how many tokens it knows, ids 0 and up; how many it puts before and after a text."""

    tokens: int
    before: int
    after: int

    @property
    def specials(self) -> int:
        """How many tokens it puts around a text."""
        return self.before + self.after


def check_tokenizer(data: bytes, what: str) -> Checked:
    """Check the bytes of a `tokenizer.json`.

    Args:
        data: the file.
        what: its name, for messages.

    Raises:
        MalformedError: it is not of the format, or holds a type or setting that does not run here; by its name.
        LimitError: it is larger than the limits.
    """
    most = LIMITS.tokenizer_pieces
    document = parse(
        data,
        what,
        max_size_bytes=LIMITS.tokenizer_size_bytes,
        # A piece of a Unigram model and a merge are lists of two.
        max_containers=2 * most,
        max_keys=most + 100_000,
        max_values=4 * most,
    )
    top = Fields(document, what)
    version = top.text("version")
    if version != FORMAT:
        raise MalformedError(f"{what}.version is {version[:80]!r}; expected {FORMAT!r}")
    for key in ("truncation", "padding"):
        if top.has(key):
            raise top.refuse(f"has {key}; expected null, for the recipe says how long a text may be")
        top.optional_object(key)
    ids = read_vocabulary(top.object("model"))
    added = top.array("added_tokens")
    if len(added) > LIMITS.tokenizer_added:
        raise LimitError(f"{what}.added_tokens has {len(added):,}; expected at most {LIMITS.tokenizer_added:,}")
    add_tokens(ids, top.objects("added_tokens", lambda token: token))
    growing: list[str] = []
    for key, known, inner in (
        ("normalizer", NORMALIZERS, "normalizers"),
        ("pre_tokenizer", PRE_TOKENIZERS, "pretokenizers"),
    ):
        part = top.optional_object(key)
        growing += [] if part is None else walk(part, known, inner)
    # Each makes two characters of one that is not ASCII.
    if growing.count("ByteLevel") > 1:
        raise top.refuse("goes to the level of bytes more than once")
    decoder = top.optional_object("decoder")
    if decoder is not None:
        walk(decoder, DECODERS, "decoders")
    processors = Processors(ids)
    processor = top.optional_object("post_processor")
    if processor is not None:
        processors.check(processor)
    top.close()
    return Checked(len(ids), processors.before, processors.after)
