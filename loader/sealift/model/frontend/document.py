"""`frontend.json` as named tuples; schemas `sealift.frontend/1` and `sealift.frontend/2`.

Version 1 is a list of counters, each of which makes one dense input of the graph. Version 2 is a list of front ends of
named kinds, each of which makes inputs of its own form. Parsing is strict, and runs nothing of what it reads.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sealift.errors import LimitError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.documents.description import FRONTEND_FILE
from sealift.model.documents.fields import Fields
from sealift.model.frontend.analyzer import Analyzer
from sealift.model.frontend.counter import Hashing, TermCounter
from sealift.model.frontend.sparse import SparseCounter
from sealift.model.frontend.tokenizer.declared import TOKENIZER, DeclaredTokenizer, parse_tokenizer
from sealift_common.parsing.strict_json import parse as parse_json

SCHEMA = "sealift.frontend/1"
# The same, of front ends that a reader of /1 does not know.
KINDS_SCHEMA = "sealift.frontend/2"
COUNTER = "counter"

Frontend = TermCounter | SparseCounter | DeclaredTokenizer


def parse(data: bytes) -> tuple[Frontend, ...]:
    """Parse the bytes of a `frontend.json`.

    Raises:
        UnsupportedVersionError: the schema, or a kind of front end, is one that this version does not know.
        LimitError: more columns, or a longer token pattern, than the limits.
        MalformedError: it does not have the form of the schema.
    """
    top = Fields(parse_json(data, FRONTEND_FILE), FRONTEND_FILE)
    schema = top.text("schema")
    if schema not in (SCHEMA, KINDS_SCHEMA):
        raise UnsupportedVersionError(
            f"{FRONTEND_FILE} has schema {schema[:80]!r}; this Sealift knows {SCHEMA!r} and {KINDS_SCHEMA!r}; "
            "install a newer Sealift"
        )
    key = "counters" if schema == SCHEMA else "frontends"
    if len(top.array(key)) > LIMITS.frontend_counters:
        raise LimitError(
            f"{FRONTEND_FILE} has {len(top.array(key)):,} {key}; expected at most {LIMITS.frontend_counters:,}"
        )
    frontends: tuple[Frontend, ...] = top.objects(key, _dense_counter if schema == SCHEMA else _of_kind)
    top.close()
    return frontends


def _of_kind(fields: Fields) -> Frontend:
    kind = fields.text("kind")
    if kind not in _KINDS:
        raise UnsupportedVersionError(
            f"{FRONTEND_FILE} has a front end of the kind {kind[:80]!r}; this Sealift knows {sorted(_KINDS)}; "
            "install a newer Sealift"
        )
    return _KINDS[kind](fields)


def _dense_counter(fields: Fields) -> TermCounter:
    counter = _counter(fields)
    fields.close()
    return counter


def _sparse_counter(fields: Fields) -> SparseCounter:
    fields.text("layout", allowed=("sparse",))
    counter = SparseCounter(
        _counter(fields),
        term_values=fields.integer("term_values", at_least=1),
        row_values=fields.integer("row_values"),
    )
    fields.close()
    return counter


_KINDS: Mapping[str, Callable[[Fields], Frontend]] = {COUNTER: _sparse_counter, TOKENIZER: parse_tokenizer}


def _counter(fields: Fields) -> TermCounter:
    kind = fields.text("analyzer", allowed=("word", "char", "char_wb"))
    strip_accents = fields.optional_text("strip_accents")
    ngram_range = fields.array("ngram_range")
    stop_words = fields.optional_array("stop_words")
    vocabulary = fields.array("vocabulary")
    hashing = _hashing(fields.optional_object("hashing"))
    if strip_accents not in (None, "ascii", "unicode"):
        raise fields.refuse(f"has strip_accents {strip_accents[:80]!r}; expected null, 'ascii' or 'unicode'")
    if len(ngram_range) != 2 or not all(type(n) is int and 1 <= n <= 100 for n in ngram_range):
        raise fields.refuse(f"has ngram_range {ngram_range!r:.80}; expected two integers from 1 to 100")
    pattern = fields.text("token_pattern")
    _check_pattern(pattern, fields)
    analyzer = Analyzer(
        analyzer=kind,
        lowercase=fields.boolean("lowercase"),
        strip_accents=strip_accents,
        token_pattern=pattern,
        ngram_range=(ngram_range[0], ngram_range[1]),
        stop_words=None if stop_words is None else frozenset(_texts(stop_words, fields)),
    )
    if hashing is not None and vocabulary:
        raise fields.refuse("has a vocabulary and hashing; expected one of them")
    return TermCounter(analyzer, tuple(_texts(vocabulary, fields)), fields.boolean("binary"), hashing)


def _check_pattern(pattern: str, fields: Fields) -> None:
    if len(pattern) > LIMITS.token_pattern_chars:
        raise LimitError(
            f"{FRONTEND_FILE} has a token_pattern of {len(pattern):,} characters; "
            f"expected at most {LIMITS.token_pattern_chars:,}"
        )
    try:
        with warnings.catch_warnings():
            # A pattern of another Python's taste must not write to the application's stderr.
            warnings.simplefilter("ignore")
            groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise fields.refuse(f"has a token_pattern that is not a regular expression: {error!r:.200}") from None
    if groups > 1:
        raise fields.refuse("has a token_pattern with more than one group")


def _hashing(fields: Fields | None) -> Hashing | None:
    if fields is None:
        return None
    hashing = Hashing(fields.integer("columns", at_least=1), fields.boolean("alternate_sign"))
    fields.close()
    if hashing.columns > LIMITS.frontend_columns:
        raise LimitError(
            f"{FRONTEND_FILE} hashes into {hashing.columns:,} columns; expected at most {LIMITS.frontend_columns:,}"
        )
    return hashing


def _texts(values: Iterable[Any], fields: Fields) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise fields.refuse(f"has {value!r:.80} among its words; expected strings")
        yield value
