"""A loaded model: what applications call."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sealift.errors import IncompatibleError, InputError, MalformedError, UsageError
from sealift.model import lifetime
from sealift.model.answers import Method
from sealift.model.documents.description import (
    FILE_NAME,
    FRONTEND_FILE,
    GRAPH_FILE,
    METHOD_OF_ROLE,
    ModelDescription,
    TensorInput,
    TensorOutput,
)
from sealift.model.inputs import frontend
from sealift.model.inputs.feeder import Feeder
from sealift.model.inputs.tensors import checked_tensors
from sealift.model.runtime.sealed import Content
from sealift.model.runtime.session import make_session, memory

if TYPE_CHECKING:
    from sealift.model.observing import Observer

_CARD_FILE = "CARD.md"


class Model:
    """A converted model, made from bytes that were verified; safe to share between threads.

    `predict`, `predict_proba`, `decision_function` and `transform` take what the original model took:
    a DataFrame (pandas, polars) or Arrow table, a list of dicts, a 2-D array, a list of strings. Each
    is there where the original had it; the others raise UsageError.
    """

    def __init__(
        self, description: ModelDescription, session: Any, feeder: Feeder | None, card: str, digest: str
    ) -> None:
        self._description = description
        self._session = session
        self._feeder = feeder
        self._card = card
        self._digest = digest
        # Whom `share` was asked of stays alive, so that a third load finds it.
        self._origin: Model | None = None
        self._classes = _class_array(description)
        outputs_of: dict[str, list[TensorOutput]] = {}
        for output in description.outputs:
            if output.role in METHOD_OF_ROLE and feeder is not None:
                outputs_of.setdefault(METHOD_OF_ROLE[output.role], []).append(output)
        self._methods = {method: Method(outputs, self._classes) for method, outputs in outputs_of.items()}

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, Content],
        *,
        digest: str = "",
        threads: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> "Model":
        """Make a model from the bytes of its directory, which the caller has verified.

        Args:
            files: File names and their bytes: `model.onnx`, `model.json`, shards of weights, and
                documents. Nobody may change the bytes of shards as long as the model lives: they are not copied.
            digest: The digest of the manifest that the bytes were checked against, "sha256:…".
            threads: How many threads one call may use; None leaves it to ONNX Runtime.
            providers: ONNX Runtime's execution providers, in order of preference; None means the CPU's.

        Raises:
            UsageError: no such execution provider.
            MalformedError: a file is missing or not as its schema demands.
            UnsupportedVersionError: `model.json` is of a newer schema.
            IncompatibleError: this ONNX Runtime cannot run the graph.
        """
        for name in (FILE_NAME, GRAPH_FILE):
            if name not in files:
                raise MalformedError(f"the model lacks {name!r}; it has {sorted(files)}")
        description = ModelDescription.parse(bytes(memory(files[FILE_NAME])))
        counters = _counters(description, files)
        session = make_session(description, files, threads, providers)
        feeder = None if description.interface == "tensors" else Feeder(description, counters)
        card = bytes(memory(files.get(_CARD_FILE, b""))).decode("utf-8", errors="replace")
        model = cls(description, session, feeder, card, digest)
        if threads != 1:
            lifetime.watch(model)
        return model

    def share(self) -> "Model":
        """Return another model on the same session; closing one leaves the other as it is."""
        other = copy(self)
        other.__dict__["_origin"] = self
        if lifetime.is_watched(self):
            lifetime.watch(other)
        return other

    @property
    def session(self) -> Any:
        """The ONNX Runtime session itself, for what Sealift has no words for; closed with the model."""
        return self._session

    def disable(self, message: str) -> None:
        """Let every later call raise UsageError with `message`."""
        self._session = lifetime.Unusable(message)
        self._origin = None

    def close(self) -> None:
        """Give the session back; its memory is free once nobody shares it. Calls that run meanwhile finish."""
        self.disable(f"model {self.name!r} was closed; load it again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def predict(self, rows: Any) -> NDArray[Any]:
        """Labels or values in the original dtype, shape [rows] or [rows, outputs].

        Raises:
            InputError: the rows do not fit the model; the message names the column and the row.
            UsageError: the original model had no `predict`.
        """
        return self._call("predict", rows)

    def predict_proba(self, rows: Any) -> Any:
        """Probabilities, shape [rows, classes], in the order of `classes`.

        Where the original predicts several labels a row and gave a list, this is a list of such arrays, one
        for each label.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had no `predict_proba`.
        """
        return self._each("predict_proba", rows)

    def decision_function(self, rows: Any) -> NDArray[Any]:
        """Scores before any probability, shape [rows] or [rows, classes].

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had no `decision_function`.
        """
        return self._call("decision_function", rows)

    def transform(self, rows: Any) -> NDArray[Any]:
        """Transformed rows, shape [rows, features], always dense.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had no `transform`.
        """
        return self._call("transform", rows)

    def predict_batches(self, batches: Iterable[Any], method: str = "predict") -> Iterator[Any]:
        """Answer a stream of batches lazily; memory holds one batch and its answers.

        Args:
            batches: an iterable of what `method` takes: DataFrames, lists of dicts, 2-D arrays, Arrow record
                batches. It is read as the answers are taken, never ahead.
            method: `predict`, `predict_proba`, `decision_function`, `transform`, or `run`.

        Returns:
            An iterator with one answer for each batch, in order.

        Raises:
            InputError: a batch does not fit the model; the message names the batch and the row inside it, both
                counted from 0. Answers given before stay valid.
            UsageError: the original had no such method, or `batches` is a single table.
        """
        from sealift.model.batches import predict_batches

        return predict_batches(self, batches, method)

    async def apredict(self, rows: Any, method: str = "predict") -> Any:
        """Answer without blocking the event loop: the graph runs in a thread, free of Python's lock.

        At most as many calls run at once as the loop's default executor has threads, `min(32, cores + 4)`; the
        others wait. Cancelling gives up the wait, not the graph: its thread ends by itself, and the answer is dropped.

        Args:
            rows: what `method` takes; leave it unchanged until the answer is here.
            method: `predict`, `predict_proba`, `decision_function`, `transform`, or `run`.

        Returns:
            What the method returns.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original had no such method.
        """
        from sealift.model.asynchronous import apredict

        return await apredict(self, rows, method)

    def observed(self, observer: "Observer") -> "Model":
        """Return this model as one that calls `observer` after every prediction; this one stays as it is.

        Args:
            observer: called with a `sealift.Prediction`, in the thread that asked. What it raises is logged
                once, and does not reach the caller.
        """
        from sealift.model.observing import ObservedModel

        return ObservedModel(self, observer)

    def answers(self, methods: Iterable[str], rows: Any) -> dict[str, Any]:
        """Answer several methods at once, reading the rows and running the graph one time.

        Returns:
            For each method its array, or a list of them where the method has several outputs.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had none of that name.
        """
        wanted = {method: self._method(method) for method in methods}
        if not wanted:
            return {}
        names = [name for method in wanted.values() for name in method.names]
        parts = self._parts(names, rows)
        found, end = {}, 0
        for name, method in wanted.items():
            start, end = end, end + len(method.names)
            found[name] = method.answer([part[start:end] for part in parts])
        return found

    def run(self, feeds: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Run the graph itself: named tensors in, named tensors out, nothing converted but NumPy's dtype kind.

        Raises:
            InputError: a tensor is missing, unknown, or of another dtype or shape than the graph takes.
        """
        arrays = checked_tensors(self._description.inputs, feeds)
        names = [output.name for output in self._description.outputs]
        return dict(zip(names, self._run(names, arrays), strict=True))

    @property
    def name(self) -> str:
        """The model's name."""
        return self._description.name

    @property
    def version(self) -> str:
        """The model's version, SemVer."""
        return self._description.version

    @property
    def digest(self) -> str:
        """The digest of the manifest that the bytes were checked against, "" for an unpacked conversion."""
        return self._digest

    @property
    def description(self) -> ModelDescription:
        """Everything that `model.json` says."""
        return self._description

    @property
    def inputs(self) -> tuple[TensorInput, ...]:
        """The graph's inputs: name, dtype, shape, and the columns they are made of."""
        return self._description.inputs

    @property
    def outputs(self) -> tuple[TensorOutput, ...]:
        """The graph's outputs: name, dtype, shape and role."""
        return self._description.outputs

    @property
    def classes(self) -> NDArray[Any] | None:
        """The labels in their original dtype, in the order of the probabilities; None without labels."""
        return None if self._classes is None else self._classes.copy()

    @property
    def card(self) -> str:
        """The model card, Markdown; "" where the bundle carried none."""
        return self._card

    def __repr__(self) -> str:
        methods = ", ".join(self._methods) or "run"
        return f"<sealift.Model {self.name} {self.version} ({methods})>"

    def _call(self, method: str, rows: Any) -> NDArray[Any]:
        values: NDArray[Any] = self._each(method, rows)
        return values

    def _each(self, method: str, rows: Any) -> Any:
        """The answers of a method: an array, or a list of them where the method has several outputs."""
        known = self._methods.get(method) or self._method(method)
        return known.answer(self._parts(known.names, rows))

    def _method(self, method: str) -> Method:
        known = self._methods.get(method)
        if known is None:
            has = ", ".join([*self._methods, "run"])
            raise UsageError(f"model {self.name!r} has no {method}; it has {has}")
        return known

    def _parts(self, names: list[str], rows: Any) -> list[list[NDArray[Any]]]:
        """The values of the named outputs, for each chunk of rows; nothing where there are no rows."""
        if self._feeder is None:
            raise UsageError(f"model {self.name!r} takes named tensors: call run")
        return [self._run(names, feeds) for feeds in self._feeder.feeds(rows)]

    def _run(self, names: list[str], feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            result: list[NDArray[Any]] = self._session.run(names, feeds)
        except UsageError:
            raise
        except Exception as error:
            # ONNX Runtime raises its own classes, RuntimeError and ValueError alike when a kernel meets
            # values it cannot take, for example a category that the encoder never saw.
            raise InputError(f"model {self.name!r} cannot take these values: {_one_line(error)}") from error
        return result


def _one_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:300]


def _counters(description: ModelDescription, files: Mapping[str, Content]) -> tuple[frontend.TermCounter, ...]:
    if not description.uses_frontend:
        return ()
    if FRONTEND_FILE not in files:
        raise MalformedError(f"the model lacks {FRONTEND_FILE!r}, which its inputs need")
    counters = frontend.parse(bytes(memory(files[FRONTEND_FILE])))
    for tensor in description.inputs:
        if tensor.frontend is None:
            continue
        if tensor.frontend >= len(counters):
            raise MalformedError(f"input {tensor.name!r} wants counter {tensor.frontend} of {len(counters)}")
        terms = counters[tensor.frontend].width
        if tensor.shape[1:] != (terms,) or len(tensor.columns) != 1:
            raise MalformedError(f"input {tensor.name!r} has shape {list(tensor.shape)} for {terms} terms")
    return counters


def _class_array(description: ModelDescription) -> NDArray[Any] | None:
    if description.classes is None:
        return None
    return np.array(description.classes.values, dtype=description.classes.dtype)


__all__ = ["IncompatibleError", "Model"]
