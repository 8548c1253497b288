"""Scalers compute in float32 what they are given in float32, and a graph does so, too: trees behind them see the same."""

import numpy as np
import pandas as pd
import pytest
from hunt.boundaries import boundaries
from lightgbm import LGBMRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from support.answers.row_by_row import refused_rows, wrong_rows
from xgboost import XGBRegressor

from sealift import InputError
from sealift_bundler import convert

ROWS = np.round(np.random.default_rng(31).lognormal(3, 2, (700, 3)), 1).astype(np.float32)


SCALERS = {
    "standard": StandardScaler(),
    "without mean": StandardScaler(with_mean=False),
    "robust": RobustScaler(),
    "least": MinMaxScaler(clip=True),
    "largest": MaxAbsScaler(),
    "two": make_pipeline(MinMaxScaler(), StandardScaler()),
}
MODELS = {
    "trees": RandomForestRegressor(3, random_state=0),
    "boosting": HistGradientBoostingRegressor(max_iter=3),
    "xgboost": XGBRegressor(n_estimators=3),
    "lightgbm": LGBMRegressor(n_estimators=3, verbose=-1),
    "bins": make_pipeline(KBinsDiscretizer(8, encode="ordinal"), DecisionTreeRegressor(random_state=0)),
}


@pytest.mark.parametrize(
    ("scaler", "last", "fitted_on"),
    [
        *((scaler, "trees", "float32") for scaler in SCALERS),
        *((scaler, "trees", "float64") for scaler in SCALERS),
        *(("standard", last, "float32") for last in MODELS if last != "trees"),
        ("least", "lightgbm", "float64"),
    ],
)
def test_scalers_of_float32_scale_in_float32(scaler, last, fitted_on):
    seen = ROWS[:300].astype(fitted_on)
    original = make_pipeline(SCALERS[scaler], MODELS[last]).fit(seen, seen.sum(axis=1))
    model = convert(original, ROWS[300:400]).open()
    odd = boundaries(original.predict, ROWS, np.random.default_rng(32), 1000)
    assert wrong_rows(original, model, np.concatenate([ROWS, odd])) == []
    assert refused_rows(original, model, ROWS) == 0


def test_other_widths_are_refused_and_frames_answered():
    original = make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)).fit(ROWS[:300], ROWS[:300, 0])
    model = convert(original, ROWS[300:400]).open()
    with pytest.raises(InputError, match="has dtype float64; the model was proven on float32"):
        model.predict(ROWS.astype(np.float64))
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    named = make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)).fit(frame[:300], ROWS[:300, 0])
    model = convert(named, frame[300:400]).open()
    odd = pd.DataFrame(boundaries(original.predict, ROWS, np.random.default_rng(33), 1000), columns=["a", "b", "c"])
    for rows in (frame, odd):
        assert np.array_equal(model.predict(rows), named.predict(rows))
    # One column of float64, and scikit-learn computes in that.
    mixed = frame.astype({"a": "float64"})
    wide = make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)).fit(mixed[:300], ROWS[:300, 0])
    assert np.array_equal(convert(wide, mixed[300:400]).open().predict(mixed), wide.predict(mixed))
