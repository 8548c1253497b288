"""Graphs as exporters write them: scalars, states, ZipMaps, dimensions of -1, images, files behind links."""

import hashlib
import json
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.release.workbench import Workbench

from sealift.model.documents import golden as golden_format
from sealift_bundler import ConversionError, SourceError, convert
from sealift_bundler.disclosure import scan_files
from sealift_bundler.errors import DisclosureWarning
from sealift_bundler.proof.golden import writing

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
GENERATOR = np.random.default_rng(0)

pytestmark = pytest.mark.usefixtures("opened_here")


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, weights=(), opsets=(("", 17),)):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*one) for one in opsets], ir_version=8)


@pytest.fixture
def saved(tmp_path):
    def save(made, name="model.onnx"):
        (tmp_path / name).write_bytes(made.SerializeToString())
        return tmp_path / name

    return save


def same(conversion, feeds, expected):
    found = conversion.open().run(feeds)
    for name, values in expected.items():
        assert found[name].shape == np.shape(values)
        np.testing.assert_array_equal(found[name], values)


def test_a_scalar_input_and_a_scalar_output(saved):
    nodes = [helper.make_node("Mul", ["x", "rate"], ["y"]), helper.make_node("ReduceSum", ["y"], ["s"], keepdims=0)]
    path = saved(model(nodes, [value("x", ["n", 2]), value("rate", [])], [value("y", ["n", 2]), value("s", [])]))
    feeds = {"x": np.ones((4, 2), np.float32), "rate": np.array(16000, np.float32)}
    for golden in (None, "generated", "samples"):
        conversion = convert(path, feeds, golden=golden)
        same(conversion, feeds, {"y": feeds["x"] * 16000, "s": np.float32(8 * 16000)})
        (example,) = golden_format.parse(conversion.files["golden.json"], conversion.description)
        # A setting, and with another value another model.
        assert example.inputs["rate"] == 16000
    assert [tensor.shape for tensor in conversion.open().inputs] == [("n", 2), ()]


def test_scalars_alone(saved):
    path = saved(model([helper.make_node("Neg", ["a"], ["b"])], [value("a", [])], [value("b", [])]))
    conversion = convert(path, {"a": np.array(2, np.float32)})
    same(conversion, {"a": np.float32(3)}, {"b": np.float32(-3)})
    assert conversion.golden.line.startswith("golden.json: 1 sample row of 1 tensor travels")


def test_a_scalar_may_be_a_sample_of_a_file(saved, tmp_path):
    nodes = [helper.make_node("Mul", ["x", "rate"], ["y"])]
    path = saved(model(nodes, [value("x", ["n", 2]), value("rate", [])], [value("y", ["n", 2])]))
    feeds = {"x": np.ones((4, 2), np.float32), "rate": np.array(3, np.float32)}
    np.savez(tmp_path / "rows.npz", **feeds)
    conversion = convert(path, feeds, golden=tmp_path / "rows.npz")
    assert conversion.golden.line.endswith("all of them are sample rows")


@pytest.mark.parametrize("golden", ["samples", "generated"])
def test_states_have_another_first_dimension(saved, golden):
    nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Relu", ["state"], ["next"])]
    inputs = [value("x", ["batch", 3]), value("state", [2, "batch", 4])]
    path = saved(model(nodes, inputs, [value("y", ["batch", 3]), value("next", [2, "batch", 4])]))
    feeds = {"x": np.ones((8, 3), np.float32), "state": -np.ones((2, 8, 4), np.float32)}
    conversion = convert(path, feeds, golden=golden)
    same(conversion, feeds, {"y": feeds["x"], "next": np.zeros((2, 8, 4))})
    assert conversion.parity["rows"] >= 1


def test_a_wrong_state_is_found(saved):
    nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Relu", ["state"], ["next"])]
    inputs = [value("x", ["batch", 3]), value("state", [2, "batch", 4])]
    path = saved(model(nodes, inputs, [value("y", ["batch", 3]), value("next", [2, "batch", 4])]))
    feeds = {"x": np.ones((8, 3), np.float32), "state": np.ones((2, 8, 4), np.float32)}
    wrong = np.ones((2, 8, 4), np.float32)
    wrong[1, 7, 3] = 2
    with pytest.raises(Exception, match=r"does not answer as the original.*next expected 2.0, got 1.0"):
        convert(path, {**feeds, "y": feeds["x"], "next": wrong})


