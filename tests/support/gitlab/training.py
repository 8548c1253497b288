"""A project with tiny models, its pipeline and its channel; events whose labels can be learned, with some that cannot."""

import random
from contextlib import contextmanager
from pathlib import Path

from support.gitlab.events import Events
from support.gitlab.pipeline import land, new_pipeline, put
from support.gitlab.secrets import NAMES

from sealift_keys.channel.directory import Channel
from sealift_pipeline.training.project.settings import Project
from sealift_pipeline.training.search.scoring import fitted, score

LOCK = Path(__file__).parents[3] / "requirements" / "dev.lock"
POLICY = """format = 1

[issue]
id = { path = "object_attributes.id", type = "int" }
weight = { path = "object_attributes.weight", type = "int" }
estimate = { path = "object_attributes.time_estimate", type = "int" }
spent = { path = "object_attributes.total_time_spent", type = "int" }
title = { path = "object_attributes.title", type = "text" }
labels = { path = "labels[].title", type = "list" }
"""
CODE = """\
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

SPACE = {"max_depth": {"low": 1, "high": 6}}


def rows(events):
    table = events.to_pandas()
    labels = ["bug" if "type::bug" in one else "feature" for one in table["labels"]]
    return table[["weight", "estimate", "spent"]].astype("float64"), labels, table["id"]


def build(params, seed):
    return DecisionTreeClassifier(max_depth=params["max_depth"], random_state=seed)
"""
TEXT_CODE = """\
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

SPACE = {"C": {"low": 0.1, "high": 10.0, "log": True}, "min_df": [1, 2]}


def rows(events):
    table = events.to_pydict()
    labels = ["bug" if "type::bug" in one else "feature" for one in table["labels"]]
    return table["title"], labels, table["id"]


def build(params, seed):
    vectorizer = CountVectorizer(min_df=params["min_df"])
    return make_pipeline(vectorizer, LogisticRegression(C=params["C"], random_state=seed))
"""
TOML = """\
format = 1
name = "triage"
kind = "issue"
code = "triage.py"
lock = "requirements.lock"
channel = "ch"

[search]
trials = 4
batch = 2
"""


def issues(
    number, seed=1, *, noise=0.1, rule=lambda weight, estimate: weight > 4, users=40, first=0, secrets=(), titles=None
):
    """Issues whose label follows from weight and estimate, but for a share of them.

    Titles may hold secrets in turn, or be one of those that `titles` has for the label.
    """
    events, chance, found = Events(seed, size=1_700, users=users), random.Random(seed), []
    events.number = first
    for _ in range(number):
        weight, estimate = chance.randrange(10), chance.randrange(0, 100)
        is_bug = rule(weight, estimate) != (chance.random() < noise)
        event = events.make("issue", weight=weight, time_estimate=estimate, total_time_spent=chance.randrange(5))
        event["labels"] = [{"id": 1, "title": "type::bug" if is_bug else "type::feature"}]
        if titles:
            event["object_attributes"]["title"] = chance.choice(titles[event["labels"][0]["title"]])
        if secrets:
            secret = secrets[len(found) % len(secrets)]
            event["object_attributes"]["title"] = f"{secret} fails after the upgrade {len(found)}"
            if secret in NAMES:
                event["user"] = {**event["user"], "name": secret}
        found.append(event)
    return found


class Training:
    """A pipeline in `events`, a project in `triage.toml`, a channel in `ch`, all below one folder.

    Args:
        bench: a workbench, which made the channel.
        number: of the issues that are landed first.
    """

    def __init__(self, bench, number=600, *, code=CODE, toml=TOML, **how):
        self.bench, self.folder = bench, bench.folder
        self.settings = new_pipeline(self.folder / "events", policy=POLICY)
        (self.folder / "requirements.lock").write_bytes(LOCK.read_bytes())
        self.write(code=code, toml=toml)
        self.landed = 0
        self.land(number, **how)

    def write(self, *, code=None, toml=None):
        """Write the project's files."""
        for name, text in (("triage.py", code), ("triage.toml", toml)):
            if text is not None:
                (self.folder / name).write_text(text)

    def land(self, number, **how):
        """Land issues that are not there yet."""
        put(self.settings, issues(number, **{"seed": self.landed + 1, "first": self.landed} | how), first=self.landed)
        land(self.settings)
        self.landed += number

    @property
    def project(self):
        return Project.load(self.folder / "triage.toml")

    @property
    def channel(self):
        return Channel.open(self.folder / "ch")

    def release(self):
        assert self.bench.bundler("release", "--channel", "ch", "--key", "k")[0] == 0

    def retrain(self, **options):
        """Retrain without processes of its own."""
        from sealift_pipeline.training.retraining import retrain

        return retrain(self.project, self.settings, **{"open_workers": here} | options)


class _Here:
    def __init__(self, code, rows, seed, metric):
        self._asked = (code, rows.part("train", "validation"))
        self._seed, self._metric = seed, metric

    def score(self, asked):
        return [score(*self._asked, params, self._seed, self._metric) for params in asked]

    def fitted(self, params):
        return fitted(*self._asked, params, self._seed)


@contextmanager
def here(code, rows, *, seed, metric, number):
    """Search in this process; test_train_workers holds it against real workers."""
    yield _Here(code, rows, seed, metric)
