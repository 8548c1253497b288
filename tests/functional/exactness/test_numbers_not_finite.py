"""Rows inside whose pipeline a number is not finite, or overflows: refused as the original refuses them, or right."""

import json
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_approximation import AdditiveChi2Sampler, SkewedChi2Sampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import CategoricalNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, PolynomialFeatures, PowerTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from support.answers.row_by_row import boundary_rows, refused_rows, wrong_rows
from xgboost import XGBClassifier
from xgboost.core import XGBoostError

from sealift import InputError, Model
from sealift.model.engine import refusal
from sealift_bundler import convert

GENERATOR = np.random.default_rng(3)
ROWS = GENERATOR.random((600, 3)) * 9 + 1
LABELS = (ROWS[:, 0] > 5).astype(int)
ODD = np.array([[-1.0, 5, 5], [0.0, 5, 5], [5, -3.0, 5], [5, 5, 0.0], [2.0, 3.0, 4.0]])
LOG = FunctionTransformer(np.log)
BOOSTER = LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)


def converted(original, rows=ROWS, labels=LABELS):
    original.fit(rows[:400], labels[:400])
    return original, convert(original, rows[400:500])


@pytest.mark.parametrize(
    "steps",
    [
        (LOG, LogisticRegression()),
        (FunctionTransformer(np.sqrt), StandardScaler(), LogisticRegression()),
        (LOG, SVC()),
        (LOG, Ridge()),
        (FunctionTransformer(np.log10), RandomForestClassifier(10, random_state=0)),
        (PowerTransformer("box-cox"), LogisticRegression()),
        (LOG, FunctionTransformer(np.nan_to_num), Ridge()),
        (SkewedChi2Sampler(skewedness=1.0, n_components=5, random_state=0), LogisticRegression()),
        (AdditiveChi2Sampler(), LogisticRegression()),
        # It looks for negative numbers in `fit` alone.
        (MultinomialNB(),),
        (KernelRidge(kernel="chi2", gamma=0.1),),
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_what_the_original_refuses_is_refused(steps):
    original, conversion = converted(make_pipeline(*steps))
    model = conversion.open()
    assert wrong_rows(original, model, ODD) == []
    assert refused_rows(original, model, ODD) == 0


@pytest.mark.parametrize("container", [np.asarray, csr_matrix], ids=["array", "sparse"])
def test_xgboost_s_linear_model_takes_no_number_beyond_float32(container):
    rows = ROWS * [1.0, 1e-31, 1.0]
    original = make_pipeline(StandardScaler(with_mean=False), XGBClassifier(booster="gblinear", n_estimators=3))
    original.fit(container(rows[:400]), LABELS[:400])
    model = convert(original, container(rows[400:500])).open()
    for odd in (1e9, -1e9, 1e13):  # scaled, these are beyond the largest float32
        with pytest.raises(XGBoostError, match="too large"):
            original.predict(container([[1.0, odd, 1.0]]))
        with pytest.raises(InputError, match="takes no number beyond the range of float32"):
            model.predict(container([[1.0, odd, 1.0]]))
    large = container([[1.0, 1e3, 1.0], [2.0, 0.0, 9.0]])
    np.testing.assert_allclose(model.predict_proba(large), original.predict_proba(large), 1e-5)


@pytest.mark.parametrize("function", [np.sqrt, np.log1p])
@pytest.mark.parametrize("trained", [np.asarray, csr_matrix], ids=["array", "sparse"])
def test_a_tree_knows_nan_in_an_array_and_not_in_a_sparse_matrix(function, trained):
    original = make_pipeline(FunctionTransformer(function), DecisionTreeClassifier(max_depth=3, random_state=0))
    original.fit(trained(ROWS[:400]), LABELS[:400])
    model = convert(original, trained(ROWS[400:500])).open()
    for odd in ([-2.0, 5, 5], [5, -1e-300, 5], [5, 5, 0.0]):
        for container in (np.asarray, csr_matrix, csc_matrix):
            try:
                expected = original.predict(container([odd])).tolist()
            except ValueError:
                with pytest.raises(InputError):
                    model.predict(container([odd]))
            else:
                with suppress(InputError):  # in the other container than the samples'
                    assert model.predict(container([odd])).tolist() == expected
    own = trained([[5, 5, 0.0], [2.0, 3.0, 4.0]])
    assert model.predict(own).tolist() == original.predict(own).tolist()


def test_the_message_names_the_step_and_the_column():
    frame = pd.DataFrame(ROWS, columns=["price", "weight", "age [y]"])
    columns = make_column_transformer((LOG, ["weight", "age [y]"]), remainder="passthrough")
    original = make_pipeline(columns, LogisticRegression()).fit(frame, LABELS)
    model = convert(original, frame[:100]).open()
    model.predict(frame.assign(price=-1.0))
    with pytest.raises(InputError) as caught:
        model.predict(frame.assign(**{"age [y]": -1.0}))
    assert str(caught.value) == (
        "model 'model' cannot take these values: column 'age [y]': step 'columntransformer.functiontransformer' "
        "(FunctionTransformer) makes a number that is not finite, which step 'logisticregression' (LogisticRegression) "
        "does not take"
    )


def test_an_index_from_the_end_is_no_category():
    rows = GENERATOR.integers(0, 4, (600, 2))
    original, conversion = converted(CategoricalNB(min_categories=4), rows, rows[:, 0] > 1)
    assert wrong_rows(original, conversion.open(), np.array([[-1, 2], [2, -2], [3, 3], [0, 0]])) == []
    original, conversion = converted(CategoricalNB(min_categories=4), rows.astype(float), rows[:, 0] > 1)
    fractions = np.array([[-0.5, 2.9], [2.0, -5e-324], [3.9, -1.0]])
    assert wrong_rows(original, conversion.open(), fractions) == []
    assert refused_rows(original, conversion.open(), fractions) == 0


def test_trees_behind_a_scaler_refuse_what_float32_lacks():
    original, conversion = converted(make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)))
    far = np.array([[1e39, 1, 1], [1, -1e200, 1], [1e30, 1, 1]])
    model = conversion.open()
    assert wrong_rows(original, model, far) == []
    assert refused_rows(original, model, far) == 0