def test_rows_that_depend_on_each_other_are_one_question(saved):
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]), helper.make_node("Sub", ["x", "m"], ["y"])]
    path = saved(model(nodes, [value("x", ["n", 2])], [value("y", ["n", 2])]))
    rows = GENERATOR.normal(size=(600, 2)).astype(np.float32)
    (example,) = golden_format.parse(convert(path, {"x": rows}).files["golden.json"])
    assert example.inputs["x"].shape == (600, 2)


@pytest.mark.parametrize("opsets", [[("", 17), ("", 17)], [("", 17), ("ai.onnx", 17)]])
def test_an_operator_set_that_is_imported_twice(saved, opsets):
    path = saved(
        model(
            [helper.make_node("Identity", ["x"], ["y"])], [value("x", ["n", 3])], [value("y", ["n", 3])], opsets=opsets
        )
    )
    conversion = convert(path, {"x": np.ones((4, 3), np.float32)})
    assert len(onnx.load_model_from_string(conversion.files["model.onnx"]).opset_import) == 1


def test_two_versions_of_one_operator_set_are_refused(saved):
    opsets = [("", 17), ("", 18)]
    path = saved(
        model(
            [helper.make_node("Identity", ["x"], ["y"])], [value("x", ["n", 3])], [value("y", ["n", 3])], opsets=opsets
        )
    )
    with pytest.raises(ConversionError, match=r"'ai\.onnx' in the versions 17 and 18; export it again"):
        convert(path, {"x": np.ones((4, 3), np.float32)})


@pytest.mark.parametrize("labels", [["no", "yes"], [10, 20]])
def test_a_zipmap_gives_way_to_its_tensor(saved, labels):
    kind = {"classlabels_strings": labels} if isinstance(labels[0], str) else {"classlabels_int64s": labels}
    key = STRING if isinstance(labels[0], str) else INT64
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"]),
        helper.make_node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", **kind),
        helper.make_node("Identity", ["p"], ["tensor"]),
    ]
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, [])))
    outputs = [helper.make_value_info("probabilities", maps), value("tensor", ["n", 2])]
    path = saved(model(nodes, [value("x", ["n", 2])], outputs, opsets=[("", 17), ("ai.onnx.ml", 3)]))
    rows = GENERATOR.normal(size=(12, 2)).astype(np.float32)
    conversion = convert(path, {"x": rows})
    opened = conversion.open()
    answers = opened.run({"x": rows})
    np.testing.assert_array_equal(answers["probabilities"], answers["tensor"])
    assert opened.classes.tolist() == labels
    assert opened.outputs[0].shape == ("rows", 2)


def test_the_default_export_of_skl2onnx(saved):
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    rows = GENERATOR.normal(size=(40, 3)).astype(np.float32)
    original = LogisticRegression().fit(rows, np.where(rows[:, 0] > 0, "high", "low"))
    conversion = convert(saved(to_onnx(original, rows[:1])), {"X": rows})
    opened = conversion.open()
    answers = opened.run({"X": rows})
    assert answers["output_label"].tolist() == original.predict(rows).tolist()
    np.testing.assert_allclose(answers["output_probability"], original.predict_proba(rows), atol=1e-6)
    assert opened.classes.tolist() == ["high", "low"]


def test_a_list_that_is_no_zipmap_is_refused_by_name(saved):
    outputs = [
        helper.make_value_info("parts", helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, [])))
    ]
    path = saved(model([helper.make_node("SplitToSequence", ["x"], ["parts"])], [value("x", ["n", 2])], outputs))
    with pytest.raises(ConversionError, match="'parts' is a sequence_type, not a tensor"):
        convert(path, {"x": np.ones((4, 2), np.float32)})


def test_a_dimension_of_minus_one_is_any(saved):
    path = saved(model([helper.make_node("Identity", ["x"], ["y"])], [value("x", [-1, 3])], [value("y", [-1, 3])]))
    conversion = convert(path, {"x": np.ones((4, 3), np.float32)})
    assert conversion.open().inputs[0].shape == ("d0", 3)
    same(conversion, {"x": np.ones((7, 3), np.float32)}, {"y": np.ones((7, 3))})
    assert conversion.golden.rows == 4


