"""Estimators of a team's own: a converter that is registered with skl2onnx gets the last rung, and must prove itself."""

import re
import sys
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import joblib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, RegressorMixin, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF
from sklearn.ensemble import VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sealift.errors import UsageError
from sealift_bundler import ConversionError, ParityError, SourceError, convert
from sealift_bundler.cli import command
from sealift_bundler.proof import ladder
from sealift_bundler.release.adding import add
from sealift_bundler.release.recipes.recipe import Recipe
from sealift_common.console import run
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command as keys_command
from sealift_keys.keyfiles import pbes2

GENERATOR = np.random.default_rng(3)
ROWS, HELD_BACK = GENERATOR.normal(size=(120, 3)), GENERATOR.normal(size=(50, 3))
TARGET = np.where(ROWS[:, 0] + ROWS[:, 1] > 0, "yes", "no")
BOUND = 0.8


class Clipped(TransformerMixin, BaseEstimator):
    """What the tests' own steps have in common: values beyond a bound are cut off."""

    WRITTEN = BOUND

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def transform(self, rows):
        return np.clip(np.asarray(rows, dtype=np.float64), -BOUND, BOUND)


class ClippedFloat32(Clipped):
    """Its converter is made for float32 alone."""


class ClippedWrong(Clipped):
    """Its converter cuts elsewhere."""

    WRITTEN = BOUND * 1.01


class ClippedInBranch(Clipped):
    """Its converter writes a branch whose graph takes a constant from outside."""


class ClippedCounts(Clipped):
    """It takes sparse rows, as vectorizers give them."""

    def transform(self, rows):
        return super().transform(rows.toarray())


class Unregistered(Clipped):
    """Nobody has registered it."""


class Lengths(TransformerMixin, BaseEstimator):
    """A step over text: a number for each city that it knows."""

    KNOWN = ("Bern", "Genève")

    def fit(self, rows, target=None):
        self.n_features_in_ = 1
        return self

    def transform(self, rows):
        return np.array([[float(len(city)) if city in self.KNOWN else -1.0] for city in np.ravel(rows)])


class OwnVectorizer(Lengths):
    """Texts, one a row, in place of a column."""

    def build_analyzer(self):
        return str.split


class Sign(ClassifierMixin, BaseEstimator):
    """A classifier with probabilities: is the sum of a row positive?"""

    def fit(self, rows, target):
        self.classes_ = np.unique(target)
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict_proba(self, rows):
        positive = 1 / (1 + np.exp(-np.asarray(rows).sum(axis=1, keepdims=True)))
        return np.hstack([1 - positive, positive])

    def predict(self, rows):
        return self.classes_[(np.asarray(rows).sum(axis=1) > 0).astype(int)]


class Above(ClassifierMixin, BaseEstimator):
    """A classifier with scores alone: is the first column positive?"""

    def fit(self, rows, target):
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def decision_function(self, rows):
        return np.asarray(rows)[:, 0]

    def predict(self, rows):
        return (self.decision_function(rows) > 0).astype(np.int64)


class LabelAlone(BaseEstimator):
    """A classifier that does not say so, and whose converter leaves the probabilities out."""

    fit, predict, predict_proba = Sign.fit, Sign.predict, Sign.predict_proba


class Halves(ClusterMixin, BaseEstimator):
    """A clusterer: is the first column positive?"""

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict(self, rows):
        return (np.asarray(rows)[:, 0] > 0).astype(np.int64)


class Total(RegressorMixin, BaseEstimator):
    """A regressor: the sum of a row."""

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict(self, rows):
        return np.asarray(rows).sum(axis=1)


class OwnKNeighbors(KNeighborsClassifier):
    """A subclass may compute something else."""


class OwnPipeline(Pipeline):
    """A pipeline of a team's own, as imbalanced-learn has one."""


def no_shape(operator):
    raise AssertionError("not called")


def no_converter(scope, operator, container):
    raise AssertionError("not called")


def same_shape(operator):
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, operator.raw_operator.n_features_in_])


def bounds(scope, container, dtype, bound):
    names = [scope.get_unique_variable_name(name) for name in ("low", "high")]
    for name, value in zip(names, (-bound, bound), strict=True):
        container.add_initializer(name, dtype, [], [value])
    return names


