"""The interface for applications: one interface for models that are loaded, observed, or follow their store."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, overload

from numpy.typing import NDArray

from sealift.errors import Error
from sealift.model.documents.description import ModelDescription, TensorInput, TensorOutput
from sealift.model.engine import RUN, Engine
from sealift.model.runtime.sealed import Content

if TYPE_CHECKING:
    from sealift.model.observing import Observer

ArrayMethod: TypeAlias = Literal["predict", "predict_proba", "decision_function", "transform"]


class Model(ABC):
    """A converted model, made from bytes that were verified; safe to share between threads.

    `predict`, `predict_proba`, `decision_function` and `transform` take what the original model took:
    a DataFrame (pandas, polars) or Arrow table, a list of dicts, a 2-D array, a list of strings. Each
    is there where the original had it; the others raise UsageError.
    """

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
        return LoadedModel(Engine.from_files(files, digest=digest, threads=threads, providers=providers))

    @abstractmethod
    def _answer(self, method: str | tuple[str, ...], rows: Any) -> Any:
        """Answer as `Engine.answer`; every method that answers ends here."""

    @property
    @abstractmethod
    def _engine(self) -> Engine:
        """What it stands on now."""

    @property
    def now(self) -> "Model":
        """The model as it is now: where it follows its store, the version that is active, which does not change."""
        return self

    @abstractmethod
    def share(self) -> "Model":
        """Return another model on the same session; closing one leaves the other as it is."""

    @property
    def session(self) -> Any:
        """The ONNX Runtime session itself, for what Sealift has no words for; closed with the model."""
        return self._engine.session

    @abstractmethod
    def disable(self, refusal: Error | str) -> None:
        """Let every later call raise `refusal`; UsageError for a text."""

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
        values: NDArray[Any] = self._answer("predict", rows)
        return values

    def predict_proba(self, rows: Any) -> NDArray[Any]:
        """Probabilities, shape [rows, classes], in the order of `classes`.

        Where the original predicts several labels a row and gave a list, this is a list of such arrays, one
        for each label; the type says what the others give.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had no `predict_proba`.
        """
        values: NDArray[Any] = self._answer("predict_proba", rows)
        return values

    def decision_function(self, rows: Any) -> NDArray[Any]:
        """Scores before any probability, shape [rows] or [rows, classes].

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had no `decision_function`.
        """
        values: NDArray[Any] = self._answer("decision_function", rows)
        return values

    def transform(self, rows: Any) -> NDArray[Any]:
        """Transformed rows, shape [rows, features], always dense.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had no `transform`.
        """
        values: NDArray[Any] = self._answer("transform", rows)
        return values

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
        from sealift.model.batches import predict_batches, require_method

        # One version answers them all.
        model = self.now
        require_method(model.description, method)

        def unobserved(rows: Any) -> Any:
            # Asked of the model every time: a closed one has given its engine back.
            return model._engine.answer(method, rows)

        return predict_batches(batches, method, partial(model._answer, method), unobserved)

    @overload
    async def apredict(self, rows: Any, method: ArrayMethod = "predict") -> NDArray[Any]: ...

    @overload
    async def apredict(self, rows: Any, method: Literal["run"]) -> dict[str, NDArray[Any]]: ...

    @overload
    async def apredict(self, rows: Any, method: str) -> Any: ...

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
        # Slow to import, and only those need it who have it already.
        import asyncio

        from sealift.model.batches import require_method

        model = self.now
        require_method(model.description, method)
        return await asyncio.to_thread(model._answer, method, rows)

    def graph(self, name: str) -> "Model":
        """Return one of several graphs, as a model of its own: `model.graph("encoder").run({...})`.

        It is of this model's version, follows the store where this model does, and closes with it.

        Raises:
            UsageError: this model has one graph alone, or none of that name; the message names those that it has.
        """
        self._engine.graph(name)
        return GraphModel(self, name)

    def observed(self, observer: "Observer") -> "Model":
        """Return this model as one that calls `observer` after every prediction; this one stays as it is.

        Args:
            observer: called with a `sealift.Prediction`, in the thread that asked. What it raises is logged
                once, and does not reach the caller.
        """
        from sealift.model.observed import ObservedModel
        from sealift.model.observing import Observation

        return ObservedModel(self.share(), Observation(observer))

    def answers(self, methods: Iterable[str], rows: Any) -> dict[str, Any]:
        """Answer several methods at once, reading the rows and running the graph one time.

        Returns:
            For each method its array, or a list of them where the method has several outputs.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original model had none of that name.
        """
        found: dict[str, Any] = self._answer(tuple(methods), rows)
        return found

    def run(self, feeds: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Run the graph itself: named tensors in, named tensors out, nothing converted but NumPy's dtype kind.

        Raises:
            InputError: a tensor is missing, unknown, or of another dtype or shape than the graph takes.
        """
        found: dict[str, NDArray[Any]] = self._answer(RUN, feeds)
        return found

    @property
    def name(self) -> str:
        """The model's name."""
        return self._engine.description.name

    @property
    def version(self) -> str:
        """The model's version, SemVer."""
        return self._engine.description.version

    @property
    def digest(self) -> str:
        """The digest of the manifest that the bytes were checked against, "" for an unpacked conversion."""
        return self._engine.digest

    @property
    def description(self) -> ModelDescription:
        """Everything that `model.json` says."""
        return self._engine.description

    @property
    def inputs(self) -> tuple[TensorInput, ...]:
        """The graph's inputs: name, dtype, shape, and the columns they are made of."""
        return self._engine.description.inputs

    @property
    def outputs(self) -> tuple[TensorOutput, ...]:
        """The graph's outputs: name, dtype, shape and role."""
        return self._engine.description.outputs

    @property
    def classes(self) -> NDArray[Any] | None:
        """The labels in their original dtype, in the order of the probabilities; None without labels."""
        classes = self._engine.classes
        return None if classes is None else classes.copy()

    @property
    def card(self) -> str:
        """The model card, Markdown; "" where the bundle carried none."""
        return self._engine.card

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the side files that came with the model, sorted: a tokenizer, labels, a licence, the card."""
        return tuple(self._engine.side_files)

    def file(self, name: str) -> bytes:
        """Return the bytes of a side file, which were verified when the model was loaded.

        Raises:
            UsageError: no such file came with the model; the message names those that did.
        """
        return self._engine.file(name)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of one row, with the categories that the original knows; or of a text.

        Raises:
            UsageError: the model takes a matrix or named tensors, of which a row has no names.
        """
        from sealift.model.showing import schema_of

        return schema_of(self._engine.description)

    def example(self) -> Any:
        """Return a row that the original answered, from the golden examples that came with the model.

        `model.predict([model.example()])` answers it. It is a dict of values by column, a text, a list of numbers, or
        for a graph with named tensors all of its arrays by name, as `run` takes them. Where the recipe said so, it
        was generated, and is nobody's data.

        Raises:
            UsageError: the model was made without golden examples, or has several graphs: ask one of them.
            MalformedError: they are not of their form; an install refuses such a model.
        """
        from sealift.model.showing import example_of

        return example_of(self._engine)

    def __repr__(self) -> str:
        from sealift.model.showing import text_of

        return text_of(self._engine)

    def _repr_html_(self) -> str:
        from sealift.model.showing import html_of

        return html_of(self._engine)


