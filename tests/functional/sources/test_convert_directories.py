"""MLflow directories, skops files, graphs with several weight files, and what is missing to open them."""

import builtins
import importlib
import pickle

import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
import xgboost
import yaml
from onnx import TensorProto, helper, numpy_helper
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from support.hostile.own_code import FULL, own_pickle

from sealift_bundler import SourceError, UntrustedPickleError, convert
from sealift_bundler.converters.boosters.files import require
from sealift_bundler.proof.in_child import ChildLimits

pytestmark = pytest.mark.usefixtures("opened_here")

GENERATOR = np.random.default_rng(3)
X = pd.DataFrame({"a": GENERATOR.normal(size=90), "b": GENERATOR.integers(0, 9, 90)})
Y = (X["a"] > 0).to_numpy().astype(int)


def linear():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def mlflow(folder, flavors):
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": {"loader_module": "x"}, **flavors}}))
    return folder


def test_an_mlflow_directory_of_scikit_learn(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(linear()))
    options = {"pickled_model": "model.pkl", "serialization_format": "cloudpickle", "sklearn_version": "1.9.1"}
    assert convert(mlflow(tmp_path, {"sklearn": options}), X).rung == "float32"


def test_an_mlflow_directory_of_xgboost(tmp_path):
    model = xgboost.XGBClassifier(n_estimators=5).fit(X, Y)
    model.save_model(tmp_path / "model.ubj")
    conversion = convert(mlflow(tmp_path, {"xgboost": {"data": "model.ubj", "model_format": "ubj"}}), X)
    assert (conversion.open().predict(X) == model.predict(X)).all()


def test_an_mlflow_directory_of_lightgbm(tmp_path):
    lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(X, X["a"]).booster_.save_model(tmp_path / "model.lgb")
    assert convert(mlflow(tmp_path, {"lightgbm": {"data": "model.lgb"}}), X).rung == "float64"


@pytest.mark.parametrize(
    ("flavors", "message"),
    [
        ({}, "flavors .*python_function"),
        ({"sklearn": {"pickled_model": "../model.pkl"}}, "outside the directory"),
        ({"sklearn": {"pickled_model": "/etc/passwd"}}, "outside the directory"),
        ({"sklearn": {"pickled_model": "gone.pkl"}}, "not a file there"),
        (
            {"sklearn": {"pickled_model": "model.pkl", "sklearn_version": "1.1.3"}},
            r"where scikit-learn 1\.1\.3 is installed, export it with skl2onnx\.to_onnx",
        ),
        (
            {"sklearn": {"pickled_model": "model.pkl", "sklearn_version": "1.6.1"}},
            r"pip install 'scikit-learn==1\.6\.1'",
        ),
        ({"xgboost": {}}, "does not say which file"),
    ],
)
def test_mlflow_directories_that_are_refused(tmp_path, flavors, message):
    with pytest.raises(SourceError, match=message):
        convert(mlflow(tmp_path, flavors), X)


def test_a_skops_file(tmp_path):
    skops.io.dump(linear(), tmp_path / "model.skops")
    assert convert(tmp_path / "model.skops", X).rung == "float32"


def shout(rows):
    return rows


def test_a_skops_file_with_foreign_code_is_refused(tmp_path):
    model = make_pipeline(FunctionTransformer(shout), LogisticRegression()).fit(X, Y)
    skops.io.dump(model, tmp_path / "model.skops")
    with pytest.raises(UntrustedPickleError, match=r"shout.*not of a known library.*--trust-global"):
        convert(tmp_path / "model.skops", X)


def test_a_skops_file_may_use_what_the_list_has(tmp_path):
    """skops itself does not know these."""
    classifier = xgboost.XGBClassifier(n_estimators=3)
    model = make_pipeline(SelectKBest(f_classif, k=1), classifier).fit(X.to_numpy(), Y)
    skops.io.dump(model, tmp_path / "model.skops")
    assert convert(tmp_path / "model.skops", X.to_numpy()).rung


@pytest.mark.own_process
def test_a_pickle_that_takes_too_much_memory_is_stopped(tmp_path, monkeypatch):
    (tmp_path / "model.pkl").write_bytes(own_pickle(tmp_path, monkeypatch, "return bytearray(8 << 30)"))
    with pytest.raises(SourceError, match="more than 4,294,967,296 bytes of memory"):
        convert(tmp_path / "model.pkl", X, limits=ChildLimits(memory_bytes=4 << 30), trust_globals=[FULL])


def graph(path, names):
    """A graph that multiplies by the weights of as many files as there are names."""
    nodes, tensors, last = [], [], "x"
    for index, name in enumerate(names):
        values = np.eye(4, dtype=np.float32) * (index + 2)
        tensor = numpy_helper.from_array(values, f"w{index}")
        (path.parent / name).parent.mkdir(exist_ok=True)
        (path.parent / name).write_bytes(values.tobytes())
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", name
        tensors.append(tensor)
        output = "y" if index == len(names) - 1 else f"h{index}"
        nodes.append(helper.make_node("MatMul", [last, f"w{index}"], [output]))
        last = output
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 4]) for name in ("x", "y")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "names", [["model.onnx.data"], ["weights.bin"], ["one.bin", "two.bin"], ["model.onnx.data", "model.onnx.data.1"]]
)
def test_weights_in_several_files(tmp_path, names):
    rows = {"x": GENERATOR.normal(size=(20, 4)).astype(np.float32)}
    conversion = convert(graph(tmp_path / "model.onnx", names), rows)
    shards = sorted(name for name in conversion.files if name.startswith("model.onnx.data"))
    assert len(shards) == len(names)
    factor = np.prod(np.arange(len(names)) + 2)
    np.testing.assert_allclose(conversion.open().run(rows)["y"], rows["x"] * factor)


@pytest.mark.parametrize("name", ["../outside.bin", "folder/inside.bin"])
def test_weights_elsewhere_are_refused(tmp_path, name):
    (tmp_path / "model").mkdir()
    with pytest.raises(Exception, match="plain file next to the model"):
        convert(graph(tmp_path / "model" / "model.onnx", [name]), {"x": np.zeros((3, 4), dtype=np.float32)})


@pytest.mark.parametrize(("name", "extra"), [("net.pt2", "torch"), ("net.keras", "keras")])
def test_a_missing_extra_is_named(tmp_path, name, extra):
    if importlib.util.find_spec(extra):
        pytest.fail(f"{extra} is installed here; this test is about its absence")
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(SourceError, match=rf"pip install 'sealift\[{extra}\]'"):
        convert(tmp_path / name, X)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost", "skops"])
def test_each_missing_booster_is_named(monkeypatch, library):
    real = builtins.__import__

    def without(name, *arguments):
        if name.split(".")[0] == library:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return real(name, *arguments)

    monkeypatch.setattr("sealift_bundler.converters.boosters.files.import_module", without)
    with pytest.raises(SourceError, match=rf"pip install 'sealift\[{library}\]'"):
        require(library, "model.x")


def test_a_graph_that_onnx_refuses(tmp_path):
    model = onnx.load(graph(tmp_path / "model.onnx", ["w.bin"]), load_external_data=False)
    model.graph.node[0].domain = "com.example.custom"
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(Exception, match=r"operators of the domain 'com\.example\.custom'"):
        convert(tmp_path / "model.onnx", {"x": np.zeros((3, 4), dtype=np.float32)})
