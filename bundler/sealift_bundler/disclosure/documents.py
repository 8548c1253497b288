"""The texts of the JSON files that every model has: vocabulary, golden examples, description. Pure."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sealift_bundler.disclosure.finding import shown
from sealift_bundler.disclosure.graph import numbers
from sealift_bundler.disclosure.numbers import LEAST, cards_among
from sealift_bundler.disclosure.passages import Bag, Passage
from sealift_bundler.disclosure.terms import joined, mail_signs, token_pieces

_CHARACTERS = frozenset({"char", "char_wb"})


def frontend_passages(data: bytes) -> Iterator[Passage]:
    """Yield the terms and stop words of each vectorizer, and what terms of characters can be joined to."""
    document = json.loads(data)
    frontends = document["frontends"] if "frontends" in document else document["counters"]
    # Those of other kinds hold texts as well, which are read below as any others.
    counters = [frontend for frontend in frontends if frontend.get("kind", "counter") == "counter"]
    for number, counter in enumerate(counters, 1):
        which = f" of vectorizer {number:,}" if len(counters) > 1 else ""
        terms = _texts(counter.pop("vocabulary"))
        yield Passage(terms, partial(_counted, "term", len(terms), which))
        stop_words = _texts(counter.pop("stop_words", None))
        yield Passage(stop_words, partial(_counted, "stop word", len(stop_words), which))
        if counter["analyzer"] in _CHARACTERS:
            longer, first = joined(terms)
            yield Passage(longer, partial(_joined, first, len(terms), which))
            yield Passage(terms, partial(_counted, "term", len(terms), which), mail_signs)
        else:
            yield Passage(terms, partial(_counted, "term", len(terms), which), token_pieces)
    yield _others(document)


def _texts(values: Iterable[Any] | None) -> list[str]:
    """Put an empty text where a value is no text, so that places still count."""
    return [value if isinstance(value, str) else "" for value in values or ()]


def _counted(what: str, total: int, which: str, index: int) -> str:
    return f"{what} {index + 1:,} of {total:,}{which}"


def _joined(first: Sequence[int], total: int, which: str, index: int) -> str:
    return f"terms of characters that join from term {first[index] + 1:,} of {total:,}{which} on"


def golden_passages(data: bytes) -> Iterator[Passage]:
    """Yield the golden rows, column by column."""
    document = json.loads(data)
    for example in document["examples"]:
        for part, key, what in (("request", "inputs", "column"), ("response", "outputs", "answer")):
            for tensor in example[part][key]:
                values = tensor.pop("data", None)
                if values is None:
                    raw = base64.b64decode(tensor.pop("base64"))
                    yield numbers(raw, [(0, len(raw))])
                    values = _large(raw, tensor["datatype"])
                texts = _texts(values)
                rows = tensor["shape"][0] if tensor["shape"] else 1
                name = tensor["name"]
                # A model of texts alone has one input, which is no column.
                where = "" if name == "rows" and part == "request" else f", {what} {{}}"
                yield Passage(texts, partial(_golden_row, where, name, max(1, len(values) // max(1, rows))))
                yield Passage(cards_among(values), partial(_golden_rows, where, name))
    yield _others(document)


def _large(raw: bytes, datatype: str) -> list[int | float]:
    """Return the numbers of a tensor that may be more than numbers."""
    kinds = {"INT64": "<i8", "UINT64": "<u8", "FP64": "<f8"}
    if datatype not in kinds:
        return []
    values = np.frombuffer(raw, kinds[datatype])
    found: list[int | float] = values[values >= LEAST].tolist()
    return found


def _golden_row(where: str, name: str, width: int, index: int) -> str:
    return f"golden row {index // width + 1:,}{where.format(shown(name))}"


def _golden_rows(where: str, name: str, _index: int) -> str:
    return f"golden rows{where.format(shown(name))}"


def description_passages(data: bytes) -> Iterator[Passage]:
    """Yield the texts of `model.json`: columns, categories, classes, and the rest."""
    document = json.loads(data)
    labels = (document.get("classes") or {}).pop("values", ())
    classes = _texts(labels)
    yield Passage(classes, partial(_counted, "class", len(classes), ""))
    yield Passage(cards_among(labels), lambda _: "classes")
    for tensor in document["inputs"]:
        columns = tensor["columns"]
        names = _texts([column.pop("name", "") for column in columns])
        yield Passage(names, partial(_counted, "column", len(names), f" of input {shown(tensor['name'])}"))
        for name, column in zip(names, columns, strict=True):
            levels = column.pop("categories", None) or ()
            categories = _texts(levels)
            yield Passage(categories, partial(_category, name, len(categories)))
            yield Passage(cards_among(levels), partial(_categories, name))
    yield _others(document)


def _category(name: str, total: int, index: int) -> str:
    return f"category {index + 1:,} of {total:,} of column {shown(name)}"


def _categories(name: str, _index: int) -> str:
    return f"categories of column {shown(name)}"


def columns_of(description: bytes | None) -> Mapping[str, Sequence[str]]:
    """Return the names of the columns of each input tensor; of a damaged description, none."""
    try:
        inputs = json.loads(description or b"{}").get("inputs", [])
        return {tensor["name"]: [column["name"] for column in tensor["columns"]] for tensor in inputs}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def manifest_passages(descriptor: Mapping[str, Any]) -> Iterator[Passage]:
    """Yield the texts that the recipe puts into the manifest; authors and vendor are people to write to."""
    texts = dict(descriptor)
    people = _texts([*texts.pop("authors", ()), texts.pop("vendor", "")])
    yield Passage(people, lambda _: "'authors' or 'vendor'", people=True)
    yield _others(texts)


def _others(document: Any) -> Passage:
    bag = Bag()
    for path, text in _strings(document, ()):
        bag.add(text, partial(_path, path))
    return bag.passage()


def _strings(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield (*path, "a name"), str(key)
            yield from _strings(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))


_PLAIN = re.compile(r"[a-z_]{1,40}")


def _path(path: tuple[str | int, ...]) -> str:
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            words += ("." if words else "") + (part if _PLAIN.fullmatch(part) or part == "a name" else shown(part))
    return words or "the document"
