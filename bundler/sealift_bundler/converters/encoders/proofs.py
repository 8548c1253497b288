"""What is tried out on each text encoder: the highest token, and whether a beginning of a text is enough."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from sealift.errors import Error
from sealift.model.frontend.tokenizer.declared import IDS, MASK, TYPES, DeclaredTokenizer
from sealift.model.frontend.tokenizer.encoder import Encoder
from sealift.model.frontend.tokenizer.library import open_tokenizer
from sealift_bundler.converters.encoders.reference import Reference
from sealift_bundler.converters.encoders.source import TextEncoder
from sealift_bundler.errors import ConversionError, SourceError
from sealift_bundler.samples.generated.hard_texts import HARD_TEXTS
from sealift_bundler.samples.generated.words import PUBLIC_WORDS

_MOST_SAMPLES = 32
# Of a hard text that is put between others.
_MOST_HARD_CHARS = 1_000
_MOST_LONG_CHARS = 60_000


def embedding_rows(encoder: TextEncoder, inputs: dict[str, str], reference: Reference) -> int:
    """Return how many tokens the graph knows: the rows of its embedding.

    Raises:
        ConversionError: the tokenizer knows more.
    """
    tokens = encoder.checked.tokens
    rows = _rows_of_table(encoder.ready.model, inputs[IDS])
    if rows is not None and rows < tokens:
        raise ConversionError(
            f"the tokenizer knows {tokens:,} tokens, and the graph's embedding has {rows:,} rows: they are not of "
            "one model"
        )
    try:
        reference.run({IDS: [tokens - 1], MASK: [1], TYPES: [0]})
    except SourceError as error:
        raise ConversionError(f"the graph does not take the tokenizer's last token, {tokens - 1:,}: {error}") from None
    return tokens if rows is None else rows


def require_length(encoder: TextEncoder, reference: Reference) -> None:
    """Check that the graph takes a text of as many tokens as it is to be given.

    Raises:
        ConversionError: it does not: it has fewer places, say.
    """
    most = encoder.frontend.max_tokens
    try:
        reference.run({IDS: [0] * most, MASK: [1] * most, TYPES: [0] * most})
    except SourceError as error:
        raise ConversionError(
            f"max_tokens is {most:,}, and {error}; give what the model's configuration says"
        ) from None


def _rows_of_table(model: onnx.ModelProto, ids: str) -> int | None:
    """Find the table that token ids are looked up in; None where the graph does so in another way."""
    tables = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            tables[node.output[0]] = list(numpy_helper.to_array(node.attribute[0].t).shape)
    same = {ids}
    for node in model.graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in same:
            same.add(node.output[0])
        elif node.op_type == "Gather" and node.input[1] in same and len(tables.get(node.input[0], ())) == 2:
            return int(tables[node.input[0]][0])
    return None


def beginning_is_enough(
    declared: DeclaredTokenizer, encoder: TextEncoder, texts: Sequence[str], whole: Reference
) -> bool:
    """Return whether long texts have the same tokens where only their beginnings are looked at.

    Args:
        declared: with `prefix` set.
        encoder: the model.
        texts: of the samples.
        whole: looks at whole texts.
    """
    looking = Encoder(declared, open_tokenizer(encoder.data, "this model"), encoder.checked)
    for text in _long_texts(texts, 8 * declared.max_tokens):
        try:
            expected = whole.tokenizer.encode(text)
            (got,) = looking.encode([text])
        except Error:
            return False
        if got.ids != expected.ids or got.types != expected.type_ids:
            return False
    return True


def _long_texts(texts: Sequence[str], first_chars: int) -> list[str]:
    """Make texts several times longer than their beginnings: of samples, hard texts and words, joined in many ways."""
    generator = np.random.default_rng(20_261_130)
    some = [text for text in texts[:_MOST_SAMPLES] if text.strip()] or ["a"]
    hard = [text for text in HARD_TEXTS if text.strip() and len(text) < _MOST_HARD_CHARS]
    most = min(3 * first_chars + _MOST_HARD_CHARS, _MOST_LONG_CHARS)
    found = []
    for parts in (some, hard, list(PUBLIC_WORDS), [*some, *hard]):
        for joint in (" ", "\n", "  ", " \n ", ".\n", "\u3000", "\u3002"):
            pieces: list[str] = []
            size = 0
            while size < most:
                piece = parts[int(generator.random() * len(parts))]
                pieces.append(piece)
                size += len(piece) + len(joint)
            found.append(joint.join(pieces)[:most])
    return found