def test_shapes_that_the_graph_does_not_say(saved):
    made = model([helper.make_node("Identity", ["x"], ["y"])], [value("x", ["n", 3])], [value("y", None)])
    conversion = convert(saved(made), {"x": np.ones((4, 3), np.float32)})
    assert conversion.open().outputs[0].shape == ("d0", "d1")


# --- golden examples of large tensors


def image_model(saved):
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    return saved(model(nodes, [value("x", ["n", 3, "h", "w"])], [value("y", ["n", 3])]))


def test_rows_of_images_are_chosen_within_a_budget(saved):
    rows = GENERATOR.random((40, 3, 64, 64)).astype(np.float32)
    conversion = convert(image_model(saved), {"x": rows})
    assert conversion.golden.rows == 200_000 // (3 * 64 * 64 + 3)
    assert json.loads(conversion.files["golden.json"])["schema"] == "sealift.golden/1"
    assert json.loads(conversion.files["model.json"])["schema"] == "sealift.model/1"


def test_a_large_image_travels_as_bytes(saved):
    rows = GENERATOR.random((2, 3, 320, 320)).astype(np.float32)
    conversion = convert(image_model(saved), {"x": rows})
    document = conversion.files["golden.json"]
    assert len(document) < 1.35 * rows[0].nbytes
    assert json.loads(conversion.files["model.json"])["schema"] == "sealift.model/3"
    (example,) = golden_format.parse(document, conversion.description)
    np.testing.assert_array_equal(example.inputs["x"], rows[:1])
    # Small tensors stay legible.
    assert len(json.loads(document)["examples"][0]["response"]["outputs"][0]["data"]) == 3
    assert scan_files(conversion.files) == ()


def test_an_image_that_no_golden_example_can_hold_is_refused(saved, monkeypatch):
    monkeypatch.setattr(writing, "_MAX_COMPACT_BYTES", 1_000_000)
    with pytest.raises(
        ConversionError, match=r"would have 1,228,812 bytes of numbers; expected at most 1,000,000: give"
    ):
        convert(image_model(saved), {"x": np.zeros((1, 3, 320, 320), np.float32)})


def test_card_numbers_among_bytes_are_found(saved):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    path = saved(model(nodes, [value("x", ["n", 250_000], INT64)], [value("y", ["n", 250_000], INT64)]))
    rows = np.zeros((1, 250_000), np.int64)
    rows[0, :3] = [4111111111111111, 5500005555555559, 340000000000009]
    with pytest.warns(DisclosureWarning, match="discloses card"):
        conversion = convert(path, {"x": rows})
    assert {finding.kind for finding in scan_files(conversion.files)} == {"card"}


# --- files next to the graph


def external(folder, name="model.onnx_data"):
    """A graph of 64 weights that lie in `name` of `folder`."""
    weights = numpy_helper.from_array(np.ones((8, 8), np.float32), "w")
    made = model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", ["n", 8])], [value("y", ["n", 8])], [weights]
    )
    onnx.save(made, folder / "model.onnx", save_as_external_data=True, location=name, size_threshold=0)
    return folder / "model.onnx"


ROWS = {"x": np.ones((4, 8), np.float32)}