def test_what_overflows_inside_a_power_is_refused_there():
    # The scaler of the step itself raises, and its own numbers are NaN: the power overflowed when it was fitted.
    rows = np.c_[2.0**25 + np.random.default_rng(15).integers(0, 2000, 600), ROWS[:, 0]]
    original, conversion = converted(make_pipeline(PowerTransformer("box-cox"), StandardScaler(), BOOSTER), rows)
    far = np.array([[1e12, 5.0], [8e12, 5.0], [2.0**25 + 7, 5.0]])
    assert wrong_rows(original, conversion.open(), far) == []


@pytest.mark.parametrize("last", [Ridge(), SVC()], ids=["ridge", "svc"])
def test_what_overflows_in_float32_is_refused(last):
    rows = (ROWS / 5).astype(np.float32)
    original = make_pipeline(FunctionTransformer(np.sinh), last).fit(rows[:400], LABELS[:400])
    model = convert(original, rows[400:500]).open()
    far = np.array([[100.0, 1, 1], [80.0, 1, 1], [1.0, 700.0, 1]], dtype=np.float32)
    assert wrong_rows(original, model, far) == []


def test_the_least_number_below_zero_has_no_root():
    original, conversion = converted(make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression()))
    tiny = np.array([[-1e-301, 5, 5], [5, -5e-324, 5], [1e-301, 5, 5]])
    assert wrong_rows(original, conversion.open(), tiny) == []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("first", ["log1p", "sqrt", None])
def test_a_frame_of_sparse_columns(first, dtype):
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"]).astype(pd.SparseDtype(dtype, 0))
    function = FunctionTransformer(first and getattr(np, first))
    original = make_pipeline(function, StandardScaler(with_mean=False), LogisticRegression())
    original.fit(frame[:400], LABELS[:400])
    opened = convert(original, frame[400:500]).open()
    np.testing.assert_allclose(opened.predict_proba(frame[500:]), original.predict_proba(frame[500:]), 1e-5)


