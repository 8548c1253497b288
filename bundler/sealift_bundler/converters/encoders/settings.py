"""What a recipe says of a text encoder: its tokenizer, how much of a text it takes, and what is made of its answers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sealift.errors import UsageError
from sealift.limits import LIMITS

MEAN, CLS, NONE = "mean", "cls", "none"
POOLINGS = (MEAN, CLS, NONE)


@dataclass(frozen=True)
class TextFrontend:
    """What stands before and behind a graph that takes tokens.

    Attributes:
        tokenizer: the path of a `tokenizer.json`.
        max_tokens: the most tokens of a text, special ones included; the rest is cut off.
        pooling: how vectors of tokens become one of the text: "mean", "cls" for that of the first token, or "none"
            where the graph gives one vector a text itself.
        normalize: whether the vector is brought to the length 1.
        labels: names of the graph's scores, in their order; empty for an encoder, which gives vectors.
    """

    tokenizer: Path
    max_tokens: int
    pooling: str = NONE
    normalize: bool = False
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.max_tokens <= LIMITS.text_tokens:
            raise UsageError(f"max_tokens is {self.max_tokens:,}; expected 1 to {LIMITS.text_tokens:,}")
        if self.pooling not in POOLINGS:
            raise UsageError(f"pooling is {self.pooling!r:.80}; expected one of {', '.join(map(repr, POOLINGS))}")
        if self.labels and (self.pooling != NONE or self.normalize):
            raise UsageError("labels name the scores of a text; they go with pooling = 'none' and without normalize")
        if self.labels and (len(set(self.labels)) != len(self.labels) or len(self.labels) < 2):
            raise UsageError(f"labels are {list(self.labels)!r:.80}; expected two or more, each once")

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {**asdict(self), "tokenizer": str(self.tokenizer.absolute())}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "TextFrontend":
        """Return what `document` gave."""
        return cls(**{**document, "tokenizer": Path(document["tokenizer"]), "labels": tuple(document["labels"])})

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the model answers."""
        return ("predict", "predict_proba") if self.labels else ("transform",)
