"""Files that are named tokenizer.json and must not reach the library: each crashes it, hangs it, or lies."""

import base64
import json
from typing import Any

from support.text_encoders import document

_SMALL: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": None,
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[UNK]": 0, "a": 1, "b": 2, "##a": 3},
    },
}


def small(**changes: Any) -> bytes:
    """Return a small tokenizer that passes, with some of its parts changed."""
    return json.dumps({**_SMALL, **changes}).encode()


def _model(**changes: Any) -> bytes:
    return small(model={**_SMALL["model"], **changes})


def _bpe(**changes: Any) -> bytes:
    return small(model={"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"], **changes})


def _unigram(*vocab: Any, **changes: Any) -> bytes:
    pieces = list(vocab) or [["<unk>", 0.0], ["a", -1.0]]
    return small(model={"type": "Unigram", "unk_id": 0, "vocab": pieces, **changes})


def _split(pattern: str) -> bytes:
    return small(
        pre_tokenizer={"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    )


def _replace(pattern: dict[str, str], content: str) -> bytes:
    return small(normalizer={"type": "Replace", "pattern": pattern, "content": content})


def _added(*contents: str, **changes: Any) -> bytes:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return small(
        added_tokens=[{"id": 4 + place, "content": text, **flags, **changes} for place, text in enumerate(contents)]
    )


def _nested(levels: int) -> bytes:
    inner: Any = {"type": "Lowercase"}
    for _ in range(levels):
        inner = {"type": "Sequence", "normalizers": [inner]}
    return small(normalizer=inner)


def _template(**changes: Any) -> bytes:
    whole = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"a": {"id": "a", "ids": [1], "tokens": ["a"]}},
    }
    return small(post_processor={**whole, **changes})


_SPECIAL_A = {"id": "a", "ids": [1], "tokens": ["a"]}
_PADDING = {
    "strategy": "BatchLongest",
    "direction": "Right",
    "pad_to_multiple_of": 0,
    "pad_id": 0,
    "pad_type_id": 0,
    "pad_token": "[UNK]",
}
_TRUNCATION = {"max_length": 2, "stride": 5, "strategy": "LongestFirst", "direction": "Right"}

