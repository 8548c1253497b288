"""A tiny text encoder with random weights, and tokenizers of each kind, trained here on a few words."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from sealift_bundler.samples.generated.words import PUBLIC_WORDS
from sealift_common.oci.layout import sha256

KINDS = ("wordpiece", "bpe", "unigram")
WIDTH, HEADS, POSITIONS = 16, 2, 256
_SCRIPTS = [
    "Съешь ещё этих мягких булок",
    "東京都は日本の首都です",
    "مرحبا بالعالم",
    "naïve café Übergröße",
    "😀 👍 don't 12 345",
]


@cache
def tokenizer_json(kind: str) -> str:
    """Return the file of a tokenizer that was trained on public words."""
    generator = np.random.default_rng(0)
    lines = [" ".join(generator.choice(PUBLIC_WORDS, 8).tolist()) for _ in range(200)] + _SCRIPTS
    if kind == "wordpiece":
        made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    elif kind == "bpe":
        made = tokenizers.Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        made = tokenizers.Tokenizer(models.Unigram())
        made.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")]
        )
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        trainer = trainers.UnigramTrainer(
            vocab_size=400, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    made.train_from_iterator(lines, trainer)
    first, last = ("[CLS]", "[SEP]") if kind == "wordpiece" else ("<s>", "</s>")
    if kind == "bpe":
        ends = [(last, made.token_to_id(last)), (first, made.token_to_id(first))]
        made.post_processor = processors.RobertaProcessing(*ends, add_prefix_space=False)
    else:
        made.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            pair=f"{first} $A {last} $B:1 {last}:1",
            special_tokens=[(first, made.token_to_id(first)), (last, made.token_to_id(last))],
        )
    # As sentence-transformers' files have it: settings of somebody's training.
    made.enable_truncation(128)
    made.enable_padding(length=128)
    return made.to_str()


def write_encoder(
    folder: Path, kind: str = "wordpiece", *, width: int = WIDTH, layers: int = 1, labels: int = 0, seed: int = 0
) -> tuple[Path, Path]:
    """Write `model.onnx` and `tokenizer.json`; return both paths."""
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer_json(kind), "utf-8")
    count = tokenizers.Tokenizer.from_file(str(tokenizer)).get_vocab_size()
    graph = folder / "model.onnx"
    onnx.save(encoder_graph(count, width=width, layers=layers, labels=labels, seed=seed), graph)
    return graph, tokenizer


def encoder_graph(
    tokens: int, *, width: int = WIDTH, layers: int = 1, labels: int = 0, positions: int = POSITIONS, seed: int = 0
) -> onnx.ModelProto:
    """Make a BERT: embeddings, attention with a mask, a feed-forward step; random weights."""
    builder = _Bert(np.random.default_rng(seed), width)
    ids = ["input_ids", "attention_mask", "token_type_ids"]
    shape = builder.node("Shape", ["input_ids"])
    length = builder.node("Gather", [shape, builder.whole(1)])
    place = builder.node("Range", [builder.whole(0), length, builder.whole(1)])
    words = builder.node("Gather", [builder.weights(tokens, width), "input_ids"])
    places = builder.node("Gather", [builder.weights(positions, width), place])
    types = builder.node("Gather", [builder.weights(2, width), "token_type_ids"])
    hidden = builder.norm(builder.node("Add", [builder.node("Add", [words, types]), places]))
    mask = builder.node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    mask = builder.node("Sub", [builder.number(1.0), mask])
    mask = builder.node("Mul", [builder.node("Unsqueeze", [mask, builder.wholes([1, 2])]), builder.number(-1e9)])
    for _ in range(layers):
        hidden = builder.layer(hidden, mask)
    if labels:
        first = builder.node("Gather", [hidden, builder.whole(0)], axis=1)
        scores = builder.node("MatMul", [first, builder.weights(width, labels, scale=3.0)])
        builder.nodes.append(helper.make_node("Identity", [scores], ["logits"]))
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])]
    else:
        builder.nodes.append(helper.make_node("Identity", [hidden], ["last_hidden_state"]))
        form = ["batch", "sequence", width]
        outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, form)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in ids]
    graph = helper.make_graph(builder.nodes, "bert", inputs, outputs, builder.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class _Bert:
    def __init__(self, generator: np.random.Generator, width: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._generator = generator
        self._width = width

    def node(self, kind: str, inputs: list[str], **attributes) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _constant(self, array: np.ndarray) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def whole(self, value: int) -> str:
        return self._constant(np.array(value, np.int64))

    def wholes(self, values: list[int]) -> str:
        return self._constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    def weights(self, *shape: int, scale: float = 0.5) -> str:
        return self._constant((self._generator.normal(size=shape) * scale).astype(np.float32))

    def norm(self, value: str) -> str:
        ones, zeros = np.ones(self._width, np.float32), np.zeros(self._width, np.float32)
        return self.node("LayerNormalization", [value, self._constant(ones), self._constant(zeros)], epsilon=1e-12)

    def layer(self, hidden: str, mask: str) -> str:
        width, heads = self._width, HEADS
        split = self.wholes([0, 0, heads, width // heads])
        parts = []
        for _ in range(3):
            mapped = self.node("MatMul", [hidden, self.weights(width, width, scale=width**-0.5)])
            parts.append(self.node("Reshape", [mapped, split]))
        query, value = (self.node("Transpose", [part], perm=[0, 2, 1, 3]) for part in (parts[0], parts[2]))
        key = self.node("Transpose", [parts[1]], perm=[0, 2, 3, 1])
        scores = self.node("Mul", [self.node("MatMul", [query, key]), self.number((width // heads) ** -0.5)])
        weights = self.node("Softmax", [self.node("Add", [scores, mask])], axis=-1)
        mixed = self.node("Transpose", [self.node("MatMul", [weights, value])], perm=[0, 2, 1, 3])
        mixed = self.node("Reshape", [mixed, self.wholes([0, 0, width])])
        hidden = self.norm(self.node("Add", [hidden, mixed]))
        inner = self.node("MatMul", [hidden, self.weights(width, 4 * width, scale=width**-0.5)])
        half = self.node("Add", [self.node("Erf", [self.node("Mul", [inner, self.number(2**-0.5)])]), self.number(1.0)])
        inner = self.node("Mul", [self.node("Mul", [inner, half]), self.number(0.5)])
        outer = self.node("MatMul", [inner, self.weights(4 * width, width, scale=(4 * width) ** -0.5)])
        return self.norm(self.node("Add", [hidden, outer]))


def document(kind: str = "wordpiece") -> dict:
    """Return a tokenizer's file as a document, to be changed; without padding and truncation."""
    return {**json.loads(tokenizer_json(kind)), "truncation": None, "padding": None}


