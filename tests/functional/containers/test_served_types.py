"""What is served may have other types than what was trained on: the original's answer, or a refusal."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift import InputError
from sealift_bundler import convert


@pytest.fixture(scope="module")
def scaled():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 3)) * [1, 100, 1e6]
    model = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=20)).fit(
        rows, rows[:, 0] + rows[:, 1] / 100 > 0
    )
    return model, rows, convert(model, rows).open()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "int16", "int32", "uint64"])
def test_numbers_of_another_width_are_refused(dtype, scaled):
    _, rows, converted = scaled
    with pytest.raises(InputError, match=rf"dtype {dtype}; the model was proven on float64.*astype\('float64'\)"):
        converted.predict(rows.astype(dtype))


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda x: x.astype(">f8"), lambda x: x.tolist(), lambda x: np.round(x).astype("int64")],
)
def test_the_same_numbers_otherwise_laid_out_are_answered(change, scaled):
    model, rows, converted = scaled
    served = change(rows)
    assert (converted.predict(served) == model.predict(served)).all()


def _cities(missing):
    rng = np.random.default_rng(1)
    values = rng.choice(["Paris", "Köln", "Łódź", "x"], size=300).astype(object)
    labels = values == "Köln"
    values[values == "x"] = missing
    frame = pd.DataFrame({"city": pd.Series(values, dtype=object), "n": rng.normal(size=300)})
    model = make_pipeline(
        ColumnTransformer([("city", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="passthrough"),
        LogisticRegression(),
    ).fit(frame, labels | (frame["n"] > 1))
    return model, frame, convert(model, frame).open()


@pytest.mark.parametrize(("trained", "served"), [(None, np.nan), (np.nan, None), (np.nan, pd.NA)], ids=str)
def test_another_kind_of_missing_text_is_refused(trained, served):
    model, frame, converted = _cities(trained)
    assert (converted.predict(frame) == model.predict(frame)).all()
    other = frame.copy()
    other.loc[other["city"].isna(), "city"] = served
    other["city"] = other["city"].astype(object)
    other.loc[frame["city"].isna().to_numpy(), "city"] = served
    with pytest.raises(InputError, match=r"'city' row \d+ is missing as"):
        converted.predict(other)


def test_rows_without_dtypes_take_either_kind():
    model, frame, converted = _cities(None)
    records = [
        {"city": None if pd.isna(city) else city, "n": n} for city, n in zip(frame["city"], frame["n"], strict=True)
    ]
    assert (converted.predict(records) == model.predict(frame)).all()