def clip(scope, operator, container):
    double = type(operator.inputs[0].type).__name__.startswith("Double")
    bound = operator.raw_operator.WRITTEN
    low, high = bounds(scope, container, TensorProto.DOUBLE if double else TensorProto.FLOAT, bound)
    container.add_node("Clip", [operator.inputs[0].full_name, low, high], operator.outputs[0].full_name, op_version=13)


def clip_float32(scope, operator, container):
    assert isinstance(operator.inputs[0].type, FloatTensorType), "made for float32"
    clip(scope, operator, container)


def clip_in_branch(scope, operator, container):
    double = type(operator.inputs[0].type).__name__.startswith("Double")
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    low, high = bounds(scope, container, kind, BOUND)
    source = operator.inputs[0].full_name
    branches = {}
    for name in ("then_branch", "else_branch"):
        out = helper.make_tensor_value_info(f"{name}_out", kind, [None, None])
        node = helper.make_node("Clip", [source, low, high], [f"{name}_out"])
        branches[name] = helper.make_graph([node], name, [], [out])
    yes = scope.get_unique_variable_name("yes")
    container.add_initializer(yes, TensorProto.BOOL, [], [True])
    container.add_node("If", [yes], operator.outputs[0].full_name, op_version=16, **branches)


def length_shape(operator):
    operator.outputs[0].type = FloatTensorType([None, 1])


def length(scope, operator, container):
    known = operator.raw_operator.KNOWN
    container.add_node(
        "LabelEncoder", operator.inputs[0].full_name, operator.outputs[0].full_name, op_domain="ai.onnx.ml", op_version=2,
        keys_strings=list(known), values_floats=[float(len(city)) for city in known], default_float=-1.0,
    )  # fmt: skip


def sign_shape(operator):
    text = operator.raw_operator.classes_.dtype.kind in "OU"
    operator.outputs[0].type = (StringTensorType if text else Int64TensorType)([None])
    operator.outputs[1].type = operator.inputs[0].type.__class__([None, 2])


def sign(scope, operator, container):
    def add(operation, inputs, **attributes):
        name = scope.get_unique_variable_name("inner")
        container.add_node(operation, inputs, name, **attributes)
        return name

    kind = TensorProto.DOUBLE if type(operator.inputs[0].type).__name__.startswith("Double") else TensorProto.FLOAT
    constants = {}
    for name, dtype, shape, values in (
        ("zero", kind, [], [0.0]), ("one", kind, [], [1.0]), ("axis", TensorProto.INT64, [1], [1]),
        ("flat", TensorProto.INT64, [1], [-1]),
        ("names", TensorProto.STRING, [2], [str(label).encode() for label in operator.raw_operator.classes_]),
    ):  # fmt: skip
        constants[name] = scope.get_unique_variable_name(name)
        container.add_initializer(constants[name], dtype, shape, values)
    total = add("ReduceSum", [operator.inputs[0].full_name, constants["axis"]], op_version=13, keepdims=1)
    positive = add("Sigmoid", [total], op_version=13)
    negative = add("Sub", [constants["one"], positive], op_version=14)
    container.add_node("Concat", [negative, positive], operator.outputs[1].full_name, op_version=13, axis=1)
    index = add(
        "Cast", [add("Greater", [total, constants["zero"]], op_version=13)], op_version=13, to=TensorProto.INT64
    )
    label = add(
        "Gather", [constants["names"], add("Reshape", [index, constants["flat"]], op_version=14)], op_version=13
    )
    container.add_node("Identity", label, operator.outputs[0].full_name, op_version=16)


def above_shape(operator):
    operator.outputs[0].type = Int64TensorType([None])
    for output in operator.outputs[1:]:
        output.type = operator.inputs[0].type.__class__([None, 1])


def above(scope, operator, container):
    kind = TensorProto.DOUBLE if type(operator.inputs[0].type).__name__.startswith("Double") else TensorProto.FLOAT
    zero, first, score, yes = (scope.get_unique_variable_name(name) for name in ("zero", "first", "score", "yes"))
    container.add_initializer(zero, kind, [], [0.0])
    container.add_initializer(first, TensorProto.INT64, [1], [0])
    container.add_node("Gather", [operator.inputs[0].full_name, first], score, op_version=13, axis=1)
    container.add_node("Greater", [score, zero], yes, op_version=13)
    container.add_node("Cast", yes, operator.outputs[0].full_name, op_version=13, to=TensorProto.INT64)
    for output in operator.outputs[1:]:
        container.add_node("Identity", score, output.full_name, op_version=16)


