"""A model of texts and one of a table, with the rows that they learned from."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TEXTS = ["job fails with a timeout", "dark mode please", "the runner fails", "nicer colors please"] * 10
LABELS = ["bug", "feature"] * 20
_GENERATOR = np.random.default_rng(0)
TABLE = pd.DataFrame({"size": _GENERATOR.normal(size=60) * 100, "kind": _GENERATOR.choice(["a", "b"], 60)})
HIGH = np.where(TABLE["size"] > 0, "high", "low")
ADDRESS = "maria.kowalska@customer-bank.example"


def text_model(vectorizer=None):
    return make_pipeline(vectorizer or TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)


def table_model():
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((StandardScaler(), ["size"]), (encoder, ["kind"]))
    return make_pipeline(columns, LogisticRegression()).fit(TABLE, HIGH)