class LoadedModel(Model):
    """A model as it was loaded, on an engine that others may share."""

    def __init__(self, engine: Engine, origin: Model | None = None) -> None:
        self._own = engine
        # A loaded model's directory counts as in use until that model is collected: not before those that share it.
        self._origin = origin

    @property
    def _engine(self) -> Engine:
        return self._own

    def _answer(self, method: str | tuple[str, ...], rows: Any) -> Any:
        return self._own.answer(method, rows)

    def share(self) -> Model:
        """Share as `Model.share`."""
        return LoadedModel(self._own, self)

    def disable(self, refusal: Error | str) -> None:
        """Refuse as `Model.disable`."""
        self._own = self._own.refusing(refusal)
        self._origin = None


class GraphModel(Model):
    """One of the graphs of a model."""

    def __init__(self, model: Model, graph: str) -> None:
        self._model = model
        self._graph = graph
        self._refusal: Error | str | None = None

    @property
    def _engine(self) -> Engine:
        engine = self._model._engine.graph(self._graph)
        return engine if self._refusal is None else engine.refusing(self._refusal)

    def _answer(self, method: str | tuple[str, ...], rows: Any) -> Any:
        return self._engine.answer(method, rows)

    @property
    def now(self) -> Model:
        """The graph of the model as it is now."""
        model = self._model.now
        return self if model is self._model else GraphModel(model, self._graph)

    def share(self) -> Model:
        """Share as `Model.share`."""
        return GraphModel(self._model.share(), self._graph)

    def disable(self, refusal: Error | str) -> None:
        """Refuse as `Model.disable`; the other graphs go on."""
        self._refusal = refusal
