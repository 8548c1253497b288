"""A text encoder answers as its library and ONNX Runtime do alone, whatever the text and however many there are."""

import random
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import tokenizers
from support.text_encoders import KINDS, document, encoder_files, encoder_graph, with_tokenizer

from sealift.errors import InputError
from sealift.limits import LIMITS
from sealift.model import Model
from sealift.model.frontend.tokenizer.check import Checked, check_tokenizer
from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
from sealift.model.frontend.tokenizer.encoder import Encoder
from sealift.model.frontend.tokenizer.feeds import _BATCH_TOKENS
from sealift_bundler.samples.generated.hard_texts import HARD_TEXTS
from sealift_bundler.samples.generated.words import PUBLIC_WORDS

MAX_TOKENS = 16
_RANGES = [(32, 127), (160, 880), (880, 1424), (1424, 2048), (2304, 3584), (0x3040, 0x3100), (0x4E00, 0x9FFF)]
_RANGES += [(0x1F300, 0x1FAFF), (0x300, 0x370), (0x2000, 0x2070), (0xFB00, 0xFE00), (0x12000, 0x12400), (0, 32)]


def nasty_texts(count=600, seed=0):
    chance = random.Random(seed)

    def character():
        return chr(chance.randrange(*chance.choice(_RANGES)))

    found = [text for text in HARD_TEXTS if len(text) < 5_000]
    while len(found) < count:
        kind = chance.randrange(4)
        if kind == 0:
            found.append("".join(character() for _ in range(chance.randrange(60))))
        elif kind == 1:
            found.append(" ".join(chance.choices(PUBLIC_WORDS, k=chance.randrange(1, 60))))
        elif kind == 2:
            words = ["".join(character() for _ in range(chance.randrange(1, 9))) for _ in range(chance.randrange(30))]
            found.append(chance.choice([" ", "\n", "  ", "\t", "\u3000", ""]).join(words))
        else:
            one, other = chance.choice(found), chance.choice(PUBLIC_WORDS)
            found.append(f"{other}{chance.choice(['', ' ', '-', '[SEP]', '</s>'])}{one}"[:400])
    return found


def original(files, texts):
    """The library and ONNX Runtime alone, text by text, on a graph without our nodes."""
    tokenizer = tokenizers.Tokenizer.from_str(files["tokenizer.json"].decode())
    tokenizer.enable_truncation(MAX_TOKENS)
    graph = encoder_graph(tokenizer.get_vocab_size()).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    vectors = []
    for text in texts:
        made = tokenizer.encode(text)
        feeds = {"input_ids": made.ids, "attention_mask": made.attention_mask, "token_type_ids": made.type_ids}
        (hidden,) = session.run(None, {name: np.array([values], np.int64) for name, values in feeds.items()})
        mean = hidden[0].astype(np.float64).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.array(vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_600_nasty_texts_get_the_answers_of_the_original(kind):
    files, texts = encoder_files(kind), nasty_texts()
    with Model.from_files(files, threads=1) as model:
        got = model.transform(texts)
        one_by_one = np.concatenate([model.transform([text]) for text in texts[:60]])
    expected = original(files, texts)
    assert got.dtype == np.float32
    assert got.shape == (600, 16)
    assert np.abs(got - expected).max() < 1e-6
    assert np.abs(one_by_one - expected[:60]).max() < 1e-6


def test_labels_and_their_probabilities():
    with Model.from_files(encoder_files(labels=("no", "maybe", "yes")), threads=1) as model:
        texts = nasty_texts(100)
        labels, shares = model.predict(texts), model.predict_proba(texts)
        assert model.classes.tolist() == ["no", "maybe", "yes"]
        assert model.predict([]).shape == (0,)
    assert labels.tolist() == model.classes[shares.argmax(axis=1)].tolist()
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-6)


def test_rows_that_are_no_texts_are_refused_by_number():
    with Model.from_files(encoder_files(), threads=1) as model:
        for rows, said in (
            (["a", "half \ud800"], "text row 1 holds half of a surrogate pair"),
            ([("a", "b")], "text row 0 is .*tuple"),
            (["a", None], "text row 1 is missing"),
            ("a", "rows are one string"),
            ({"a", "b"}, "rows are a set, which has no order"),
            ({"a": 1}.keys(), "rows are a set, which has no order"),
            (["a", "b " * 500_001], r"text row 1 has 1,000,002 characters; expected at most 1,000,000"),
            (["x" * 700_000], r"text row 0 has 700,000 characters without enough tokens"),
            (["\ufdfa" * 30_000], r"they come to 990,000 bytes"),
        ):
            with pytest.raises(InputError, match=said):
                model.transform(rows)
        # NUL is a character like others for a tokenizer.
        assert model.transform(["a\0b"]).shape == (1, 16)


