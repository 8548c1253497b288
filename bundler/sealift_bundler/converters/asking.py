"""Ask the original about the caller's rows, without the columns that it drops if it does not miss them."""

from collections.abc import Collection
from typing import Any

from sealift.errors import Error
from sealift_bundler.converters import Answers, Converter, Original
from sealift_bundler.converters.sklearn import has_text
from sealift_bundler.converters.steps.given import same_bits
from sealift_bundler.errors import SourceError
from sealift_bundler.samples.interfaces import Samples, as_samples
from sealift_bundler.samples.refused_rows import why_refused
from sealift_bundler.samples.trained_columns import unread_columns


def ask(converter: Converter, model: Any, rows: Any) -> tuple[Samples, Original, Answers]:
    """See the rows as samples, and ask the original about them.

    Raises:
        SourceError: the rows do not fit the model, or it does not take them.
    """
    unread = unread_columns(model)
    if unread:
        samples, original = _seen(converter, model, rows, unread)
        answers = _without(original, samples, rows, unread)
        if answers is not None:
            return samples, original, answers
    samples, original = _seen(converter, model, rows, ())
    return samples, original, _answers(original, samples)


def _seen(converter: Converter, model: Any, rows: Any, unread: Collection[str]) -> tuple[Samples, Original]:
    samples = as_samples(rows, model, text=has_text(model), unread=unread)
    return samples, converter.original(model, samples)


def _without(original: Original, samples: Samples, rows: Any, unread: Collection[str]) -> Answers | None:
    """The answers without some columns; None where the original misses these, or answers otherwise with them."""
    try:
        answers = _answers(original, samples)
        names = set(rows[0] if isinstance(rows, list) else getattr(rows, "column_names", None) or rows.columns)
        if not names & set(unread) or samples.given is None:
            return answers
        given = original.answers(rows)
    except Exception:  # noqa: BLE001 - someone else's model; whatever it raises means that it reads these columns
        return None
    same = all(same_bits(given[name], values) for name, values in answers.items())
    return answers if same else None


def _answers(original: Original, samples: Samples) -> Answers:
    try:
        return original.answers(samples.callers)
    except Error:
        raise
    except Exception as error:
        if samples.given is not None:
            # The loader takes more containers than the original does, dicts for example.
            samples.forget_container()
            return _answers(original, samples)
        # Someone else's model: it raises whatever it likes, in words that name no column of the caller's.
        raise SourceError(f"the model does not take the samples: {why_refused(original.answers, samples)}") from error
