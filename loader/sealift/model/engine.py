"""The engine of a model: a session, with what turns rows into tensors and tensors into the original's answers.

It knows nothing of its caller: models that are loaded twice, observed or followed stand on the same engine.
"""

import json
import re
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import Error, InputError, MalformedError, UsageError
from sealift.model import lifetime
from sealift.model.answers import Method
from sealift.model.documents.description import (
    FILE_NAME,
    FILES,
    FRONTEND_FILE,
    GOLDEN_FILE,
    GRAPH_FILE,
    GRAPHS,
    METHOD_OF_ROLE,
    REFUSES,
    ModelDescription,
    TensorOutput,
)
from sealift.model.documents.file_set import is_side_file
from sealift.model.frontend.ordered import OrderedFeeds
from sealift.model.inputs.feeder import Feeder
from sealift.model.inputs.tensors import checked_tensors
from sealift.model.runtime.sealed import Content
from sealift.model.runtime.session import make_session, memory

if TYPE_CHECKING:
    from sealift.model.frontend.document import Frontend
    from sealift.model.frontend.tokenizer.encoder import Encoder

RUN = "run"
_REASON_CHARS = 300
_REFUSAL_CHARS = 4000
_REFUSAL = (
    f"Name:'{REFUSES}(?P<reason>.*?)(?: (?P<columns>\\[.*\\]))?_[0-9]+' Status Message: "
    ".*idx=(?P<index>-?[0-9]{1,9}) "
)
_CARD_FILE = "CARD.md"


