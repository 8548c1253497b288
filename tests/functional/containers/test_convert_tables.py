"""A loaded model takes the same rows as pandas, polars, Arrow, dicts and records; what does not fit is named."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sealift.errors import InputError
from sealift_bundler import convert

GENERATOR = np.random.default_rng(11)
ROWS = 120
FRAME = pd.DataFrame(
    {
        "price": GENERATOR.lognormal(3, 1, ROWS),
        "count": GENERATOR.integers(0, 9, ROWS),
        "sold": GENERATOR.integers(0, 2, ROWS).astype(bool),
        "city": GENERATOR.choice(["Zürich", "Genève", "東京"], ROWS),
    }
)
FRAME.loc[::6, "price"] = np.nan
FRAME.loc[::5, "city"] = np.nan
TARGET = np.where(FRAME["count"] > 4, "many", "few")


@pytest.fixture(scope="module")
def original():
    columns = make_column_transformer(
        (SimpleImputer(), ["price", "count", "sold"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
    )
    return make_pipeline(columns, LogisticRegression()).fit(FRAME, TARGET)


@pytest.fixture(scope="module")
def model(original):
    return convert(original, FRAME).open()


# Of a missing text polars and Arrow make None, which the original tells from NaN.
FULL = FRAME[FRAME["city"].notna()].reset_index(drop=True)


def arrow(frame=FULL):
    return pa.Table.from_pandas(frame, preserve_index=False)


def records():
    rows = FRAME.astype(object).where(FRAME.notna(), None)
    return rows.to_dict("records")


TABLES = {
    "pandas": lambda: FRAME,
    "pandas, other order": lambda: FRAME[FRAME.columns[::-1]].assign(more=1),
    "pandas, object": lambda: FRAME.astype({"city": object}),
    "pandas, category": lambda: FRAME.astype({"city": "category"}),
    "pandas, nullable numbers": lambda: FRAME.convert_dtypes(convert_string=False),
    "columns": lambda: {name: FRAME[name].to_numpy() for name in FRAME},
    "records": records,
}
LIBRARIES = {
    "polars": lambda: pl.from_arrow(arrow()),
    "polars, categorical": lambda: pl.from_arrow(arrow()).with_columns(pl.col("city").cast(pl.Categorical)),
    "polars, small integers": lambda: pl.from_arrow(arrow()).with_columns(pl.col("count").cast(pl.Int8)),
    "pyarrow table": arrow,
    "pyarrow, several chunks": lambda: pa.concat_tables([arrow().slice(0, 50), arrow().slice(50)]),
    "pyarrow batch": lambda: arrow().combine_chunks().to_batches()[0],
    "pyarrow dictionary": lambda: arrow().set_column(3, "city", arrow()["city"].dictionary_encode()),
}


@pytest.mark.parametrize("table", [*TABLES.values(), *LIBRARIES.values()], ids=[*TABLES, *LIBRARIES])
def test_every_kind_of_table_gives_the_same_answers(original, model, table):
    expected = FRAME if table in TABLES.values() else FULL
    np.testing.assert_array_equal(model.predict(table()), original.predict(expected))
    np.testing.assert_allclose(model.predict_proba(table()), original.predict_proba(expected), atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda: FRAME.assign(city=FRAME["city"].astype(object).where(FRAME["city"].notna(), None)),
        FRAME.convert_dtypes,
        lambda: FRAME.convert_dtypes(dtype_backend="pyarrow"),
        lambda: pl.from_pandas(FRAME),
        lambda: arrow(FRAME),
    ],
    ids=["None", "nullable", "arrow", "polars", "arrow table"],
)
def test_a_missing_text_of_a_kind_that_the_original_tells_apart_is_refused(model, change):
    with pytest.raises(
        InputError, match=r"'city' row \d+ is missing as (None|pandas.NA); the model was proven with NaN"
    ):
        model.predict(change())


def test_an_unseen_category_is_what_it_was(original, model):
    rows = FRAME.assign(city="unseen")
    np.testing.assert_allclose(model.predict_proba(pl.from_pandas(rows)), original.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize("make", [lambda rows: rows, pl.from_pandas, pa.Table.from_pandas])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="city"), "column 'city' is missing"),
        (lambda frame: frame.assign(price="cheap"), "column 'price'.*expected .*number"),
        (lambda frame: frame.assign(city=1.5), "column 'city'.*expected text"),
        (lambda frame: frame.assign(count=2.5), "column 'count' row 0 has a fraction"),
        (lambda frame: frame.assign(price=np.inf), "column 'price' row 0 is infinite"),
        (lambda frame: frame.assign(price=pd.Timestamp("2026-01-01")), "column 'price'.*datetime"),
    ],
)
def test_what_does_not_fit_is_named(model, make, change, message):
    with pytest.raises(InputError, match=message):
        model.predict(make(change(FULL)))


def test_a_column_of_lists_is_an_extra_dimension(model):
    rows = pl.from_pandas(FULL).with_columns(price=pl.lit([1.0, 2.0]))
    with pytest.raises(InputError, match="column 'price'"):
        model.predict(rows)


def test_samples_may_be_polars_or_arrow(original):
    for samples in (pl.from_pandas(FRAME), arrow(FRAME)):
        converted = convert(original, samples).open()
        # The original was trained on NaN, and does not know None.
        assert not np.allclose(original.predict_proba(samples), original.predict_proba(FRAME))
        np.testing.assert_allclose(converted.predict_proba(samples), original.predict_proba(samples), atol=1e-6)
