"""Emitters of text: a vectorizer becomes counts from the front end, weighted in the graph.

They are columns of text without zeros, or dense counts on the rungs that are left for steps which need every column.
"""

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer

from sealift_bundler.converters.graph import numbers_of
from sealift_bundler.converters.steps import Context, Features, features_of, numbers, transforms
from sealift_bundler.converters.steps.compose import transform
from sealift_bundler.converters.steps.preprocessing.numeric import normalize
from sealift_bundler.converters.steps.text.columns import Part, SparseColumns, Terms
from sealift_bundler.converters.steps.text.layout import input_names
from sealift_bundler.converters.steps.text.steps import normalized

_DEFAULT_PATTERN = r"(?u)\b\w\w+\b"


def _declaration(context: Context, vectorizer: Any) -> dict[str, Any]:
    """The vectorizer's options and vocabulary as the front end's schema has them."""
    for option in ("preprocessor", "tokenizer"):
        if getattr(vectorizer, option) is not None:
            raise context.refuse(f"its {option} is Python code, which a bundle cannot carry", vectorizer)
    for option in ("analyzer", "strip_accents"):
        if callable(getattr(vectorizer, option)):
            raise context.refuse(f"its {option} is Python code, which a bundle cannot carry", vectorizer)
    if vectorizer.input != "content":
        raise context.refuse(f"it reads files (input={vectorizer.input!r}); use input='content'", vectorizer)
    words = vectorizer.analyzer == "word"
    stop_words = vectorizer.get_stop_words() if words else None
    vocabulary = sorted(getattr(vectorizer, "vocabulary_", {}).items(), key=lambda item: item[1])
    if [index for _, index in vocabulary] != list(range(len(vocabulary))):
        raise context.refuse("its vocabulary does not number its terms from 0", vectorizer)
    return {
        "analyzer": vectorizer.analyzer,
        "lowercase": bool(vectorizer.lowercase),
        "strip_accents": vectorizer.strip_accents,
        "token_pattern": vectorizer.token_pattern if words else _DEFAULT_PATTERN,
        "ngram_range": [int(n) for n in vectorizer.ngram_range],
        "stop_words": None if stop_words is None else sorted(map(str, stop_words)),
        "vocabulary": [str(term) for term, _ in vocabulary],
        "binary": bool(vectorizer.binary),
    }


@transforms(CountVectorizer)
def _count(context: Context, estimator: Any, features: Features) -> Features:
    declaration = _declaration(context, estimator)
    return _counted(context, estimator, features, declaration, len(declaration["vocabulary"]))


def _counted(context: Context, estimator: Any, features: Features, declaration: dict[str, Any], width: int) -> Features:
    """Let the front end count a column, once where several steps count the same."""
    if len(features) != 1 or features[0].origin is None or not features[0].text:
        raise context.refuse("it takes exactly one text column of the caller's", estimator)
    wanted = (features[0].origin, declaration)
    if wanted not in context.counters:
        context.counters.append(wanted)
    counter = context.counters.index(wanted)
    columns, counts = input_names(counter)
    if context.text is None:
        return features_of(columns, width, exact=True, integral=True)
    single = np.dtype(estimator.dtype) == np.float32
    terms = Terms(columns, counts, width, counter, exact=True, integral=True, signed=True, single=single)
    return SparseColumns(context, [Part(terms, np.arange(width))])


@transforms(HashingVectorizer)
def _hashed(context: Context, estimator: HashingVectorizer, features: Features) -> Features:
    columns = int(estimator.n_features)
    hashing = {"columns": columns, "alternate_sign": bool(estimator.alternate_sign)}
    counted = _counted(context, estimator, features, {**_declaration(context, estimator), "hashing": hashing}, columns)
    if estimator.norm is None:
        return counted
    if isinstance(counted, SparseColumns):
        return normalized(context, counted, estimator.norm)
    tensor = numbers(context, counted, estimator)
    return features_of(normalize(context.graph, estimator.norm, tensor), columns, signed=True)


@transforms(TfidfVectorizer)
def _tfidf_vectorizer(context: Context, estimator: Any, features: Features) -> Features:
    counts = _count(context, estimator, features)
    return transform(context, estimator._tfidf, counts)  # noqa: SLF001 - there is no public form


@transforms(TfidfTransformer)
def _tfidf(context: Context, estimator: Any, features: Features) -> Features:
    graph = context.graph
    tensor = numbers(context, features, estimator)
    if estimator.sublinear_tf:
        # 1 + log(count) where there is a count; the logarithm of the others is taken of 1 and dropped.
        present = graph.add("Greater", tensor, graph.constant(0.0))
        safe = graph.add("Where", present, tensor, graph.constant(1.0))
        grown = graph.add("Add", graph.add("Log", safe), graph.constant(1.0))
        tensor = graph.add("Where", present, grown, tensor)
    if estimator.use_idf:
        tensor = graph.add("Mul", tensor, graph.constant(numbers_of(np.asarray(estimator.idf_))))
    if estimator.norm is not None:
        tensor = normalize(graph, estimator.norm, tensor)
    return features_of(tensor, len(features), signed=all(not one.rough or one.rough.signed for one in features))