def total_shape(operator):
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, 1])


def total(scope, operator, container):
    axis = scope.get_unique_variable_name("axis")
    container.add_initializer(axis, TensorProto.INT64, [1], [1])
    source = operator.inputs[0].full_name
    container.add_node("ReduceSum", [source, axis], operator.outputs[0].full_name, op_version=13, keepdims=1)


@pytest.fixture(autouse=True)
def registered():
    """skl2onnx's registry is the process's own: these classes are in no other test."""
    for kind, shape, write in (
        (Clipped, same_shape, clip),
        (ClippedFloat32, same_shape, clip_float32),
        (ClippedWrong, same_shape, clip),
        (ClippedInBranch, same_shape, clip_in_branch),
        (ClippedCounts, same_shape, clip),
        (OwnKNeighbors, no_shape, no_converter),
        (Lengths, length_shape, length),
        (OwnVectorizer, length_shape, length),
        (Total, total_shape, total),
        (Above, above_shape, above),
        (Halves, above_shape, above),
        (LabelAlone, above_shape, above),
    ):
        update_registered_converter(kind, f"Test{kind.__name__}", shape, write)
    options = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}
    update_registered_converter(Sign, "TestSign", sign_shape, sign, options=options)


def agrees(conversion, original, rows):
    model = conversion.open()
    for method in conversion.description.methods:
        expected = getattr(original, method)(rows)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(getattr(model, method)(rows), expected, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(getattr(model, method)(rows), expected)


@pytest.mark.parametrize("step", [Clipped, ClippedFloat32, ClippedInBranch])
def test_a_step_of_our_own_between_known_ones_proves_itself_on_the_last_rung(step):
    original = make_pipeline(StandardScaler(), step(), LogisticRegression()).fit(ROWS, TARGET)
    conversion = convert(original, ROWS)
    assert conversion.rung == "skl2onnx"
    first, last = conversion.description.conversion["attempts"]
    assert first["rung"] == "float32"
    assert f"step '{step.__name__.lower()}' ({step.__name__}): only skl2onnx" in first["outcome"]
    assert last == {"rung": "skl2onnx", "outcome": "proven"}
    assert conversion.parity["rows"] > conversion.parity["caller_rows"] == len(ROWS)
    assert conversion.files["golden.json"] == convert(original, ROWS).files["golden.json"]
    assert b'"predict_proba"' in conversion.files["golden.json"]
    agrees(conversion, original, HELD_BACK)


@pytest.mark.parametrize(
    "original",
    [Clipped(), Sign(), Above(), Halves(), Total(), VotingRegressor([("a", Total()), ("b", LinearRegression())])],
)
def test_an_estimator_of_our_own_is_the_whole_model_or_inside_a_known_one(original):
    target = ROWS[:, 0] if isinstance(original, RegressorMixin) else TARGET
    conversion = convert(original.fit(ROWS, target), ROWS)
    assert conversion.rung == "skl2onnx"
    agrees(conversion, original, HELD_BACK)


def test_a_step_of_our_own_over_a_text_column():
    frame = pd.DataFrame({"city": ["Bern", "Genève", "Zug", "Bern"] * 10, "n": np.arange(40.0)})
    steps = make_column_transformer((Lengths(), ["city"]), (StandardScaler(), ["n"]))
    original = make_pipeline(steps, LinearRegression()).fit(frame, frame["n"])
    agrees(convert(original, frame), original, frame)


def test_a_step_of_our_own_behind_a_vectorizer():
    texts = ["good day", "bad day", "good night", "bad night bad"] * 5
    original = make_pipeline(CountVectorizer(), ClippedCounts(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 5)
    conversion = convert(original, texts)
    assert conversion.rung == "frontend-skl2onnx"
    agrees(conversion, original, [*texts, "goodé day", "", "bad\u00a0night"])


def test_a_registered_converter_that_is_wrong_does_not_get_past_parity():
    original = make_pipeline(StandardScaler(), ClippedWrong(), LogisticRegression()).fit(ROWS, TARGET)
    with pytest.raises(ParityError, match=r"does not answer as the original: .* Rungs tried: float32, skl2onnx"):
        convert(original, ROWS)


@pytest.fixture
def built(monkeypatch):
    """The rungs that were built, by name."""
    names = []
    build = ladder._build
    monkeypatch.setattr(ladder, "_build", lambda rung: (names.append(rung.name), build(rung))[1])
    return names


@pytest.mark.parametrize("step", [Unregistered(), NMF(3, init="nndsvda", max_iter=1000)])
def test_a_step_that_nobody_knows_is_refused_once_with_the_way_out(built, step):
    original = make_pipeline(step, LinearRegression()).fit(np.abs(ROWS), ROWS[:, 0])
    with pytest.raises(ConversionError, match=f"{type(step).__name__}.*neither Sealift nor skl2onnx.*register one"):
        convert(original, np.abs(ROWS))
    assert built == ["float32"]


def test_without_skl2onnx_the_refusal_names_it(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    original = make_pipeline(Clipped(), LinearRegression()).fit(ROWS, ROWS[:, 0])
    with pytest.raises(
        ConversionError, match=r"'clipped' \(Clipped\): .*skl2onnx.* is not installed; install skl2onnx"
    ):
        convert(original, ROWS)
    assert built == ["float32"]


@pytest.mark.parametrize(
    "original",
    [
        make_pipeline(Clipped(), KNeighborsClassifier()),
        OwnPipeline([("scale", StandardScaler()), ("near", KNeighborsClassifier())]),
        OwnKNeighbors(),
    ],
)
def test_what_is_refused_for_ties_is_not_let_in_by_skl2onnx(original):
    rows = np.round(ROWS)
    with pytest.raises(ConversionError, match="equal distances"):
        convert(original.fit(rows, TARGET), rows)


def test_a_vectorizer_is_not_let_in_by_skl2onnx_either():
    texts = ["good day", "bad day", "good night", "bad night bad"] * 5
    original = OwnPipeline([("count", CountVectorizer()), ("model", LogisticRegression())]).fit(texts, [1, 0, 1, 0] * 5)
    with pytest.raises(ConversionError, match=r"it holds a CountVectorizer: ONNX's own tokenizer"):
        convert(original, texts)


def test_a_vectorizer_of_our_own_with_a_converter_of_our_own():
    texts = ["Bern", "Genève", "Zug", "Bern"] * 10
    original = make_pipeline(OwnVectorizer(), LinearRegression()).fit(texts, np.arange(40.0))
    conversion = convert(original, texts)
    assert (conversion.rung, conversion.description.interface) == ("frontend-skl2onnx", "text")
    agrees(conversion, original, [*texts, "", "Genève "])


def test_a_converter_that_leaves_the_probabilities_out_is_refused_by_name():
    with pytest.raises(ConversionError, match=r"'model' \(LabelAlone\): its converter gives the label alone"):
        convert(LabelAlone().fit(ROWS, ROWS[:, 0] > 0), ROWS)


def test_a_converter_that_raises_is_refused_with_its_reason(built):
    original = OwnPipeline([("one", Unregistered()), ("two", LinearRegression())]).fit(ROWS, ROWS[:, 0])
    with pytest.raises(ConversionError, match=r"step 'model' \(OwnPipeline\): skl2onnx cannot convert it \(Missing"):
        convert(original, ROWS)
    assert built == ["float32", "skl2onnx"]


STEPS = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Clipped(TransformerMixin, BaseEstimator):
    low, high = -0.5, 0.5

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def transform(self, rows):
        return np.clip(rows, self.low, self.high)
"""
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "build" / "build-a-release.md"


def registration(package):
    """The module that the page about releases shows, for this package."""
    block = re.search(r"^ +```python\n(.*?)^ +```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    return dedent(block[1]).replace("our.steps", f"{package}.steps")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A team's package: `steps` defines a class, `registration` registers its converter; a model and a recipe of it."""
    name = f"team_{tmp_path.name}"
    folder = tmp_path / "lib" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "steps.py").write_text(STEPS)
    (folder / "registration.py").write_text(registration(name))
    (folder / "broken.py").write_text("raise ValueError('no\\ngood')\n")
    (folder / "leaving.py").write_text("raise SystemExit(3)\n")
    (folder / "needy.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    steps = import_module(f"{name}.steps")
    original = make_pipeline(StandardScaler(), steps.Clipped(), LogisticRegression()).fit(ROWS, TARGET)
    joblib.dump(original, tmp_path / "model.joblib")
    np.save(tmp_path / "rows.npy", ROWS)
    return name


@pytest.fixture
def channel(tmp_path, monkeypatch):
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
    key, folder = str(tmp_path / "key"), str(tmp_path / "channel")
    assert run(keys_command, "sealift-keys", ["new", key]) == 0
    assert run(keys_command, "sealift-keys", ["init", folder, "--name", "models", "--key", key]) == 0
    return Channel.open(folder)


def trusted(package):
    return [f"{package}.steps.Clipped"]


def recipe(folder, imports, names):
    text = f'name = "m"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "rows.npy"\nimport = {imports}\n'
    text += f"trust_globals = {names}\n"
    (folder / "recipe.toml").write_text(text)
    return Recipe.load(folder / "recipe.toml")


def test_a_recipe_names_the_module_that_registers_the_converter(package, tmp_path, channel):
    added = add(recipe(tmp_path, [f"{package}.registration"], trusted(package)), channel)
    assert (added.outcome, added.conversions[""].rung) == ("added", "skl2onnx")
    # Only the child imports it.
    assert f"{package}.registration" not in sys.modules


def test_the_import_is_recorded(package, tmp_path):
    module = f"{package}.registration"
    with pytest.raises(ConversionError, match="neither Sealift nor skl2onnx"):
        convert(joblib.load(tmp_path / "model.joblib"), ROWS)
    given = {"imports": [module], "trust_globals": trusted(package)}
    conversion = convert(tmp_path / "model.joblib", tmp_path / "rows.npy", **given)
    assert conversion.description.conversion["imports"] == [module]
    assert conversion.description.conversion["trust_globals"] == trusted(package)
    agrees(conversion, joblib.load(tmp_path / "model.joblib"), HELD_BACK)
    in_process = convert(joblib.load(tmp_path / "model.joblib"), ROWS, **given)
    assert in_process.files == conversion.files


def test_the_command_takes_the_import(package, tmp_path):
    given = [str(tmp_path / "model.joblib"), "--samples", str(tmp_path / "rows.npy"), "-o", str(tmp_path / "out")]
    given += ["--import", f"{package}.registration", "--trust-global", *trusted(package)]
    done = CliRunner().invoke(command, ["convert", *given])
    assert done.exit_code == 0, done.output
    assert "rung 'skl2onnx'" in done.output


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("{}.nothing", r"module '\w+\.nothing' to import is not found; expected one that is installed"),
        ("nowhere_at_all.deep", "module 'nowhere_at_all.deep' to import is not found"),
        ("{}.broken", r"module '\w+\.broken' to import fails \(ValueError: no good\)"),
        ("{}.leaving", r"module '\w+\.leaving' to import fails \(SystemExit: 3\)"),
        (
            "{}.needy",
            r"module '\w+\.needy' to import fails \(ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
    ],
)
@pytest.mark.parametrize("in_child", [True, False])
def test_a_module_that_cannot_be_imported_is_one_clear_line(package, tmp_path, module, message, in_child):
    source = tmp_path / "model.joblib" if in_child else joblib.load(tmp_path / "model.joblib")
    with pytest.raises(SourceError, match=message) as raised:
        convert(source, ROWS, imports=[module.format(package)])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["our module", ".relative", "our-module", "", "a..b", 3])
def test_a_name_that_no_module_has_is_refused_before_anything_runs(name):
    with pytest.raises(UsageError, match="expected a dotted name"):
        convert(LinearRegression().fit(ROWS, ROWS[:, 0]), ROWS, imports=[name])


def test_one_name_is_no_list_of_names():
    with pytest.raises(UsageError, match=r"'our\.module'; expected a list"):
        convert(LinearRegression().fit(ROWS, ROWS[:, 0]), ROWS, imports="our.module")
