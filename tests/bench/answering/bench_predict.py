"""What `Model.predict` costs: a ratio of `session.run` on tensors that are ready, or of the original's own `predict`.

Both are called in turn, call by call, and medians are compared, so that whatever else the machine does meets both; no
promise is in microseconds, which another machine would break. One call at a time is measured in processor time of its
thread, on sessions of one thread; eight threads in calls a second of processor time.

    python tests/bench/answering/bench_predict.py [WORD...]    only cases whose names hold one of these
"""

import statistics
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.promises import promise

ROUNDS = 3
# Of the original's own `predict` on the same row.
MOST_OF_A_ROW = 0.5
THREADS = 8


def pipeline(dtype):
    """A model of ten numbers that are taken as they are."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).normal(size=(500, 10)).astype(dtype)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] > 0), rows


def forest():
    from sklearn.ensemble import RandomForestClassifier

    rows = np.random.default_rng(0).normal(size=(500, 10)).astype(np.float32)
    return RandomForestClassifier(100, random_state=0).fit(rows, rows[:, 0] > 0), rows


def mixed():
    """A model of seven numbers and three texts."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    generator = np.random.default_rng(0)
    numbers = [f"n{index}" for index in range(7)]
    texts = [f"t{index}" for index in range(3)]
    rows = pd.DataFrame({name: generator.normal(size=500) for name in numbers})
    rows["n6"] = generator.integers(0, 9, 500)
    for name in texts:
        rows[name] = generator.choice(["red", "green", "blue", "yellow"], 500)
    encoded = (OneHotEncoder(handle_unknown="ignore"), texts)
    columns = make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), numbers), encoded)
    return make_pipeline(columns, LogisticRegression()).fit(rows, rows["n0"] > 0), rows


def opened(model, rows):
    from sealift_bundler import convert

    return convert(model, rows).open(threads=1)


