"""A text encoder as its file was opened: a graph with its tokenizer; and the rows that go with one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sealift.model.frontend.tokenizer.check import Checked
from sealift_bundler.converters import Answers
from sealift_bundler.converters.encoders.settings import TextFrontend
from sealift_bundler.converters.encoders.tokenizer_file import read_tokenizer
from sealift_bundler.converters.onnx import ReadyMade
from sealift_bundler.errors import SourceError

TEXT = "text"


@dataclass(frozen=True)
class TextEncoder:
    """A graph with its tokenizer.

    `data` is the tokenizer's file as it travels. `recorded` are the answers of the original library to `texts`, by the
    names of methods.
    """

    ready: ReadyMade
    frontend: TextFrontend
    data: bytes
    checked: Checked
    texts: Sequence[str] = ()
    recorded: Answers | None = None

    @classmethod
    def of(cls, model: Any, frontend: TextFrontend) -> "TextEncoder":
        """Put a tokenizer before a graph.

        Raises:
            SourceError: the model is not a ready-made graph, or the tokenizer cannot be read.
            MalformedError, LimitError: the tokenizer holds what does not run here.
        """
        if not isinstance(model, ReadyMade):
            raise SourceError(
                f"a tokenizer goes before a ready-made graph, an .onnx file; the model is a {type(model).__name__}: "
                "export the encoder to ONNX first"
            )
        return cls(model, frontend, *read_tokenizer(frontend.tokenizer))

    def with_rows(self, rows: Any) -> "tuple[TextEncoder, list[str]]":
        """Take texts, and the answers that were recorded with them, apart.

        Args:
            rows: a list of strings; or a table or dict with "text" and the methods whose answers were recorded.

        Raises:
            SourceError: the rows are something else.
        """
        texts, recorded = split_rows(rows, self.frontend.methods)
        return replace(self, texts=texts, recorded=recorded), texts


def split_rows(rows: Any, methods: tuple[str, ...]) -> tuple[list[str], Answers | None]:
    """Return texts and recorded answers; None where there are none.

    Raises:
        SourceError: the rows are not texts, or answers are of another method.
    """
    import numpy as np

    recorded: Answers = {}
    if hasattr(rows, "keys"):
        names = [str(name) for name in rows.keys()]  # noqa: SIM118 - a frame's iteration is not a mapping's
        if TEXT not in names:
            raise SourceError(f"the samples have {names!r:.200}; expected 'text', and the answers of {list(methods)}")
        extra = sorted(set(names) - {TEXT, *methods})
        if extra:
            raise SourceError(f"the samples have {extra!r:.200}; expected 'text' and the answers of {list(methods)}")
        recorded = {name: np.array(list(rows[name])) for name in methods if name in names}
        rows = rows[TEXT]
    texts = rows.tolist() if hasattr(rows, "tolist") else rows
    if not isinstance(texts, list):
        raise SourceError(f"the samples are a {type(texts).__name__}; expected a list of texts")
    for row, text in enumerate(texts):
        if isinstance(text, list | tuple):
            raise SourceError(f"sample row {row} is a pair of texts; a tokenizer takes one text a row here")
        if not isinstance(text, str):
            raise SourceError(f"sample row {row} is {text!r:.80} ({type(text).__name__}); expected a text")
    for name, values in recorded.items():
        if len(values) != len(texts) or values.dtype.kind not in "fiuUO":
            raise SourceError(f"the recorded answers of {name!r} are not one for each of {len(texts):,} texts")
    return texts, recorded or None