class Engine:
    """The session of a model, and everything that its files say."""

    def __init__(
        self,
        description: ModelDescription,
        session: Any,
        feeder: Feeder | None,
        side_files: Mapping[str, bytes],
        digest: str,
    ) -> None:
        self.description = description
        self.session = session
        self.feeder = feeder
        self.digest = digest
        self.side_files = side_files
        # The golden examples as they were verified, for `Model.example`; nothing is parsed before somebody asks.
        self.golden = b""
        self.classes = _class_array(description)
        outputs_of: dict[str, list[TensorOutput]] = {}
        for output in description.outputs:
            if output.role in METHOD_OF_ROLE and feeder is not None:
                outputs_of.setdefault(METHOD_OF_ROLE[output.role], []).append(output)
        finite = description.conversion.get("finite") is True
        self._methods = {
            method: Method(outputs, self.classes, finite=finite, witness=_witness(description, outputs))
            for method, outputs in outputs_of.items()
        }

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, Content],
        *,
        digest: str,
        threads: int | None,
        providers: Sequence[str] | None,
        spinning: bool = True,
    ) -> "Engine":
        """Make an engine from the bytes of a model's directory; see `Model.from_files`.

        Args:
            spinning: as for `make_session`.

        Raises:
            sealift.Error: see `Model.from_files`.
        """
        if FILE_NAME not in files:
            raise MalformedError(f"the model lacks {FILE_NAME!r}; it has {sorted(files)}")
        description = ModelDescription.parse(bytes(memory(files[FILE_NAME])))
        if description.kind == FILES:
            raise UsageError(f"model {description.name!r} is files, which Sealift carries and does not run")
        if description.kind == GRAPHS:
            from sealift.model.graph_set import engine_of_graphs

            return engine_of_graphs(
                description, files, digest=digest, threads=threads, providers=providers, spinning=spinning
            )
        if GRAPH_FILE not in files:
            raise MalformedError(f"the model lacks {GRAPH_FILE!r}; it has {sorted(files)}")
        frontends = _frontends(description, files)
        encoder = _encoder(description, frontends, files)
        session = make_session(description, files, threads, providers, spinning=spinning)
        feeder = None if description.interface == "tensors" else Feeder(description, frontends, encoder)
        engine = cls(description, session, feeder, side_files_of(files), digest)
        engine.golden = bytes(memory(files[GOLDEN_FILE])) if GOLDEN_FILE in files else b""
        if threads != 1:
            lifetime.watch(engine)
        return engine

    @property
    def name(self) -> str:
        """The model's name."""
        return self.description.name

    @property
    def card(self) -> str:
        """The model card; "" where there is none."""
        return self.side_files.get(_CARD_FILE, b"").decode("utf-8", errors="replace")

    def file(self, name: str) -> bytes:
        """Return the bytes of a side file.

        Raises:
            UsageError: there is none of that name.
        """
        if name not in self.side_files:
            known = ", ".join(self.side_files) or "none"
            raise UsageError(f"model {self.name!r} has no side file {str(name)[:120]!r}; it has {known}")
        return self.side_files[name]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it answers for rows."""
        return tuple(self._methods)

    def graph(self, name: str) -> "Engine":
        """Return the engine of one of several graphs.

        Raises:
            UsageError: this model has one graph alone.
        """
        raise UsageError(f"model {self.name!r} has one graph, and no {str(name)[:80]!r}: call its methods, or run")

    def refusing(self, refusal: Error | str) -> "Engine":
        """Return an engine that says the same of itself, and raises `refusal`, or UsageError for a text, when asked."""
        other = copy(self)
        other.session = lifetime.Unusable(refusal)
        return other

    def answer(self, method: str | tuple[str, ...], rows: Any) -> Any:
        """Answer one method, or several with one run of the graph.

        Args:
            method: a name; or names, each of them of a method that takes rows.
            rows: what the method takes.

        Returns:
            What the method returns; for names a dict with what each returns.

        Raises:
            InputError: the rows do not fit the model.
            UsageError: the original had no such method.
        """
        if isinstance(method, tuple):
            return self._answer_each(method, rows)
        if method == RUN:
            return self._answer_run(rows)
        known = self._methods.get(method) or self._method(method)
        return known.answer(self._parts(known.names, rows))

    def _answer_each(self, methods: tuple[str, ...], rows: Any) -> dict[str, Any]:
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

    def _answer_run(self, feeds: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        arrays = checked_tensors(self.description.inputs, feeds)
        names = [output.name for output in self.description.outputs]
        return dict(zip(names, self._run(names, arrays), strict=True))

    def _method(self, method: str) -> Method:
        known = self._methods.get(method)
        if known is None:
            raise UsageError(f"model {self.name!r} has no {method}; it has {', '.join((*self._methods, RUN))}")
        return known

    def _parts(self, names: list[str], rows: Any) -> list[list[NDArray[Any]]]:
        """The values of the named outputs, for each chunk of rows; nothing where there are no rows."""
        if self.feeder is None:
            raise UsageError(f"model {self.name!r} takes named tensors: call run")
        chunks = self.feeder.feeds(rows)
        parts = [self._run(names, feeds) for feeds in chunks]
        return chunks.in_order(parts) if isinstance(chunks, OrderedFeeds) else parts

    def _run(self, names: list[str], feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            result: list[NDArray[Any]] = self.session.run(names, feeds)
        except Error:
            raise
        except Exception as error:
            # ONNX Runtime raises its own classes, RuntimeError and ValueError alike when a kernel meets
            # values it cannot take, for example a category that the encoder never saw.
            reason = refusal(_one_line(error, _REFUSAL_CHARS)) or _one_line(error, _REASON_CHARS)
            raise InputError(f"model {self.name!r} cannot take these values: {reason}") from error
        return result


def _one_line(error: Exception, chars: int) -> str:
    return re.sub(r"\s+", " ", str(error))[:chars]


def refusal(error: str) -> str | None:
    """Return why an operator refuses rows that the original refuses, and which column; None for any other error."""
    found = re.search(_REFUSAL, error)
    if found is None:
        return None
    reason, index = found["reason"], int(found["index"]) - 1
    try:
        columns = json.loads(found["columns"] or "[]")
        name = columns[index] if 0 <= index < len(columns) else None
    except (ValueError, RecursionError):
        name = None
    return f"column {name!r:.80}: {reason[:_REASON_CHARS]}" if name else f"{reason[:_REASON_CHARS]}"


def side_files_of(files: Mapping[str, Content]) -> dict[str, bytes]:
    """Return the content of the files that are there for applications."""
    return {
        name: content if isinstance(content := files[name], bytes) else bytes(memory(content))
        for name in sorted(files)
        if is_side_file(name)
    }


def _frontends(description: ModelDescription, files: Mapping[str, Content]) -> "tuple[Frontend, ...]":
    if not description.uses_frontend:
        return ()
    if FRONTEND_FILE not in files:
        raise MalformedError(f"the model lacks {FRONTEND_FILE!r}, which its inputs need")
    from sealift.model.frontend.document import parse
    from sealift.model.frontend.inputs import check_inputs

    frontends = parse(bytes(memory(files[FRONTEND_FILE])))
    check_inputs(description.inputs, frontends)
    return frontends


def _encoder(
    description: ModelDescription, frontends: "Sequence[Frontend]", files: Mapping[str, Content]
) -> "Encoder | None":
    """Open the tokenizer of a model that has one."""
    if not frontends:
        # Most models take numbers: they import nothing that reads text.
        return None
    from sealift.model.frontend.tokenizer.declared import check_declared, tokenizers_of

    declared = next(iter(tokenizers_of(frontends)), None)
    if declared is None:
        return None
    from sealift.model.frontend.tokenizer.encoder import Encoder
    from sealift.model.frontend.tokenizer.library import open_tokenizer

    what = f"model {description.name!r}"
    data = bytes(memory(files[declared.file])) if declared.file in files else None
    checked = check_declared(declared, data, what)
    return Encoder(declared, open_tokenizer(data or b"", what), checked)


def _witness(description: ModelDescription, outputs: Sequence[TensorOutput]) -> TensorOutput | None:
    """The numbers that a label in float32 follows from: a label cannot show that they overflowed."""
    if "float32" not in description.rung or any(output.role != "label" for output in outputs):
        return None
    by_role = {output.role: output for output in description.outputs}
    return by_role.get("scores", by_role.get("probabilities"))


def _class_array(description: ModelDescription) -> NDArray[Any] | None:
    if description.classes is None:
        return None
    return np.array(description.classes.values, dtype=description.classes.dtype)
