"""Streams of batches, coroutines and observers: what an application builds around a loaded model."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from support.release.channel_simulator import toy_files

import sealift
from sealift.model import Model
from sealift.model.inputs.halving import count_rows, first_refused, first_rows
from sealift.model.model import LoadedModel
from sealift.testing import ToyModel
from sealift_bundler import convert

ROWS = np.random.default_rng(5).normal(size=(12, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def toy():
    return Model.from_files(toy_files())


@pytest.fixture(scope="module")
def tabular():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=60), "y": rng.normal(size=60)})
    estimator = LogisticRegression().fit(frame, np.where(frame.x > 0, "up", "down"))
    return frame, estimator, convert(estimator, frame).open()


def test_a_stream_gives_one_answer_a_batch(toy):
    answers = list(toy.predict_batches(ROWS[start : start + 5] for start in range(0, 12, 5)))
    assert [len(answer) for answer in answers] == [5, 5, 2]
    np.testing.assert_array_equal(np.concatenate(answers), toy.predict(ROWS))
    proba = np.concatenate(list(toy.predict_batches([ROWS[:7], ROWS[7:]], "predict_proba")))
    np.testing.assert_array_equal(proba, toy.predict_proba(ROWS))
    (tensors,) = toy.predict_batches([{toy.inputs[0].name: ROWS}], "run")
    np.testing.assert_array_equal(tensors["label"], toy.predict(ROWS))


def test_batches_may_be_of_any_kind_of_table(tabular):
    frame, estimator, model = tabular
    expected = estimator.predict(frame[:20])
    arrow = pa.Table.from_pandas(frame[:20], preserve_index=False)
    streams = {
        "pandas": [frame[:20]],
        "polars": [pl.from_pandas(frame[:20])],
        "records": [frame[:20].to_dict("records")],
        "columns": [frame[:20].to_dict("list")],
        "Arrow": arrow.to_batches(max_chunksize=6),
        "Arrow reader": pa.RecordBatchReader.from_batches(arrow.schema, arrow.to_batches(max_chunksize=6)),
        "polars slices": pl.from_pandas(frame[:20]).iter_slices(7),
    }
    for kind, stream in streams.items():
        np.testing.assert_array_equal(np.concatenate(list(model.predict_batches(stream))), expected, err_msg=kind)


def test_nothing_is_read_ahead_and_nothing_is_kept(toy):
    read, alive = [], []

    class Rows(list):
        """A list can have no weak reference; a subclass can."""

    def source():
        for number in range(4):
            gc.collect()
            assert [one() for one in alive if one() is not None] == [], f"batch {number - 1} is still in memory"
            rows = Rows(ROWS[:3].tolist())
            alive.append(weakref.ref(rows))
            read.append(number)
            yield rows
            del rows

    stream = toy.predict_batches(source())
    assert read == []
    next(stream)
    assert read == [0]
    assert len(list(stream)) == 3


def test_an_error_names_the_batch_and_the_row_and_keeps_earlier_answers(tabular):
    frame, _, model = tabular
    bad = frame[:6].astype(object)
    bad.loc[4, "y"] = "many"
    stream = model.predict_batches([frame[:6], frame[6:12], bad])
    assert len(next(stream)) == 6
    assert len(next(stream)) == 6
    with pytest.raises(sealift.InputError, match=r"batch 2: column 'y' row 4 is 'many'"):
        next(stream)


def test_a_row_that_only_onnx_runtime_refuses_is_found():
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "place"], ["value"])],
        "lookup",
        [helper.make_tensor_value_info("place", TensorProto.INT64, ["rows"])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor("table", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    model = Model.from_files(ToyModel(onnx=data, examples={"place": np.array([0, 1])}).files("lookup"))
    good, bad = {"place": np.array([0, 1, 2])}, {"place": np.array([0, 1, 2, 0, 7, 1, 9])}
    seen = []
    stream = model.observed(seen.append).predict_batches([good, bad], "run")
    assert next(stream)["value"].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(sealift.InputError, match=r"batch 1, row 4: model 'lookup' cannot take these values"):
        next(stream)
    # Looking for the row is not a prediction.
    assert [(one.rows, one.error) for one in seen] == [(3, None), (None, "InputError")]


class Endless:
    """Rows without a length, which cannot be read."""

    def __array__(self, *_, **__):
        raise RuntimeError("no")


def test_an_error_in_rows_without_a_length_names_the_batch(toy):
    with pytest.raises(sealift.InputError, match="batch 1: rows are a Endless"):
        list(toy.predict_batches([ROWS, Endless()]))


def test_the_first_rows_of_each_kind_of_table():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    for rows in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), frame.to_dict("list"), frame.to_numpy()):
        part = first_rows(rows, 2)
        assert (count_rows(rows), count_rows(part)) == (3, 2)
    assert first_rows(["a", "b"], 1) == ["a"]
    assert [first_refused(9, lambda count, wrong=wrong: count > wrong) for wrong in range(9)] == list(range(9))


@pytest.mark.parametrize("one", [ROWS, pd.DataFrame({"x": [1.0]}), pa.table({"x": [1.0]}), {"x": [1.0]}, "x", 7])
def test_one_table_is_no_stream(toy, one):
    with pytest.raises(sealift.UsageError, match="expected an iterable of batches"):
        toy.predict_batches(one)


def test_a_method_that_the_original_had_not_is_refused_before_anything_is_read(toy):
    def source():
        pytest.fail("the stream was read")
        yield

    for method in ("transform", "from_files", "__init__"):
        with pytest.raises(sealift.UsageError, match=f"has no {method}; it has predict"):
            toy.predict_batches(source(), method)


def test_a_coroutine_gets_the_same_answers(toy):
    async def ask():
        return await asyncio.gather(toy.apredict(ROWS), toy.apredict(ROWS, "predict_proba"))

    labels, proba = asyncio.run(ask())
    np.testing.assert_array_equal(labels, toy.predict(ROWS))
    np.testing.assert_array_equal(proba, toy.predict_proba(ROWS))


class Slow:
    """Rows that a thread takes when the test lets it."""

    dtype = ROWS.dtype

    def __init__(self):
        self.taken, self.go, self.done = threading.Event(), threading.Event(), threading.Event()

    def __array__(self, dtype=None, copy=None):
        self.taken.set()
        assert self.go.wait(20)
        self.done.set()
        return ROWS


def test_the_event_loop_goes_on_while_the_graph_runs(toy):
    rows = Slow()

    async def ask():
        task = asyncio.create_task(toy.apredict(rows))
        assert await asyncio.to_thread(rows.taken.wait, 20)
        # This line runs while the thread waits: the loop is not blocked.
        rows.go.set()
        return await task

    assert len(asyncio.run(ask())) == 12


def test_cancelling_gives_up_the_wait_and_the_model_stays_usable(toy):
    rows = Slow()

    async def ask():
        task = asyncio.create_task(toy.apredict(rows))
        assert await asyncio.to_thread(rows.taken.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        rows.go.set()
        return await toy.apredict(ROWS)

    assert len(asyncio.run(ask())) == 12
    assert rows.done.is_set()


def test_errors_reach_the_coroutine(toy):
    with pytest.raises(sealift.InputError, match=r"shape \[2\]"):
        asyncio.run(toy.apredict([1.0, 2.0]))
    with pytest.raises(sealift.UsageError, match="has no transform"):
        asyncio.run(toy.apredict(ROWS, "transform"))


def test_an_observer_sees_every_prediction(toy):
    seen = []
    model = toy.observed(seen.append)
    started = time.perf_counter()
    model.predict(ROWS)
    model.predict_proba(ROWS[:3])
    model.answers(["predict", "predict_proba"], ROWS[:2])
    model.run({model.inputs[0].name: ROWS[:5]})
    list(model.predict_batches([ROWS[:1]]))
    asyncio.run(model.apredict(ROWS[:4]))
    with pytest.raises(sealift.InputError):
        model.predict([1.0])
    elapsed = time.perf_counter() - started
    assert [(one.method, one.rows, one.error) for one in seen] == [
        ("predict", 12, None),
        ("predict_proba", 3, None),
        ("predict+predict_proba", 2, None),
        ("run", 5, None),
        ("predict", 1, None),
        ("predict", 4, None),
        ("predict", None, "InputError"),
    ]
    assert {(one.model, one.version, one.digest) for one in seen} == {("toy", "1.0.0", "")}
    assert 0 < sum(one.seconds for one in seen) <= elapsed
    assert repr(model) == repr(toy)
    assert (model.name, model.version, model.classes.tolist(), model.card) == ("toy", "1.0.0", [0, 1], "")
    toy.predict(ROWS)
    assert len(seen) == 7
    with pytest.raises(AttributeError):
        seen[0].rows = 3


def test_an_observer_that_raises_breaks_nothing_and_is_logged_once(toy, caplog):
    def broken(_prediction):
        raise RuntimeError("the metrics server is away")

    model = toy.observed(broken)
    for _ in range(3):
        assert len(model.predict(ROWS)) == 12
    (record,) = caplog.records
    assert record.name == "sealift.model.observing"
    assert "'toy'" in record.getMessage()
    assert record.exc_info[0] is RuntimeError


def test_an_observed_model_is_closed_and_shared_like_any_other(toy):
    seen = []
    model = toy.observed(seen.append)
    shared = model.share()
    with model:
        session = weakref.ref(model.session)
    with pytest.raises(sealift.UsageError, match="was closed"):
        model.predict(ROWS)
    with pytest.raises(sealift.UsageError, match="was closed"):
        model.run({model.inputs[0].name: ROWS})
    assert session() is toy.session
    assert len(toy.predict(ROWS)) == len(shared.predict(ROWS)) == 12
    assert [one.error for one in seen] == ["UsageError", "UsageError", None]


def test_closing_an_observed_model_gives_its_session_back():
    model = Model.from_files(toy_files(), threads=1)
    session = weakref.ref(model.session)
    observed = model.observed(print)
    del model
    observed.close()
    gc.collect()
    assert session() is None


def test_without_an_observer_a_model_is_the_plain_kind(channel, instance, tmp_path, caplog):
    channel.add()
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path))
    with caplog.at_level(logging.DEBUG, logger="sealift"):
        model = instance.store.load("toy")
    assert type(model) is LoadedModel
    info, debug = (record for record in caplog.records if record.name == "sealift.store.store")
    assert info.levelno == logging.INFO
    assert f"loaded toy 1.0.0 {model.digest} in " in info.getMessage()
    assert all(f"'{step}': " in debug.getMessage() for step in ("trust", "manifest", "files", "session"))
    seen = []
    sealift.Store(instance.store_path, trust=instance.trust_path).load("toy", observer=seen.append).predict(ROWS)
    assert [(one.digest, one.rows) for one in seen] == [(model.digest, 12)]


def test_logging_is_silent_until_the_application_listens():

    code = "import sealift.logs, logging; logging.getLogger('sealift.store.store').error('heard by nobody')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
