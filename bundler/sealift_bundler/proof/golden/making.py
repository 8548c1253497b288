"""Make golden examples: of generated rows, of those of a file, or of the samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters import Answers, Candidate, Converter, NeverConverts, Original
from sealift_bundler.converters.encoders.source import TextEncoder
from sealift_bundler.errors import ConversionError, SourceError
from sealift_bundler.proof.conversion import FILE, GENERATED, SAMPLES, Golden, Order
from sealift_bundler.proof.edges import EdgeRows
from sealift_bundler.proof.golden.choice import chosen_source
from sealift_bundler.proof.golden.given import places_of_samples, read_rows
from sealift_bundler.proof.golden.model_strings import travelling
from sealift_bundler.proof.golden.writing import (
    most_examples,
    recordable,
    spread,
    values_a_row,
    why_not_recordable,
    write_examples,
)
from sealift_bundler.samples.generated.hard_texts import HARD_TEXTS
from sealift_bundler.samples.generated.rows import Travelling, generated_rows
from sealift_bundler.samples.interfaces import Samples

GENERATED_ROWS = 64
_SEED = 20_260_704
# Rows to choose from; many where few do not show every label.
_POOLS = (512, 4096)
# Each takes a run of the graph.
_POOLS_OF_ENCODERS = (96, 512)
_POOL_VALUES = 400_000
# Rows that are asked one by one where the original refuses them together.
_ALONE = 128


@dataclass(frozen=True)
class Examples:
    """Golden examples: the file, what to tell people, and rows to prove beside the samples, where they are others."""

    document: bytes
    golden: Golden
    proof: tuple[EdgeRows, ...] = ()


@dataclass
class ExampleMaker:
    """Makes the golden examples of one conversion, once: generated rows wait for the first graph."""

    converter: Converter
    model: Any
    samples: Samples
    original: Original
    expected: Answers
    order: Order
    _made: Examples | None = None

    def __post_init__(self) -> None:
        self._source, self._reason = chosen_source(self.order.golden, self.samples, self.model)
        if self._source == GENERATED and self.original.recorded:
            raise SourceError(
                "the samples hold recorded answers, and generated rows have none; give rows with their answers as "
                'golden = "FILE", say golden = "samples", or leave the answers out of the samples'
            )
        if self._source == SAMPLES:
            self._made = self._of_samples()
        elif self._source != GENERATED:
            self._made = self._of_file()

    @property
    def _hard_texts(self) -> Sequence[str]:
        return HARD_TEXTS if isinstance(self.model, TextEncoder) else ()

    @property
    def from_samples(self) -> bool:
        """Return whether rows of the samples travel."""
        return self._source == SAMPLES

    def examples(self, candidate: Candidate) -> Examples:
        """Return the golden examples; every candidate is proven on the same.

        Raises:
            NeverConverts: the original takes none of the generated rows.
        """
        if self._made is None:
            self._made = self._generated(candidate)
        return self._made

    def _of_samples(self) -> Examples:
        indices = _evenly(self.samples, self.expected, self.order, "sample row")
        return self._written(SAMPLES, self.samples, self.expected, indices)

    def _of_file(self) -> Examples:
        given = self.order.golden
        if isinstance(given, str | Path) and not Path(given).exists():
            raise SourceError(
                f"'golden' is {Path(given).name!r}, which is not a file; "
                "expected 'generated', 'samples' or a file of rows"
            )
        own = read_rows(given, self.model, self.samples, "golden")
        original = self.converter.original(self.model, own)
        expected = _accepted(original, own)
        if expected is None:
            raise SourceError(
                "the model does not take the rows that 'golden' names; give rows as the samples have them"
            )
        indices = _evenly(own, expected, self.order, "row that 'golden' names")
        return self._written(FILE, own, expected, indices, EdgeRows("golden", own.rows, expected, own=own.own))

    def _generated(self, candidate: Candidate) -> Examples:
        classes = () if candidate.classes is None else candidate.classes.values
        found: tuple[Samples, Answers, NDArray[np.int_]] | None = None
        width = max(1, values_a_row(self.samples) if not self.samples.whole else 1)
        held = travelling(candidate)
        # Of public words first: a name in the vocabulary leaves in any case, and need not leave twice.
        pools = _POOLS_OF_ENCODERS if isinstance(self.model, TextEncoder) else _POOLS
        sizes = [max(GENERATED_ROWS, min(size, _POOL_VALUES // width)) for size in pools]
        for size, strings in ((sizes[0], held.public()), *((size, held) for size in sizes)):
            pool = None if strings is None else self._pool(size, strings)
            if pool is None:
                continue
            rows, expected = pool
            usable = np.arange(len(rows)) if rows.whole else recordable(rows, expected, self.order.tolerance)
            if len(usable):
                found = rows, expected, usable
                if len(_labels(expected, usable, classes)) == len(classes):
                    break
        if found is None:
            raise NeverConverts(
                "the model takes none of the rows that were generated for golden.json, or is sure of none; name a file "
                'of invented rows as golden = "FILE", or let sample rows travel with golden = "samples"'
            )
        rows, expected, usable = found
        kept = None
        if not rows.whole:
            limit = min(most_examples(rows, expected), max(GENERATED_ROWS, 2 * len(classes)))
            hard = usable[usable < len(self._hard_texts)]
            kept = np.union1d(hard, _balanced(usable[len(hard) :], expected, limit - len(hard), classes))
            rows = rows.like(rows.take(kept.tolist()))
            expected = {key: values[kept] for key, values in expected.items()}
        proof = EdgeRows(GENERATED, rows.rows, expected, own=rows.own)
        return self._written(GENERATED, rows, expected, None, proof, classes=classes)

    def _pool(self, size: int, strings: Travelling) -> tuple[Samples, Answers] | None:
        generator = np.random.default_rng(_SEED)
        rows = generated_rows(self.samples, size, strings, generator)
        if self._hard_texts:
            rows = rows.like([*self._hard_texts, *rows.rows[len(self._hard_texts) :]])
        expected = _accepted(self.original, rows)
        if expected is not None or rows.whole:
            return None if expected is None else (rows, expected)
        alone = [index for index in range(min(size, _ALONE)) if _accepted(self.original, _rows_at(rows, [index]))]
        rows = _rows_at(rows, alone)
        expected = _accepted(self.original, rows) if alone else None
        return None if expected is None else (rows, expected)

    def _written(
        self,
        source: str,
        rows: Samples,
        expected: Answers,
        indices: NDArray[np.int_] | None,
        *proof: EdgeRows,
        classes: Sequence[Any] = (),
    ) -> Examples:
        document = write_examples(rows, expected, indices, self.order.name, self.order.version)
        count = len(rows) if indices is None else len(indices)
        columns = {"text": 0, "tensors": len(rows.rows)}.get(rows.interface, len(rows.columns))
        shown = len(_labels(expected, np.arange(len(rows)), classes)) if classes else 0
        named = Path(self.order.golden).name if isinstance(self.order.golden, str | Path) and source == FILE else ""
        unit = "tensor" if rows.interface == "tensors" else "column"
        known = self._known(source, rows, indices)
        golden = Golden(source, count, columns, unit, named, self._reason, len(classes), shown, known)
        return Examples(document, golden, proof)

    def _known(self, source: str, rows: Samples, indices: NDArray[np.int_] | None) -> int:
        if source == GENERATED:
            return 0
        travelling = set(range(len(rows)) if indices is None else indices.tolist())
        return len(travelling if source == SAMPLES else travelling.intersection(places_of_samples(rows, self.samples)))


def _evenly(samples: Samples, expected: Answers, order: Order, what: str) -> NDArray[np.int_] | None:
    if samples.whole:
        return None
    indices = recordable(samples, expected, order.tolerance)
    if len(indices) == 0:
        raise ConversionError(why_not_recordable(samples, expected, order.tolerance, what))
    return spread(indices, most_examples(samples, expected))


def _accepted(original: Original, rows: Samples) -> Answers | None:
    try:
        return original.answers(rows.callers)
    except Exception:  # noqa: BLE001 - someone else's model; whatever it raises means "not accepted"
        return None


def _rows_at(samples: Samples, indices: Sequence[int]) -> Samples:
    rows = samples.take(indices)
    if samples.interface == "columns":
        rows = rows.reset_index(drop=True)
    return samples.like(rows)


def _labels(expected: Answers, indices: NDArray[np.int_], classes: Sequence[Any]) -> set[Any]:
    answers = expected.get("predict")
    return set() if answers is None or not len(classes) else set(answers[indices].tolist())


def _balanced(usable: NDArray[np.int_], expected: Answers, limit: int, classes: Sequence[Any]) -> NDArray[np.int_]:
    """Choose up to `limit` rows; where there are labels, as many of each as there are."""
    if not len(classes):
        return spread(usable, limit)
    labels = expected["predict"][usable]
    # How many rows before it have its label: those with the smallest number come first.
    place = np.zeros(len(usable), dtype=int)
    for label in set(labels.tolist()):
        of_label = labels == label
        place[of_label] = np.arange(int(of_label.sum()))
    return np.sort(usable[np.argsort(place, kind="stable")[:limit]])
