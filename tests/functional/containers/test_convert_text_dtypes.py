"""Text columns of every dtype of pandas, in every encoder: the same answers in every container, missing ones included."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from sealift import InputError
from sealift_bundler import convert

pytestmark = pytest.mark.usefixtures("opened_here")

ROWS = 300
GENERATOR = np.random.default_rng(9)
FRAME = pd.DataFrame(
    {
        "n": GENERATOR.normal(size=ROWS),
        "k": GENERATOR.integers(0, 9, ROWS),
        "city": GENERATOR.choice(["Oslo", "Lima", "Zürich", "Åre"], ROWS),
        "size": GENERATOR.choice(["S", "M", "L"], ROWS),
    }
)
TARGET = ((FRAME["n"] > 0) | (FRAME["city"] == "Oslo")).astype(int)
TEXTS = ["city", "size"]


def cast(dtype):
    return lambda frame: frame.astype(dict.fromkeys(TEXTS, dtype))


DTYPES = {
    "default": lambda frame: frame,
    "object": cast(object),
    "string": cast("string"),
    "string[pyarrow]": cast("string[pyarrow]"),
    "Arrow": cast(pd.ArrowDtype(pa.string())),
    "convert_dtypes": lambda frame: frame.convert_dtypes(),
    "convert_dtypes to Arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
}
ENCODERS = {
    "one hot": lambda: OneHotEncoder(handle_unknown="ignore"),
    "infrequent": lambda: OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.3),
    "ordinal": lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "closed": OrdinalEncoder,
    "target": lambda: TargetEncoder(cv=2),
}


def pipeline(encoder):
    return make_pipeline(
        ColumnTransformer([("n", StandardScaler(), ["n", "k"]), ("c", encoder, TEXTS)]), LogisticRegression()
    )


def served(frame):
    """Rows in every dtype, some with a city that nobody knows, some with each kind of missing one."""
    for dtype in DTYPES.values():
        yield dtype(frame)
        for hole in ("Rome", None, np.nan, pd.NA):
            rows = dtype(frame).copy()
            if not (isinstance(hole, float) and isinstance(rows["city"].dtype, pd.ArrowDtype)):
                rows.loc[rows.index[::5], "city"] = hole
                yield rows


def answer(model, rows):
    try:
        return model.predict_proba(rows)
    except (InputError, ValueError):
        return None


PAIRS = [
    *((dtype, "one hot") for dtype in DTYPES),
    *((dtype, name) for dtype in ("object", "string") for name in ENCODERS),
]


@pytest.mark.parametrize(("dtype", "encoder"), dict.fromkeys(PAIRS))
def test_texts_of_any_dtype_are_answered_in_any_other(dtype, encoder):
    rows = DTYPES[dtype](FRAME)
    original = pipeline(ENCODERS[encoder]()).fit(rows[:100], TARGET[:100])
    model = convert(original, rows[100:200]).open()
    for given in served(FRAME[200:]):
        expected, got = answer(original, given), answer(model, given)
        assert (expected is None) == (got is None), given["city"].dtype
        if expected is not None:
            np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("hole", [None, np.nan], ids=["None", "NaN"])
def test_an_encoder_that_learned_a_missing_text_tells_its_kinds_apart(hole):
    rows = FRAME.astype({"city": object})
    rows.loc[::4, "city"] = hole
    original = pipeline(OneHotEncoder(handle_unknown="ignore")).fit(rows[:100], TARGET[:100])
    model = convert(original, rows[100:200]).open()
    np.testing.assert_allclose(model.predict_proba(rows), original.predict_proba(rows), atol=1e-5)
    other = rows.assign(city=[np.nan if hole is None else None if not isinstance(v, str) else v for v in rows["city"]])
    other["city"] = other["city"].astype(object)
    other.loc[::4, "city"] = np.nan if hole is None else None
    with pytest.raises(InputError, match=r"'city' row 0 is missing as .*; the model was proven with"):
        model.predict(other)


@pytest.mark.parametrize("hole", [None, np.nan], ids=["None", "NaN"])
@pytest.mark.parametrize("encoded", [np.nan, -5.0])
def test_an_ordinal_encoder_gives_none_a_code_of_its_own(hole, encoded):
    cities = pd.Series(GENERATOR.choice(np.array(["a", "b", "c"], dtype=object), ROWS), dtype=object)
    cities[::3] = hole
    rows, target = pd.DataFrame({"city": cities}), (cities == "a").astype(int)
    encoder = OrdinalEncoder(encoded_missing_value=encoded)
    original = make_pipeline(encoder, RandomForestClassifier(5, random_state=0)).fit(rows[:150], target[:150])
    np.testing.assert_array_equal(convert(original, rows[150:]).open().predict(rows), original.predict(rows))
    alone = OrdinalEncoder(encoded_missing_value=encoded).fit(rows)
    np.testing.assert_array_equal(convert(alone, rows[150:]).open().transform(rows), alone.transform(rows))
