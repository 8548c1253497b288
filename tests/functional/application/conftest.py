"""An instance with a table model, a matrix model and a text model."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support.release.channel_simulator import ChannelSimulator
from support.release.instance import Instance

from sealift.cli import cli
from sealift.store import Store
from sealift_bundler import convert


def table_model():
    from sklearn.compose import ColumnTransformer

    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"size": rng.normal(10, 3, 80).round(2), "color": rng.choice(["red", "blue, light", 'the "new"'], 80)}
    )
    steps = ColumnTransformer(
        [("n", StandardScaler(), ["size"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["color"])]
    )
    labels = np.where((frame["size"] > 10) ^ (frame["color"] == "red"), "yes\tor so", "no")
    return frame, make_pipeline(steps, LogisticRegression()).fit(frame, labels)


def text_model():
    texts = ["a fine day", "you fool", "what a fine fool", "day and night", "fool of a night", "fine fine"] * 6
    return texts, make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, ["fool" in text for text in texts])


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """An instance with a table model, a matrix model and a text model."""
    base = tmp_path_factory.mktemp("predict")
    channel, instance = ChannelSimulator(base / "channel"), Instance(base / "instance")
    frame, estimator = table_model()
    texts, judge = text_model()
    channel.add("table", files=convert(estimator, frame, name="table", version="1.0.0").files)
    channel.add("text", files=convert(judge, texts, name="text", version="1.0.0").files)
    channel.add("matrix")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(base))
    return instance


@pytest.fixture
def predict(installed, monkeypatch, call):
    installed.export(monkeypatch)
    return partial(call, cli, "predict")


@pytest.fixture
def frame():
    return table_model()[0][:30]


@pytest.fixture
def expected(installed, frame):
    return Store(installed.store_path, trust=installed.trust_path).load("table").predict(frame).tolist()