# By what is wrong, with a part of what is said.
HOSTILE: dict[str, tuple[bytes, str]] = {
    # regular expressions
    "exponential": (_split("(a+)+$"), "not one of the published"),
    "alternatives alike": (_split("(a|a)*b"), "not one of the published"),
    "stars in stars": (_split("(.*)*x"), "not one of the published"),
    "quadratic": (_split(".*.*=.*"), "not one of the published"),
    "back reference": (_split(r"(a*)(a*)(a*)\1b"), "not one of the published"),
    "no expression": (_split("("), "not one of the published"),
    "huge repeat": (_split("((a{1,1000}){1,1000}){1,1000}"), "not one of the published"),
    "100,000 groups": (_split("(" * 100_000 + "a" + ")" * 100_000), "not one of the published"),
    "300,000 alternatives": (_split("|".join(f"a{n}" for n in range(300_000))), "not one of the published"),
    "recursion": (_split(r"(?<x>a\g<x>?b)*"), "not one of the published"),
    "a published one and more": (_split(r"\p{N}{1,3}|(a+)+$"), "not one of the published"),
    "empty expression": (_split(""), "not one of the published"),
    "replacing by an expression": (_replace({"Regex": "(a+)+$"}, "b"), "not one of the published"),
    "deciding by an expression": (
        small(decoder={"type": "Replace", "pattern": {"Regex": "(a|a)*b"}, "content": ""}),
        "not one of the published",
    ),
    # what makes a text longer
    "a million for one": (_replace({"String": "a"}, "b" * 1_000_000), "by 1,000,000 characters; expected at most 1"),
    "a hundred for one, five times": (
        small(
            normalizer={
                "type": "Sequence",
                "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}] * 5,
            }
        ),
        "expected at most 1",
    ),
    "two for one": (_replace({"String": "a"}, "aa"), "expected at most 1"),
    "two for white space": (_replace({"Regex": r"\s+"}, "  "), "expected at most 1"),
    "nothing replaced": (_replace({"String": ""}, "b"), "pattern has 0 characters"),
    "prepending a book": (small(normalizer={"type": "Prepend", "prepend": "x" * 100_000}), "has 100,000 characters"),
    "bytes of bytes": (
        small(normalizer={"type": "Sequence", "normalizers": [{"type": "ByteLevel"}] * 12}),
        "level of bytes more than once",
    ),
    "bytes of bytes, cut": (
        small(normalizer={"type": "ByteLevel"}, pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False}),
        "level of bytes more than once",
    ),
    # character maps
    "garbage for a map": (
        small(normalizer={"type": "Precompiled", "precompiled_charsmap": "////////AAAA"}),
        "none of SentencePiece's own",
    ),
    "a map of chance": (
        small(
            normalizer={
                "type": "Precompiled",
                "precompiled_charsmap": base64.b64encode((400).to_bytes(4, "little") + bytes(range(200)) * 2).decode(),
            }
        ),
        "none of SentencePiece's own",
    ),
    "an empty map": (small(normalizer={"type": "Precompiled", "precompiled_charsmap": ""}), "none of SentencePiece's"),
    "a map that is not base64": (small(normalizer={"type": "Precompiled", "precompiled_charsmap": "é!"}), "not base64"),
    # settings that end the process
    "padding to 2^40": (small(padding={**_PADDING, "strategy": {"Fixed": 2**40}}), "has padding; expected null"),
    "padding to multiples of 0": (small(padding=_PADDING), "has padding; expected null"),
    "stride beyond the length": (small(truncation=_TRUNCATION), "has truncation; expected null"),
    "cut to nothing": (small(truncation={**_TRUNCATION, "max_length": 0}), "has truncation; expected null"),
    # vocabularies
    "unknown token unknown": (_model(unk_token="nope"), "which its vocab lacks"),
    "negative id": (_model(vocab={"[UNK]": -1}), "gives '[UNK]' the id -1"),
    "id of 2^32": (_model(vocab={"[UNK]": 2**32 - 1, "a": 2**32 - 2}), "gives '[UNK]' the id 4294967295"),
    "id of 2^40": (_model(vocab={"[UNK]": 2**40}), "the id 1099511627776"),
    "id left out": (_model(vocab={"[UNK]": 0, "a": 2}), "expected 0 to 1, each once"),
    "id twice": (_model(vocab={"[UNK]": 0, "a": 0}), "which another piece has"),
    "id that is not a whole number": (_model(vocab={"[UNK]": 0.0}), "the id 0.0"),
    "id that is true": (_model(vocab={"[UNK]": False}), "the id False"),
    "no pieces": (_model(vocab={}), "empty vocab"),
    "no vocab": (_model(vocab=None), "expected an object"),
    "a piece of nothing": (_model(vocab={"[UNK]": 0, "": 1}), "an empty piece"),
    "a piece of 257 characters": (_model(vocab={"[UNK]": 0, "a" * 257: 1}), "a piece of 257 characters"),
    "a million characters a word": (_model(max_input_chars_per_word=10**6), "expected at most 200"),
    "201 characters a word": (_model(max_input_chars_per_word=201), "expected at most 200"),
    "no characters a word": (_model(max_input_chars_per_word=0), "at least 1"),
    "a long prefix": (_model(continuing_subword_prefix="#" * 1000), "has 1,000 characters"),
    "another key": (_model(nbest_size=64), "unknown key 'nbest_size'"),
    # BPE
    "a part that is not there": (_bpe(vocab={"a": 0}, merges=["a b"]), "lacks a part or the whole"),
    "a whole that is not there": (_bpe(vocab={"a": 0, "b": 1}), "lacks a part or the whole"),
    "a merge of three": (_bpe(merges=["a b a"]), "expected two pieces"),
    "a merge of numbers": (_bpe(merges=[[0, 1]]), "expected two pieces"),
    "dropout": (_bpe(dropout=0.5), "has dropout"),
    "dropout that is not a number": (_bpe(dropout="nan"), "has dropout"),
    # Unigram
    "no piece of a language model": (small(model={"type": "Unigram", "unk_id": 0, "vocab": []}), "empty vocab"),
    "unknown piece out of range": (_unigram(unk_id=99), "unk_id 99 for 2 pieces"),
    "no unknown piece": (_unigram(unk_id=None), "unk_id is None"),
    "huge scores": (_unigram(["<unk>", 0.0], ["a", 1e308]), "the score 1e+308"),
    "a score of a text": (_unigram(["<unk>", 0.0], ["a", "b"]), "the score 'b'"),
    "a piece twice": (_unigram(["<unk>", 0.0], ["a", 0.0], ["a", -1.0]), "'a' twice"),
    "an empty piece": (_unigram(["<unk>", 0.0], ["", -1.0]), "an empty piece"),
    "a piece of three": (_unigram(["<unk>", 0.0, 1]), "expected a piece and its score"),
    # types
    "another normalizer": (small(normalizer={"type": "Nope"}), "is of the type 'Nope'"),
    "another pre-tokenizer": (small(pre_tokenizer={"type": "Nope"}), "is of the type 'Nope'"),
    "another processor": (small(post_processor={"type": "Nope"}), "is of the type 'Nope'"),
    "another decoder": (small(decoder={"type": "CTC"}), "is of the type 'CTC'"),
    "another model": (small(model={"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}), "'WordLevel'"),
    "a model of no type": (small(model={"vocab": {"a": 0}, "merges": []}), "lacks 'type'"),
    "pieces of length 0": (small(pre_tokenizer={"type": "FixedLength", "length": 0}), "'FixedLength'"),
    "two characters for white space": (
        small(pre_tokenizer={"type": "Metaspace", "replacement": "ab", "prepend_scheme": "always"}),
        "replacement has 2 characters; expected 1",
    ),
    "no character for white space": (
        small(pre_tokenizer={"type": "Metaspace", "replacement": "", "prepend_scheme": "always"}),
        "replacement has 0 characters",
    ),
    "another scheme": (
        small(pre_tokenizer={"type": "Metaspace", "replacement": "_", "prepend_scheme": "sometimes"}),
        "another prepend_scheme",
    ),
    "no delimiter": (small(pre_tokenizer={"type": "CharDelimiterSplit", "delimiter": ""}), "has 0 characters"),
    "another behavior": (small(pre_tokenizer={"type": "Punctuation", "behavior": "Burn"}), "another behavior"),
    # depth and number
    "five levels": (_nested(5), "nests deeper than 4 levels"),
    "sixty levels": (_nested(60), "nests deeper than 64 levels"),
    "17 parts": (
        small(normalizer={"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 17}),
        "more than 16 parts",
    ),
    "10,000 levels": (
        b'{"version":"1.0","normalizer":' + b'{"type":"Sequence","normalizers":[' * 10_000 + b"]}" * 10_000 + b"}",
        "nests deeper than 64",
    ),
    "a million brackets": (b"[" * 1_000_000, "nests deeper than 64"),
    # added tokens
    "an empty token": (_added(""), "content has 0 characters"),
    "a long token": (_added("x" * 257), "content has 257 characters"),
    "10,001 tokens": (_added(*(f"tok{n}" for n in range(10_001))), "has 10,001; expected at most 10,000"),
    "a token twice": (_added("x", "x"), "a second time"),
    "a token of another id": (_added("x", id=77), "has the id 77; the library gives 4"),
    "a known token of another id": (_added("a", id=3), "has the id 3; the library gives 1"),
    # templates
    "a special token that is not there": (_template(special_tokens={}), "which special_tokens do not have"),
    "a special token of another id": (
        _template(special_tokens={"a": {**_SPECIAL_A, "ids": [2]}}),
        "'a' of id 2, which the vocabulary does not have",
    ),
    "a special token without ids": (_template(special_tokens={"a": {**_SPECIAL_A, "ids": [], "tokens": []}}), "0 ids"),
    "a special token of many ids": (
        _template(special_tokens={"a": {**_SPECIAL_A, "ids": [1] * 17, "tokens": ["a"] * 17}}),
        "has 17 ids",
    ),
    "no text in the template": (_template(single=[{"SpecialToken": {"id": "a", "type_id": 0}}]), "expected ['A']"),
    "the text twice": (_template(single=[{"Sequence": {"id": "A", "type_id": 0}}] * 2), "expected ['A']"),
    "the other text alone": (_template(single=[{"Sequence": {"id": "B", "type_id": 0}}]), "expected ['A']"),
    "a template of 17 places": (
        _template(single=[{"SpecialToken": {"id": "a", "type_id": 0}}] * 17),
        "has 17 places",
    ),
    "a type of 2^31": (_template(single=[{"Sequence": {"id": "A", "type_id": 2**30}}]), "type_id beyond 15"),
    "ends that are not there": (
        small(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}),
        "'[SEP]' of id 102",
    ),
    # no tokenizer at all
    "another version": (small(version="2.0"), "version is '2.0'"),
    "no version": (small(version=None), "version is None"),
    "another part": (small(padder={}), "unknown key 'padder'"),
    "a list": (b"[]", "expected an object"),
    "nothing": (b"", "is not JSON"),
    "half of a pair": (small().replace(b'"a": 1', b'"\\ud800": 1'), "half of a surrogate pair"),
    "a key twice": (small().replace(b'"padding": null', b'"version": "1.0"'), "key 'version' twice"),
    "NaN for a score": (small(model=None).replace(b"null", b"NaN"), "holds NaN"),
    "more than 32 MiB": (b" " * (32 * 2**20 + 1), "expected at most 33,554,432"),
}


def known_good() -> dict[str, bytes]:
    """Return tokenizers that pass, by what they are."""
    return {kind: json.dumps(document(kind)).encode() for kind in ("wordpiece", "bpe", "unigram")} | {"small": small()}
