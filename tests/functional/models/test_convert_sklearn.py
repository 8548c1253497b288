"""Real tables through real pipelines: the converted model answers as the original, in the caller's dtypes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from vega_datasets import data

from sealift.errors import InputError, UsageError
from sealift_bundler import convert
from sealift_bundler.converters import steps
from sealift_bundler.converters.steps import compose

ROWS = 200


@pytest.fixture(scope="module")
def cars():
    table = data.cars()
    table["maker"] = table.pop("Name").str.split().str[0]
    table["Year"] = table["Year"].astype(str).str[:4]
    table.loc[::9, "maker"] = np.nan
    table["maker"] = table["maker"].astype("str")
    table.loc[::9, "maker"] = np.nan
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


def mixed(columns, encoder=None):
    numeric = [name for name in columns if columns[name].dtype.kind in "fi"]
    text = [name for name in columns if name not in numeric]
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
            (
                "texts",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), encoder or OneHotEncoder(handle_unknown="ignore")
                ),
                text,
            ),
        ],
        sparse_threshold=0,
    )


def agrees(converted, original, rows, atol=1e-5):
    for name in ("predict", "predict_proba", "decision_function"):
        if hasattr(original, name):
            expected, got = getattr(original, name)(rows), getattr(converted, name)(rows)
            assert got.shape == expected.shape
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(got, expected, atol=atol, rtol=1e-5)
            else:
                np.testing.assert_array_equal(got, expected)
                assert got.dtype == expected.dtype


CLASSIFIERS = [
    LogisticRegression(max_iter=1000),
    LinearSVC(),
    SGDClassifier(loss="log_loss", random_state=0),
    LinearDiscriminantAnalysis(),
    RandomForestClassifier(20, random_state=0),
    ExtraTreesClassifier(20, random_state=0),
    GradientBoostingClassifier(n_estimators=10, random_state=0),
    HistGradientBoostingClassifier(max_iter=10, random_state=0),
]
CASES = [(classifier, "str") for classifier in CLASSIFIERS] + [
    (classifier, labels) for classifier in (CLASSIFIERS[0], CLASSIFIERS[4]) for labels in ("bool", "int")
]


@pytest.mark.parametrize(("classifier", "labels"), CASES, ids=lambda value: str(value).split("(")[0])
def test_a_mixed_table_with_missing_values_agrees_on_rows_it_never_saw(cars, classifier, labels):
    rows = cars.drop(columns="Origin")
    target = {"str": cars["Origin"], "bool": cars["Origin"] == "USA", "int": cars["Cylinders"]}[labels]
    train = rows.iloc[:ROWS]
    original = Pipeline([("prepare", mixed(rows)), ("classify", classifier)]).fit(train, target.iloc[:ROWS])
    conversion = convert(original, train)
    assert conversion.parity["labels_wrong"] == 0
    assert conversion.parity["rows"] > ROWS
    agrees(conversion.open(), original, rows.iloc[ROWS:])


def test_missing_values_that_a_step_converts_wrongly_are_refused_by_the_loader(monkeypatch):
    generator = np.random.default_rng(4)
    rows = generator.lognormal(size=(200, 3))
    compose.register_all()
    right = steps.TRANSFORMERS[PowerTransformer]

    def wrong_on_missing(context, estimator, features):
        tensor = steps.numbers(context, right(context, estimator, features), estimator)
        filled = context.graph.add("Where", context.graph.add("IsNaN", tensor), context.graph.constant(0.0), tensor)
        return steps.features_of(filled, len(features))

    monkeypatch.setitem(steps.TRANSFORMERS, PowerTransformer, wrong_on_missing)
    original = make_pipeline(PowerTransformer(), StandardScaler()).fit(rows)
    converted = convert(original, rows).open()
    np.testing.assert_allclose(converted.transform(rows), original.transform(rows), rtol=1e-5, atol=1e-5)
    rows[3, 1] = np.nan
    with pytest.raises(InputError, match="column 1 row 3 is missing"):
        converted.transform(rows)


@pytest.mark.parametrize(
    "regressor",
    [Ridge(), RandomForestRegressor(20, random_state=0), HistGradientBoostingRegressor(max_iter=20)],
    ids=lambda value: type(value).__name__,
)
def test_regressors_agree_on_rows_they_never_saw(cars, regressor):
    rows = cars.drop(columns="Acceleration")
    original = make_pipeline(mixed(rows), regressor).fit(rows.iloc[:ROWS], cars["Acceleration"].iloc[:ROWS])
    conversion = convert(original, rows.iloc[:ROWS])
    agrees(conversion.open(), original, rows.iloc[ROWS:], atol=1e-4)


def test_a_scaled_forest_regressor_is_not_left_in_float32():
    # The known silent error: 27.6 % of rows differ when the scaler computes in float32.
    generator = np.random.default_rng(0)
    prices = pd.DataFrame({"price": np.round(generator.lognormal(3, 1, 600), 2), "at": 1.6e9 + np.arange(600) * 61.7})
    original = make_pipeline(StandardScaler(), RandomForestRegressor(20, random_state=0)).fit(
        prices, prices["price"] * 2
    )
    conversion = convert(original, prices.iloc[:300])
    assert conversion.rung == "float64"
    assert conversion.description.conversion["attempts"][0]["rung"] == "float32"
    assert "threshold" in conversion.description.conversion["attempts"][0]["outcome"]
    agrees(conversion.open(), original, prices.iloc[300:])


def test_integers_above_2_to_the_24_stay_apart():
    numbers = pd.DataFrame({"id": np.arange(2**24, 2**24 + 64), "kind": np.tile([0, 1], 32)})
    encoder = ColumnTransformer([("id", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["id"])])
    original = make_pipeline(encoder, LogisticRegression()).fit(numbers, numbers["kind"])
    conversion = convert(original, numbers)
    assert conversion.rung == "float64"
    agrees(conversion.open(), original, numbers)


def test_binary_discriminant_analysis_has_the_right_probabilities():
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(200, 4))
    original = LinearDiscriminantAnalysis().fit(rows, rows[:, 0] > 0.2)
    agrees(convert(original, rows).open(), original, generator.normal(size=(100, 4)))


def test_pure_leaves_that_tie_fall_as_in_the_original():
    generator = np.random.default_rng(2)
    rows = generator.integers(0, 3, size=(300, 3)).astype(float)
    original = RandomForestClassifier(10, random_state=0).fit(rows, generator.integers(0, 2, 300))
    agrees(convert(original, rows).open(), original, rows)


@pytest.mark.parametrize("drop", [None, "first", "if_binary"])
@pytest.mark.parametrize("handle_unknown", ["ignore", "error", "infrequent_if_exist"])
def test_one_hot_options_agree_on_missing_and_rare_categories(cars, drop, handle_unknown):
    rows = cars[["maker", "Year"]]
    encoder = OneHotEncoder(
        drop=drop,
        handle_unknown=handle_unknown,
        sparse_output=False,
        min_frequency=8 if handle_unknown == "infrequent_if_exist" else None,
    )
    original = make_pipeline(ColumnTransformer([("texts", encoder, ["maker", "Year"])]), LinearSVC())
    original.fit(rows, cars["Origin"])
    converted = convert(original, rows).open()
    agrees(converted, original, rows)
    strange = rows.iloc[:3].assign(maker="zeppelin")
    if handle_unknown == "error":
        with pytest.raises(InputError, match="'maker' row 0 is 'zeppelin'"):
            converted.predict(strange)
    else:
        agrees(converted, original, strange)


def test_ordinal_codes_of_unknown_and_missing_categories_agree(cars):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    rows = cars[["maker"]]
    original = make_pipeline(
        ColumnTransformer([("maker", encoder, ["maker"])]), RandomForestClassifier(5, random_state=0)
    )
    original.fit(rows, cars["Origin"])
    converted = convert(original, rows).open()
    agrees(converted, original, pd.DataFrame({"maker": ["ford", "zeppelin", None]}).astype("str"))


@pytest.mark.parametrize("scaler", [MinMaxScaler(clip=True), RobustScaler(), StandardScaler(with_mean=False)])
def test_a_transformer_alone_agrees(scaler):
    rows = np.random.default_rng(3).normal(size=(100, 3)) * [1, 100, 1e6]
    converted = convert(scaler.fit(rows), rows).open()
    np.testing.assert_allclose(converted.transform(rows), scaler.transform(rows), rtol=1e-5, atol=1e-5)
    with pytest.raises(UsageError, match="has no predict; it has transform, run"):
        converted.predict(rows)


def test_columns_with_spaces_keep_their_names_and_may_come_in_any_order(cars):
    rows = cars[["Weight_in_lbs", "Year"]].rename(columns={"Weight_in_lbs": "my col-1", "Year": "año"})
    original = make_pipeline(mixed(rows), LogisticRegression(max_iter=500)).fit(rows, cars["Origin"])
    converted = convert(original, rows).open()
    assert {column.name for column in converted.description.columns} == {"my col-1", "año"}
    np.testing.assert_array_equal(converted.predict(rows[["año", "my col-1"]].assign(more=1)), original.predict(rows))
    np.testing.assert_array_equal(converted.predict(rows.to_dict("records")), original.predict(rows))
    np.testing.assert_array_equal(converted.predict(rows.to_dict("list")), original.predict(rows))


def test_two_conversions_of_one_model_are_the_same_bytes(cars):
    rows = cars.drop(columns="Origin")
    original = make_pipeline(mixed(rows), LogisticRegression(max_iter=500)).fit(rows, cars["Origin"])
    assert convert(original, rows).files == convert(original, rows).files