def test_the_graph_gets_texts_of_one_length_and_no_padding():
    files = encoder_files()
    with Model.from_files(files, threads=1) as model:
        seen = []
        feeds = model._engine.feeder.feeds(nasty_texts(600) + ["hello"] * 2000)
        for one in feeds:
            assert one["attention_mask"].all()
            assert one["input_ids"].size <= _BATCH_TOKENS
            seen.append(one["input_ids"].shape)
        assert sum(rows for rows, _ in seen) == 2600


def encoder_of(kind, max_tokens, *, prefix):
    data = document(kind)
    import json

    raw = json.dumps(data).encode()
    declared = DeclaredTokenizer("tokenizer.json", "", max_tokens, 500, {"ids": "ids"}, prefix=prefix)
    return Encoder(declared, tokenizers.Tokenizer.from_str(raw.decode()), check_tokenizer(raw, "t"))


@pytest.mark.parametrize("max_tokens", [3, 8, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_the_beginning_of_a_long_text_has_the_tokens_of_the_whole(kind, max_tokens):
    encoder = encoder_of(kind, max_tokens, prefix=True)
    whole = tokenizers.Tokenizer.from_str(encoder._tokenizer.to_str())
    whole.enable_truncation(max_tokens)
    chance = random.Random(1)
    texts = nasty_texts(300, seed=1)
    for _ in range(60):
        text = chance.choice([" ", "\n", " \n", "\u3002", "!\n"]).join(chance.choices(texts, k=40))
        (tokens,) = encoder.encode([text])
        expected = whole.encode(text)
        assert tokens == (expected.ids, expected.type_ids)


def test_a_long_text_is_not_looked_at_whole():
    encoder = encoder_of("wordpiece", 16, prefix=True)

    class Counted:
        looked = 0

        def encode(self, text):
            self.looked += len(text)
            return tokenizer.encode(text)

    tokenizer, counted = encoder._tokenizer, Counted()
    encoder._tokenizer = counted
    encoder.encode(["hello old house " * 60_000])
    assert counted.looked < 1_000


def test_without_a_proven_beginning_a_text_may_have_a_tenth():
    encoder = encoder_of("wordpiece", 16, prefix=False)
    assert len(encoder.encode(["a " * 50_000])[0].ids) == 16
    with pytest.raises(InputError, match=r"text row 7 has 100,002 characters; expected at most 100,000"):
        encoder.encode(["a " * 50_001], first_row=7)


def test_a_text_without_a_token_is_refused():
    raw = document("unigram") | {"post_processor": None}
    import json

    files = with_tokenizer(encoder_files("unigram"), json.dumps(raw).encode())
    with Model.from_files(files, threads=1) as model, pytest.raises(InputError, match="text row 1 has no token in it"):
        model.transform(["a", ""])


def test_the_special_token_of_a_text_becomes_one():
    encoder = encoder_of("wordpiece", 16, prefix=True)
    cls = tokenizers.Tokenizer.from_str(encoder._tokenizer.to_str()).token_to_id("[CLS]")
    assert encoder.encode(["a [CLS] b"])[0].ids.count(cls) == 2


_THREADS = """
import os, sys
import tokenizers
from sealift.model.frontend.tokenizer.check import Checked
from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
from sealift.model.frontend.tokenizer.encoder import Encoder
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
encoder = Encoder(DeclaredTokenizer("", "", 16, 500, {"ids": "i"}, prefix=True), tokenizer, Checked(500, 1, 1))
before = len(os.listdir("/proc/self/task"))
encoder.encode(["hello old house"] * 200)
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.parametrize(("said", "threads"), [(None, False), ("false", False), ("true", True)])
def test_no_thread_starts_unless_the_application_permits(said, threads, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(encoder_files()["tokenizer.json"])
    environment = {"RAYON_NUM_THREADS": "2", **({"TOKENIZERS_PARALLELISM": said} if said else {})}
    command = [sys.executable, "-c", _THREADS, str(tmp_path / "tokenizer.json")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (int(ended.stdout) > 0) is threads


def test_what_is_checked_is_counted():
    raw = encoder_files()["tokenizer.json"]
    assert check_tokenizer(raw, "t") == Checked(500, 1, 1)
    assert LIMITS.text_tokens == 8192