def repeat(rows, count):
    if isinstance(rows, pd.DataFrame):
        return pd.concat([rows] * (count // len(rows) + 1), ignore_index=True).iloc[:count].copy()
    return np.ascontiguousarray(np.resize(rows, (count, rows.shape[1])))


def ready(model, rows):
    """The session of a model, and what `run` takes for these rows."""
    (feeds,) = model._engine.feeder.feeds(rows)
    return model.session, [next(output.name for output in model.outputs if output.role == "label")], dict(feeds)


def medians_us(model, rows, calls, original=None):
    """Median microseconds of `session.run` on ready tensors, or of the original's `predict`; and of `predict`."""
    session, names, feeds = ready(model, rows)
    took = {"run": [], "predict": []}
    theirs = (lambda: session.run(names, feeds)) if original is None else (lambda: original.predict(rows))
    kinds = [("run", theirs), ("predict", lambda: model.predict(rows))]
    clock = time.thread_time_ns
    for turn in range(calls):
        for kind, call in kinds if turn % 2 else kinds[::-1]:
            started = clock()
            call()
            took[kind].append(clock() - started)
    return statistics.median(took["run"]) / 1e3, statistics.median(took["predict"]) / 1e3


def together(call, seconds):
    """Calls that eight threads make together, and the seconds and seconds of processor time that they took."""
    counts = [0] * THREADS
    start = threading.Barrier(THREADS + 1)
    end = threading.Event()

    def work(place):
        start.wait()
        while not end.is_set():
            call()
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    start.wait()
    started, busy = time.perf_counter(), time.process_time()
    end.wait(seconds)
    done, took, busy = sum(counts), time.perf_counter() - started, time.process_time() - busy
    end.set()
    for thread in threads:
        thread.join()
    return done, took, busy


def throughput(model, rows):
    """Calls a second, and a second of processor time, of `session.run` and of `predict` in short runs that alternate."""
    session, names, feeds = ready(model, rows)
    kinds = [("run", lambda: session.run(names, feeds)), ("predict", lambda: model.predict(rows))]
    found = {"run": [], "predict": []}
    for turn in range(40):
        for kind, call in kinds if turn % 2 else kinds[::-1]:
            found[kind].append(together(call, 0.1))
    sums = [[sum(each) for each in zip(*found[kind], strict=True)] for kind in ("run", "predict")]
    return [(calls / took, calls / busy) for calls, took, busy in sums]


def judge(name, theirs, ours, ratio, bound, aim, *, least=False):
    """Print one line; return whether the promise is kept. Without a bound nothing is promised."""
    print(f"{name:44} {theirs} {ours} {ratio:7.3f}", flush=True)
    if bound is None:
        return True
    what, _, original = name.partition(", of ")
    return promise(f"{what}: {original or 'session.run'}", ratio, bound, aim, at_least=least)


def alone(chosen) -> bool:
    """One call at a time."""
    linear, row32 = pipeline("float32")
    linear64, row64 = pipeline("float64")
    columns, frame = mixed()
    array, wide, trees, table = (
        opened(*made) for made in ((linear, row32), (linear64, row64), forest(), (columns, frame))
    )
    one, many = 1000, 30
    cases = [  # name, model, rows, calls, whom it is compared with (None: session.run), most times that, aim
        ("1 row, ready array, of scikit-learn", array, repeat(row32, 1), one, linear, MOST_OF_A_ROW, None),
        ("1 row, pandas, 10 columns, of scikit-learn", table, repeat(frame, 1), one // 2, columns, MOST_OF_A_ROW, None),
        ("1 row, ready array", array, repeat(row32, 1), one, None, None, None),
        ("1 row, array to be narrowed", wide, repeat(row64, 1), one, None, None, None),
        ("1 row, list of dicts", table, repeat(frame, 1).to_dict("records"), one, None, None, None),
        # At 60 ns a row, to read the rows once more is already 5 %.
        ("100,000 rows, linear, ready array", array, repeat(row32, 100_000), many, None, 1.15, 1.05),
        ("100,000 rows, forest, ready array", trees, repeat(row32, 100_000), many // 6, None, 1.05, None),
        ("100,000 rows, array to be narrowed", wide, repeat(row64, 100_000), many, None, None, None),
        ("100,000 rows, pandas, 10 columns", table, repeat(frame, 100_000), many // 3, None, 1.5, 1.2),
    ]
    kept = True
    for name, model, rows, calls, original, most, aim in cases:
        if not chosen(name):
            continue
        rounds = sorted(
            (medians_us(model, rows, calls, original) for _ in range(ROUNDS)), key=lambda pair: pair[1] / pair[0]
        )
        theirs, ours = rounds[len(rounds) // 2]
        kept = judge(name, f"{theirs:11,.1f} µs", f"{ours:11,.1f} µs", ours / theirs, most, aim) and kept
    return kept


def all_at_once(chosen) -> bool:
    """Eight threads; by processor time, for calls a second of a shared machine differ by a fifth from run to run."""
    kept = True
    for rows, least, aim, make in (
        (1024, 0.97, None, forest),
        (256, 0.92, 0.97, forest),
        (1, None, None, lambda: pipeline("float32")),
    ):
        name = f"{rows:,} rows, {THREADS} threads on one model"
        if not chosen(name):
            continue
        made = make()
        (_, bare), (_, ours) = throughput(opened(*made), repeat(pipeline("float32")[1], rows))
        kept = judge(name, f"{bare:12,.0f}/s", f"{ours:12,.0f}/s", ours / bare, least, aim, least=True) and kept
    return kept


def main() -> int:
    words = sys.argv[1:]

    def chosen(name):
        return not words or any(word in name for word in words)

    print(f"{'':44} {'theirs':>14} {'predict':>14}   ratio")
    return 0 if all([alone(chosen), all_at_once(chosen)]) else 1


if __name__ == "__main__":
    sys.exit(main())