def link(path, target):
    """Move a file to `target`, and leave a relative link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(os.path.relpath(target, path.parent))


def in_cache(folder):
    """As a cache of Hugging Face lies on disk."""
    for name in ("model.onnx", "model.onnx_data"):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        link(folder / name, folder.parent.parent / "blobs" / digest)


def in_dvc(folder):
    digest = hashlib.md5((folder / "model.onnx_data").read_bytes(), usedforsecurity=False).hexdigest()
    link(folder / "model.onnx_data", folder.parent / ".dvc/cache/files/md5" / digest[:2] / digest[2:])


def in_annex(folder):
    data = (folder / "model.onnx_data").read_bytes()
    key = f"SHA256E-s{len(data)}--{hashlib.sha256(data).hexdigest()}.onnx_data"
    link(folder / "model.onnx_data", folder.parent / ".git/annex/objects/G1/9z" / key / key)


def below(folder):
    link(folder / "model.onnx_data", folder / "weights" / "model.onnx_data")


@pytest.mark.parametrize("store", [in_cache, in_dvc, in_annex, below], ids=lambda store: store.__name__)
def test_weights_behind_a_link_of_their_own(store, tmp_path):
    folder = tmp_path / "snapshots" / "0a1b"
    folder.mkdir(parents=True)
    path = external(folder)
    store(folder)
    conversion = convert(path, ROWS)
    assert sorted(conversion.files) == ["golden.json", "model.json", "model.onnx", "model.onnx.data"]
    same(conversion, ROWS, {"y": np.full((4, 8), 8)})


@pytest.mark.parametrize("named", ["id_rsa", "d41d8cd98f00b204e9800998ecf8427e", "a" * 64])
def test_a_link_to_any_other_file_is_refused(named, tmp_path):
    """A folder of somebody else may not carry a file of this machine away as its weights."""
    folder = tmp_path / "model"
    folder.mkdir()
    path = external(folder)
    link(folder / "model.onnx_data", tmp_path / "home" / named)
    with pytest.raises(
        ConversionError, match=r"the weights 'model\.onnx_data' are a link to '.*', outside the model's"
    ):
        convert(path, ROWS)


def test_weights_that_are_a_pipe_are_refused(tmp_path):
    path = external(tmp_path)
    (tmp_path / "model.onnx_data").unlink()
    os.mkfifo(tmp_path / "model.onnx_data")
    with pytest.raises(SourceError, match="is not a plain file"):
        convert(path, ROWS)


def test_a_location_with_a_point_before_it(tmp_path):
    path = external(tmp_path, "./w.bin")
    same(convert(path, ROWS), ROWS, {"y": np.full((4, 8), 8)})


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
ANNEX = b"/annex/objects/SHA256E-s12345--" + b"0" * 64 + b".onnx\n"
DVC = b"outs:\n- md5: " + b"0" * 32 + b"\n  size: 12345\n  path: model.onnx\n"


@pytest.mark.parametrize(
    ("data", "said"), [(LFS, "git lfs pull"), (ANNEX, "git annex get"), (DVC, "dvc pull")], ids=["lfs", "annex", "dvc"]
)
@pytest.mark.parametrize("place", ["model.onnx", "model.onnx_data", "rows.npz", "tokenizer.json"])
def test_a_pointer_is_not_taken_for_the_file(place, data, said, tmp_path, monkeypatch):
    bench = Workbench(tmp_path, monkeypatch)
    external(tmp_path)
    np.savez(tmp_path / "rows.npz", **ROWS)
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    (tmp_path / place).write_bytes(data)
    bench.recipe("model.onnx", "rows.npz", "[files]", '"tokenizer.json" = "tokenizer.json"')
    status, out, err = bench.add()
    assert (status != 0, out) == (True, "")
    assert err.count("\n") == 1
    assert f"{place}' is a " in err
    assert f"not the file itself; run '{said}" in err


def test_a_link_that_leads_nowhere_says_how_to_fetch_it(tmp_path):
    (tmp_path / "model.onnx").symlink_to(".git/annex/objects/G1/9z/SHA256E-s1--00.onnx")
    with pytest.raises(
        SourceError, match=r"is a link to '.git/annex/.*', which does not exist; run 'git annex get \.'"
    ):
        convert(tmp_path / "model.onnx", ROWS)


# --- byte order marks


def test_a_byte_order_mark_belongs_to_no_recipe_and_no_sample(tmp_path, monkeypatch):
    from sealift_bundler.release.recipes.recipe import Recipe
    from sealift_bundler.samples.files import read_samples

    Workbench(tmp_path, monkeypatch).recipe("model.onnx", "rows.txt")
    for name in ("model.onnx", "rows.txt"):
        (tmp_path / name).write_bytes(b"x")
    recipe = tmp_path / "recipe.toml"
    recipe.write_bytes(b"\xef\xbb\xbf" + recipe.read_bytes())
    assert Recipe.load(recipe).model.name == "m"
    for name, text in {"a.txt": "one\ntwo\n", "a.json": '["one", "two"]', "a.jsonl": '"one"\n"two"\n'}.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert read_samples(tmp_path / name, None) == ["one", "two"]
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfone,two\n1,2\n")
    assert list(read_samples(tmp_path / "a.csv", None)) == ["one", "two"]
