"""Text models against scikit-learn's own pipelines with a learned vocabulary: predictions, conversion and memory.

Both predict the same texts in turn, in one process, each time others than before, and medians are compared. Conversion
is compared with the fit of the same model; memory is what a process of its own adds at its peak.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.promises import promise

# What we promise, and what we aim at.
MOST_OF_ONE_ROW = 0.6, 0.5
MOST_OF_MANY_ROWS = 1.15, 1.0
MOST_OF_A_FIT = 1.5, 1.5
# Of the same rows with every zero written down.
MOST_OF_DENSE = 0.5
ROWS = 1000
TURNS = 7
CALLS = 100
FITTED_TEXTS = 50_000
CASES = [
    (columns, analyzer)
    for columns in (1_000, 50_000, 2**20)
    for analyzer in ({}, {"analyzer": "char_wb", "ngram_range": (2, 4)})
]


class Texts:
    """Texts of invented words, frequent ones and rare ones, of 5 to 120 words."""

    def __init__(self, words: int = 120_000) -> None:
        self.generator = np.random.default_rng(3)
        letters = np.array(list("etaoinsrhldcumfpgwybvkxjqz"))
        often = 1 / np.arange(1, 27) ** 0.7
        self.words = [
            "".join(self.generator.choice(letters, size, p=often / often.sum()))
            for size in self.generator.integers(2, 11, words)
        ]
        weights = 1 / np.arange(10, words + 10)
        self.often = np.cumsum(weights / weights.sum())

    def make(self, count: int, longest: int = 120) -> list[str]:
        """Make so many texts."""
        sizes = self.generator.integers(5, longest, count)
        drawn = np.searchsorted(self.often, self.generator.random(int(sizes.sum())))
        words = iter(drawn.clip(0, len(self.words) - 1).tolist())
        return [" ".join(self.words[next(words)] for _ in range(size)) for size in sizes]


def fitted(columns: int, analyzer: dict, texts: list[str]):
    """A pipeline with so many columns, and the seconds of its fit."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    if columns == 2**20:
        vectorizer = HashingVectorizer(**analyzer)
    else:
        vectorizer = TfidfVectorizer(max_features=columns, **analyzer)
    labels = np.array([len(text) % 3 for text in texts])
    model = make_pipeline(vectorizer, SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=0))
    started = time.perf_counter()
    model.fit(texts, labels)
    return model, time.perf_counter() - started


def ratio(theirs, ours, batches) -> tuple[float, float, float]:
    """Median seconds of both, and the median of the ratios of single turns."""
    took = []
    for turn, rows in enumerate(batches):
        pair = {}
        for name, model in [("theirs", theirs), ("ours", ours)][:: 1 if turn % 2 else -1]:
            started = time.perf_counter()
            model.predict(rows)
            pair[name] = time.perf_counter() - started
        took.append(pair)
    median = statistics.median
    return (
        median(pair["theirs"] for pair in took),
        median(pair["ours"] for pair in took),
        median(pair["ours"] / pair["theirs"] for pair in took),
    )


def line(
    name: str, theirs: float, ours: float, share: float, most: tuple[float, float], beside: str = "scikit-learn"
) -> bool:
    print(f"{name:44} {theirs * 1e3:10.3f} ms {ours * 1e3:10.3f} ms", flush=True)
    return promise(f"{name}: {beside}", share, *most)


def predict_here(folder: Path) -> None:
    """Print how many MB the first prediction of the rows in a folder adds at the peak of this process."""
    from sealift.model.model import Model

    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "rows.json"}
    rows = json.loads((folder / "rows.json").read_bytes())
    model = Model.from_files(files)
    model.predict(rows[:2])

    def kilobytes(field: str) -> int:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field))

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak from now on
    before = kilobytes("VmRSS")
    model.predict(rows)
    print((kilobytes("VmHWM") - before) / 1024)


def memory(source: "Texts", steps) -> tuple[float, float]:
    """MB that predicting 1,000 short rows, a long one among them, adds to a process, and MB of the same rows, dense."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    from sealift_bundler import convert

    train = source.make(3_000)
    model = make_pipeline(TfidfVectorizer(), *steps).fit(train, [len(text) % 20 for text in train])
    rows = [*source.make(ROWS - 1, longest=40), " ".join(source.words[:4_000])]
    with tempfile.TemporaryDirectory() as folder:
        for name, data in convert(model, train[:100]).files.items():
            (Path(folder) / name).write_bytes(data)
        (Path(folder) / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        done = subprocess.run([sys.executable, __file__, folder], capture_output=True, text=True, check=True)
    return float(done.stdout), 4 * ROWS * len(model[0].vocabulary_) / 2**20


def main() -> int:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import SGDClassifier

    from sealift_bundler import convert

    source = Texts()
    train = source.make(20_000)
    kept = True
    print(f"{'':44} {'scikit-learn':>13} {'Sealift':>13}")
    for columns, analyzer in CASES:
        model, _ = fitted(columns, analyzer, train)
        ours = convert(model, train[:300]).open()
        name = f"{columns:,} columns, {analyzer.get('analyzer', 'words')}"
        single = [[text] for text in source.make(CALLS)]
        many = [source.make(ROWS) for _ in range(TURNS)]
        ours.predict(single[0])
        kept &= line(f"text, {name}, 1 row", *ratio(model, ours, single), MOST_OF_ONE_ROW)
        kept &= line(f"text, {name}, {ROWS:,} rows", *ratio(model, ours, many), MOST_OF_MANY_ROWS)
    texts = source.make(FITTED_TEXTS)
    shares = []
    for _ in range(3):
        model, fit = fitted(2**20, {}, texts)
        started = time.perf_counter()
        convert(model, texts[:1_000])
        shares.append((fit, time.perf_counter() - started))
    fit, conversion = sorted(shares, key=lambda pair: pair[1] / pair[0])[1]
    kept &= line(
        "convert 2^20 columns of text", fit, conversion, conversion / fit, MOST_OF_A_FIT, f"fit of {FITTED_TEXTS:,}"
    )
    for name, steps in (
        ("linear, 20 classes", [SGDClassifier(random_state=0)]),
        ("100 components", [TruncatedSVD(100, random_state=0), SGDClassifier(random_state=0)]),
        ("forest", [RandomForestClassifier(20, random_state=0)]),
    ):
        added, dense = memory(source, steps)
        print(f"{name}, {ROWS:,} rows, one of 4,000 words: {added:.0f} MB, dense {dense:.0f} MB", flush=True)
        kept &= promise(f"memory of {ROWS:,} texts, {name}: of dense rows", added / dense, MOST_OF_DENSE)
    return 0 if kept else 1


if __name__ == "__main__":
    if sys.argv[1:]:
        predict_here(Path(sys.argv[1]))
    else:
        sys.exit(main())