@cache
def encoder_files(kind: str = "wordpiece", name: str = "words", *, labels: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return the files of a converted encoder of 16 tokens."""
    from sealift_bundler.converters.encoders.settings import TextFrontend
    from sealift_bundler.proof.conversion import Order
    from sealift_bundler.proof.ladder import convert_object
    from sealift_bundler.proof.parity import DEFAULT_TOLERANCE
    from sealift_bundler.source.openers import open_model

    with TemporaryDirectory() as folder:
        graph, tokenizer = write_encoder(Path(folder), kind, labels=len(labels))
        pooled = {"labels": labels} if labels else {"pooling": "mean", "normalize": True}
        frontend = TextFrontend(tokenizer, 16, **pooled)
        order = Order(name, "1.0.0", DEFAULT_TOLERANCE, frontend=frontend)
        return dict(convert_object(open_model(graph), ["hello old house", "What?"], order).files)


def with_tokenizer(files: dict[str, bytes], data: bytes, **declared) -> dict[str, bytes]:
    """Return the files of an encoder with another tokenizer, which its front end declares."""
    frontend = json.loads(files["frontend.json"])
    frontend["frontends"][0] |= {"digest": sha256(data), **declared}
    return {**files, "tokenizer.json": data, "frontend.json": json.dumps(frontend).encode()}
