"""Converters: how one framework's trained models become graphs, behind one small protocol.

A plug-in registers under the entry-point group `sealift_bundler.converters`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol

from sealift.model.documents.description import Classes, TensorInput, TensorOutput

if TYPE_CHECKING:
    from sealift_bundler.samples.interfaces import Samples

GROUP = "sealift_bundler.converters"

Answers = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A graph that claims to answer as the original does; nothing is believed before parity."""

    interface: str
    graph: bytes
    inputs: tuple[TensorInput, ...]
    outputs: tuple[TensorOutput, ...]
    classes: Classes | None
    opsets: Mapping[str, int]
    ir_version: int
    onnxruntime: str
    frontend: Mapping[str, Any] | None = None
    # How the original reads rows where containers and dtypes matter; `source.reads` of `model.json`.
    reads: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


class NeverConverts(Exception):  # noqa: N818 - the ladder's own; callers see a ConversionError
    """No rung can convert a step: the ladder ends. The message names the step and says why."""


class NeedsLaterRung(Exception):  # noqa: N818 - as above
    """A step cannot be converted on this rung, and may be on a later one: the ladder goes on."""


class UnknownStep(Exception):  # noqa: N818 - as above
    """A step is known to nobody but the rungs for unknown steps: the ladder goes on with these alone."""


@dataclass(frozen=True)
class Rung:
    """One way to convert, named in the report.

    `build` raises NeverConverts, NeedsLaterRung, or UnknownStep; any other error means that a later rung may do better.
    `narrow` says that a later rung computes more precisely. A rung for unknown steps is tried only where an earlier
    one has met such a step.
    """

    name: str
    build: Callable[[], Candidate]
    narrow: bool = False
    for_unknown_steps: bool = False


@dataclass(frozen=True)
class Original:
    """The model to convert, as its own framework runs it.

    `answers` gives, for rows as the caller has them, one array for each method that the model has;
    `reference` says whose answers these are, because a ready-made graph has no other original; `compared` whether
    they are those of another program than the graph itself.
    `recorded` says that they are recorded, so that rows other than the samples have none.
    """

    task: str
    methods: tuple[str, ...]
    answers: Callable[[Any], Answers]
    source: Mapping[str, Any]
    reference: str
    recorded: bool = False
    compared: bool = True


class Converter(Protocol):
    """Contract of an entry point of the group: a class that is called without arguments."""

    def accepts(self, source: Any) -> bool:
        """Return whether this converter knows the object or the ready-made model."""

    def original(self, source: Any, samples: "Samples") -> Original:
        """Make the reference that every candidate is compared with."""

    def rungs(self, source: Any, samples: "Samples") -> Iterable[Rung]:
        """The ways to convert `source`, in the order to try them."""


def find_converter(source: Any) -> Converter | None:
    """Find the first registered converter, by name, that accepts `source`."""
    for entry in _registered():
        converter: Converter = entry.load()()
        if converter.accepts(source):
            return converter
    return None


@cache
def _registered() -> tuple[EntryPoint, ...]:
    # Read once: finding them means opening a file of every package of the environment.
    return tuple(sorted(entry_points(group=GROUP), key=lambda entry: entry.name))