@pytest.mark.parametrize(
    "steps",
    [
        (PolynomialFeatures(3), Ridge()),
        (PolynomialFeatures(3), StandardScaler(), LogisticRegression()),
        (FunctionTransformer(np.exp), LinearRegression()),
        (FunctionTransformer(np.square), FunctionTransformer(np.square), LinearRegression()),
        (FunctionTransformer(np.arcsinh), LinearRegression()),
        (FunctionTransformer(np.cos), LinearRegression()),
        (Normalizer(), LinearRegression()),
        (LOG, LinearRegression()),
    ],
    ids=lambda steps: "-".join(getattr(getattr(step, "func", step), "__name__", type(step).__name__) for step in steps),
)
def test_rows_far_beyond_the_samples(steps):
    rows = ROWS - (0 if steps[0] is LOG else 5)
    target = rows[:, 0] * rows[:, 1] > 0 if isinstance(steps[-1], LogisticRegression) else rows[:, 0] + rows[:, 1]
    original, conversion = converted(make_pipeline(*steps), rows, target)
    model = conversion.open()
    far = np.concatenate([rows[:3] * 10.0**power for power in range(1, 16)])
    assert wrong_rows(original, model, far) == []
    assert refused_rows(original, model, far) == 0
    assert wrong_rows(original, model, boundary_rows(rows)) == []


def test_far_rows_alone_refuse_no_model():
    # A number of the order of 1e15 has no second digit behind the point, and float32 not even a first one before it.
    rows = ROWS * 1e3
    _, conversion = converted(make_pipeline(FunctionTransformer(np.sin), LinearRegression()), rows, ROWS[:, 1])
    assert conversion.rung == "float64"
    assert set(conversion.parity["edge_rows"]["far"]) >= {"rows", "possible", "scores_wrong", "refused"}


def test_an_answer_that_is_not_finite_is_never_given():
    original, conversion = converted(make_pipeline(StandardScaler(), LogisticRegression()))
    assert conversion.rung == "float32"
    assert conversion.description.conversion["finite"] is True
    model = conversion.open()
    far = np.array([[3e38, 3e38, -3e38], [-3e38, 3e38, 3e38], [3e38, -3e38, 3e38]])
    assert wrong_rows(original, model, far) == []
    files = dict(conversion.files)
    original, conversion = converted(Ridge(), ROWS, ROWS[:, 0] * 1e5)
    huge = np.full((1, 3), 3e38)
    with pytest.raises(InputError, match="the answer for row 0 is not a finite number"):
        conversion.open().predict(huge)
    # A bundle of an older release promises nothing, and answers as it always did.
    files = dict(conversion.files)
    document = json.loads(files["model.json"])
    del document["conversion"]["finite"]
    files["model.json"] = json.dumps(document).encode()
    assert np.isinf(Model.from_files(files).predict(huge)).all()


def test_answers_that_are_infinite_in_the_original_stay_so():
    from sklearn.compose import TransformedTargetRegressor

    model = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp, check_inverse=False)
    original, conversion = converted(model, ROWS, np.exp(ROWS[:, 0]))
    far = np.array([[1e9, 1, 1]])
    assert np.isinf(original.predict(far)).all()
    assert np.isinf(conversion.open().predict(far)).all()


@pytest.mark.parametrize(
    ("name", "index", "expected"),
    [
        ('refuses: step \'a\' takes no "b" ["x", "it\'s [y]"]_12', 2, 'column "it\'s [y]": step \'a\' takes no "b"'),
        ("refuses: step takes none_3", 1, "step takes none"),
        ('refuses: step ["x"]_3', 7, "step"),
        ('refuses: step ["x"_3', 1, 'step ["x"'),
        ("gather_3", 1, None),
    ],
)
def test_the_refusal_of_an_operator(name, index, expected):
    error = (
        "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Non-zero status code returned while running Gather node. "
        f"Name:'{name}' Status Message: indices element out of data bounds, idx={index} must be within the inclusive "
        "range [-1,0]"
    )
    assert refusal(error) == expected
