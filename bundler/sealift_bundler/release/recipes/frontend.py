"""What a recipe says under [frontend]: the tokenizer of a graph that takes tokens. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealift_bundler.converters.encoders.tokenizer_file import problem_of_name

FRONTEND_KEYS = ("tokenizer", "max_tokens", "pooling", "normalize", "labels")
_REQUIRED = {"tokenizer": '"tokenizer.json"', "max_tokens": "256"}


def problem_of_frontend(table: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key that is missing or wrong, and why; None where all are right. The file is not looked at."""
    for key, example in _REQUIRED.items():
        if key not in table:
            return key, f"[frontend] has no {key}; add {key} = {example}"
    wanted: dict[str, tuple[type, str]] = {
        "tokenizer": (str, "a path"),
        "max_tokens": (int, "a number"),
        "pooling": (str, "'mean', 'cls' or 'none'"),
        "normalize": (bool, "true or false"),
        "labels": (list, "a list of texts"),
    }
    for key, value in table.items():
        kind, expected = wanted[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return key, f"{key!r} is {value!r:.80}; expected {expected}"
    if any(not isinstance(label, str) or not label for label in table.get("labels", ())):
        return "labels", f"'labels' is {table['labels']!r:.80}; expected a list of texts"
    problem = problem_of_name(Path(table["tokenizer"]))
    return ("tokenizer", f"'tokenizer' names {table['tokenizer']!r:.120}, which {problem}") if problem else None
