"""A text encoder of MiniLM's size against its library and ONNX Runtime alone: one text, 100 mixed ones, and the longest.

Weights are random, the tokenizer is WordPiece with a vocabulary of its own. Both answer the same texts in turn, in one
process, and the medians of the ratios are compared. The longest texts are encoded in processes of their own.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.measuring import FEW_ROUNDS
from bench.promises import promise

MOST_OF_ONE_TEXT = 1.2
MOST_OF_MIXED = 1.0
MAX_TOKENS = 256
WIDTH, LAYERS = 384, 6
# What takes the most time, or the most memory, of texts that are allowed.
LONGEST = {
    "a million characters in words": lambda: "hello old house " * 62_500,
    "one word": lambda: "a" * 600_000,
    "signs": lambda: "!" * 600_000,
    "signs and letters": lambda: "aB3$" * 150_000,
    "Chinese": lambda: "\u6771" * 200_000,
    "emoji": lambda: "\U0001f600" * 150_000,
    "ligatures": lambda: "\ufdfa" * 18_000,
    "combining marks": lambda: "a" + "\u0301" * 299_000,
}


def plain(files, graph):
    """Return a function that answers as the library and ONNX Runtime do: padded to the longest, in the given order."""
    import onnxruntime
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_str(files["tokenizer.json"].decode())
    tokenizer.enable_truncation(MAX_TOKENS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def answer(texts, batch):
        found = []
        for start in range(0, len(texts), batch):
            made = [tokenizer.encode(text) for text in texts[start : start + batch]]
            longest = max(map(len, made))
            for one in made:
                one.pad(longest)
            feeds = {
                "input_ids": np.array([one.ids for one in made]),
                "attention_mask": np.array([one.attention_mask for one in made]),
                "token_type_ids": np.array([one.type_ids for one in made]),
            }
            (hidden,) = session.run(None, feeds)
            mask = feeds["attention_mask"][..., np.newaxis].astype(np.float32)
            mean = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
            found.append(mean / np.linalg.norm(mean, axis=1, keepdims=True))
        return np.concatenate(found)

    return answer


def ratio(theirs, ours, turns: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median of the ratios of single turns."""
    took = []
    for turn in range(turns):
        pair = {}
        for name, call in [("theirs", theirs), ("ours", ours)][:: 1 if turn % 2 else -1]:
            started = time.perf_counter()
            call()
            pair[name] = time.perf_counter() - started
        took.append(pair)
    median = statistics.median
    return (
        median(pair["theirs"] for pair in took),
        median(pair["ours"] for pair in took),
        median(pair["ours"] / pair["theirs"] for pair in took),
    )


def line(name: str, theirs: float, ours: float, share: float, most: float) -> bool:
    print(f"{name:44} {theirs * 1e3:10.2f} ms {ours * 1e3:10.2f} ms", flush=True)
    return promise(f"encoder, {name}: its library and ONNX Runtime", share, most)


def longest_here(who: str, kind: str, what: str) -> None:
    """Print seconds of processor time for one text, and the MB of this process at its peak."""
    import tokenizers
    from support.text_encoders import tokenizer_json

    from sealift.model.frontend.tokenizer.check import Checked
    from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
    from sealift.model.frontend.tokenizer.encoder import Encoder

    tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json(kind))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    declared = DeclaredTokenizer("", "", MAX_TOKENS, 500, {"ids": "ids"}, prefix=True)
    encoder = Encoder(declared, tokenizer, Checked(500, 1, 1))
    text = LONGEST[what]()
    # What a first call imports is not the text's cost.
    encoder.encode(["a"])
    tokenizer.encode("a")
    started = time.process_time()
    if who == "ours":
        encoder.encode([text])
    else:
        tokenizer.encode(text)
    # Not ru_maxrss, which a child inherits from the process that forked it.
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    print(time.process_time() - started, int(peak[1]) / 1024)


def longest() -> bool:
    """Compare with the library, which encodes the whole text; we read no more than decides about the first tokens."""
    from support.text_encoders import KINDS

    times, peaks = {}, {}
    for kind in KINDS:
        for what in LONGEST:
            said: dict[str, list[tuple[float, ...]]] = {"ours": [], "library": []}
            for _ in range(FEW_ROUNDS):
                for who, costs in said.items():
                    command = [sys.executable, __file__, who, kind, what]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    costs.append(tuple(float(word) for word in done.stdout.split()))
            (ours_s, ours_mb), (library_s, library_mb) = (
                [statistics.median(each) for each in zip(*costs, strict=True)] for costs in said.values()
            )
            times[kind, what], peaks[kind, what] = ours_s / library_s, ours_mb / library_mb
            print(
                f"{kind:10} {what:33} {ours_s:6.2f} s {ours_mb:5.0f} MB, library {library_s:6.2f} s {library_mb:5.0f} MB",
                flush=True,
            )
    kept = promise("encoder, longest text, the worst: its library", max(times.values()), 1.25, 1.0)
    return (
        promise("encoder, longest text, peak memory, the worst: its library", max(peaks.values()), 1.25, 1.0) and kept
    )


def main() -> int:
    import tokenizers
    from support.text_encoders import encoder_graph, with_tokenizer, write_encoder

    from sealift.model import Model
    from sealift_bundler import convert
    from sealift_bundler.converters.encoders.settings import TextFrontend
    from sealift_bundler.samples.generated.words import PUBLIC_WORDS

    kept = True
    with tempfile.TemporaryDirectory() as folder:
        graph, file = write_encoder(Path(folder), width=WIDTH, layers=LAYERS)
        frontend = TextFrontend(file, MAX_TOKENS, "mean", normalize=True)
        files = dict(convert(graph, ["hello old house"], frontend=frontend).files)
    count = tokenizers.Tokenizer.from_str(files["tokenizer.json"].decode()).get_vocab_size()
    theirs = plain(files, encoder_graph(count, width=WIDTH, layers=LAYERS))
    generator = np.random.default_rng(1)

    def text(words: int) -> str:
        return " ".join(generator.choice(PUBLIC_WORDS, words).tolist())

    # Most texts are short and some are long, as comments are.
    mixed = [text(int(words)) for words in np.clip(generator.lognormal(3.0, 1.0, 100), 1, 400)]
    with Model.from_files(with_tokenizer(files, files["tokenizer.json"]), threads=1) as model:
        assert np.abs(model.transform(mixed) - theirs(mixed, 32)).max() < 1e-5
        for words in (4, 20, 100):
            one = [text(words)]
            took = ratio(lambda one=one: theirs(one, 1), lambda one=one: model.transform(one), 15)
            kept &= line(f"one text of {words} words", *took, MOST_OF_ONE_TEXT)
        took = ratio(lambda: theirs(mixed, 32), lambda: model.transform(mixed), 3)
        kept &= line("100 texts, there 32 at once", *took, MOST_OF_MIXED)
        took = ratio(lambda: theirs(mixed, 1), lambda: model.transform(mixed), 3)
        kept &= line("100 texts, there one by one", *took, MOST_OF_MIXED)
    return 0 if longest() and kept else 1


if __name__ == "__main__":
    if len(sys.argv) == 4:
        longest_here(*sys.argv[1:])
    else:
        sys.exit(main())
