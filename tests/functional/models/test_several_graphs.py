"""Several graphs in one version: an encoder and a decoder, proven, installed, asked and rolled back together."""

import json
import time

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from support.release.workbench import Workbench

import sealift
from sealift.model import Model
from sealift_bundler.packing import installable

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
ROWS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)


def graph(nodes, inputs, outputs, weights=()):
    made = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def value(name, shape):
    return helper.make_tensor_value_info(name, FLOAT, shape)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Workbench(tmp_path, monkeypatch)
    onnx.save(
        graph([helper.make_node("Relu", ["x"], ["h"])], [value("x", ["n", 3])], [value("h", ["n", 3])]), "encoder.onnx"
    )
    weights = numpy_helper.from_array(np.full((3, 3), 2, np.float32), "w")
    decoder = graph(
        [helper.make_node("MatMul", ["h", "w"], ["m"]), helper.make_node("Mul", ["m", "scale"], ["y"])],
        [value("h", ["n", 3]), value("scale", [])],
        [value("y", ["n", 3])],
        [weights],
    )
    onnx.save(decoder, "decoder.onnx", save_as_external_data=True, location="decoder.bin", size_threshold=0)
    np.savez("encoder.npz", x=ROWS)
    np.savez("decoder.npz", h=np.maximum(ROWS, 0), scale=np.float32(0.5))
    (tmp_path / "labels.csv").write_bytes(b"a,b\n")
    return made


RECIPE = """\
name = "pair"
version = "{version}"
licenses = ["MIT"]

[graphs]
encoder = "encoder.onnx"
decoder = "decoder.onnx"

[samples]
encoder = "encoder.npz"
decoder = "decoder.npz"

[golden]
encoder = "generated"

[files]
"labels.csv" = "labels.csv"
"""


def recipe(bench, text=RECIPE, version="1.0.0"):
    (bench.folder / "recipe.toml").write_text(text.format(version=version))


def packed(bench):
    for command in (["release", "--channel", "ch", "--key", "k"], ["pack", "--channel", "ch", "-o", "c.tar"]):
        status, out, err = bench.bundler(*command)
        assert status == 0, err
    return out


def test_an_encoder_and_a_decoder(bench, instance, sealift_command):
    recipe(bench)
    status, out, err = bench.add()
    assert status == 0, err
    assert err.startswith("decoder.golden.json: 12 sample rows of 2 tensors travel")
    assert "\nencoder.golden.json: 64 generated rows of 1 tensor travel; no sample row does\n" in err
    assert out.count("  proof: none; answers recorded from onnxruntime") == 2
    assert "readable by Sealift 0.2.0 and newer, because of pair 1.0.0" in packed(bench)
    instance.pin((bench.folder / "ch/tuf/1.root.json").read_bytes())
    for command in (["verify"], ["install", "--dry-run"], ["install"]):
        status, out, err = sealift_command(*command, "c.tar")
        assert status == 0, (command, err)
    with sealift.load("pair") as model:
        hidden = model.graph("encoder").run({"x": ROWS})["h"]
        answers = model.graph("decoder").run({"h": hidden, "scale": np.float32(0.5)})["y"]
        np.testing.assert_allclose(answers, np.maximum(ROWS, 0) @ np.full((3, 3), 1.0), rtol=1e-6)
        assert model.files == ("labels.csv",)
        assert (model.graph("encoder").name, model.graph("encoder").version) == ("pair", "1.0.0")
        assert repr(model) == "<sealift.Model pair 1.0.0 (graph('decoder'), graph('encoder'))>"
        assert [tensor.name for tensor in model.graph("decoder").inputs] == ["h", "scale"]
    for command in (["show"], ["path"]):
        status, out, _ = sealift_command(*command, "pair")
        assert status == 0
    assert sealift_command("check")[0] == sealift_command("status")[0] == sealift_command("doctor")[0] == 0
    assert "graphs   decoder, encoder; each answers run" in sealift_command("show", "pair")[1]
    # As a program in another language opens it: the weights lie where the graph says.
    session = onnxruntime.InferenceSession(instance.store_path / "current/pair/decoder.model.onnx")
    assert session.run(None, {"h": hidden, "scale": np.array(0.5, np.float32)})[0].shape == (12, 3)


def opened(bench):
    """The model as an instance would load it."""
    recipe(bench)
    assert bench.add()[0] == 0
    blobs = bench.plain()
    return files_of(blobs)


def files_of(blobs):
    (manifest,) = [json.loads(data) for data in blobs.values() if b'"artifactType"' in data]
    by_digest = {path.rpartition("/")[2]: data for path, data in blobs.items()}
    layers = manifest["layers"]
    return {one["annotations"]["org.cncf.model.filepath"]: by_digest[one["digest"][7:]] for one in layers}


def test_what_a_set_is_asked_and_what_it_answers(bench):
    told = []
    model = Model.from_files(opened(bench), threads=1)
    for ask in (lambda: model.run({}), lambda: model.predict(ROWS), lambda: model.answers(["predict"], ROWS)):
        with pytest.raises(sealift.UsageError, match=r"has several graphs: ask one of them, graph\('decoder'\), graph"):
            ask()
    with pytest.raises(sealift.UsageError, match="'pair' has no graph 'middle'; expected one of: decoder, encoder"):
        model.graph("middle")
    with pytest.raises(sealift.UsageError, match="'pair' has one graph, and no 'encoder': call its methods, or run"):
        model.graph("encoder").graph("encoder")
    watched = model.observed(told.append).graph("encoder")
    watched.run({"x": ROWS})
    assert [(one.model, one.method, one.rows) for one in told] == [("pair", "run", 12)]
    encoder, shared = model.graph("encoder"), model.graph("encoder").share()
    encoder.close()
    with pytest.raises(sealift.UsageError, match="was closed"):
        encoder.run({"x": ROWS})
    assert model.graph("encoder").run({"x": ROWS}).keys() == {"h"}
    with pytest.raises(sealift.InputError, match="tensor 'x' is missing"):
        shared.run({})
    model.close()
    with pytest.raises(sealift.UsageError, match="was closed"):
        model.graph("encoder").run({"x": ROWS})
    assert shared.run({"x": ROWS}).keys() == {"h"}


def test_a_set_follows_its_store(bench, instance, monkeypatch):
    recipe(bench)
    assert bench.add()[0] == 0
    packed(bench)
    instance.export(monkeypatch)
    instance.pin((bench.folder / "ch/tuf/1.root.json").read_bytes())
    instance.install(bench.folder / "c.tar")
    with sealift.load("pair", follow=True) as model:
        encoder = model.graph("encoder")
        assert encoder.version == "1.0.0"
        (bench.folder / "labels.csv").write_bytes(b"c\n")
        recipe(bench, version="1.1.0")
        assert bench.add()[0] == 0
        packed(bench)
        instance.install(bench.folder / "c.tar")
        model._look_at = 0.0
        for _ in range(2000):
            if encoder.version == "1.1.0":
                break
            time.sleep(0.01)
        assert (encoder.version, model.file("labels.csv")) == ("1.1.0", b"c\n")
        assert encoder.run({"x": ROWS}).keys() == {"h"}


def test_graphs_may_be_models_of_any_framework(bench):
    import joblib

    rows = ROWS.astype(np.float64)
    joblib.dump(LogisticRegression().fit(rows, rows[:, 0] > 0), "head.joblib")
    np.save("head.npy", rows)
    recipe(
        bench,
        RECIPE.replace('encoder = "encoder.onnx"', 'head = "head.joblib"')
        .replace('encoder = "encoder.npz"', 'head = "head.npy"')
        .replace('encoder = "generated"', ""),
    )
    assert bench.add()[0] == 0
    model = Model.from_files(files_of(bench.plain()))
    assert model.graph("head").predict(rows).tolist() == (rows[:, 0] > 0).tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('encoder = "encoder.npz"\n', ""), "graph 'encoder' has no samples; add samples.encoder = …"),
        (("[golden]\nencoder", "[golden]\nencode"), "unknown key 'encode' in [golden]; did you mean 'encoder'?"),
        (('decoder = "decoder.npz"', 'decodr = "decoder.npz"'), "graph 'decoder' has no samples"),
        (('encoder = "encoder.onnx"', '"a.b" = "encoder.onnx"'), "graph 'a.b' is not a name"),
        (('encoder = "encoder.onnx"', 'Encoder = "encoder.onnx"'), "graph 'Encoder' is not a name"),
        (("encoder = ", "con = "), "graph 'con' is a device of Windows"),
        (('encoder = "encoder.onnx"', "encoder = 3"), "'encoder' is 3; expected a path"),
        (('encoder = "encoder.onnx"', 'encoder = "gone.onnx"'), "names 'gone.onnx', which does not exist"),
        (("licenses", 'source = "encoder.onnx"\nlicenses'), "'source' does not go with the kind 'graphs': each graph"),
        (('[files]\n"labels.csv"', '[files]\n"encoder.model.json"'), "is a name that Sealift keeps for its own files"),
        (('[graphs]\nencoder = "encoder.onnx"\ndecoder = "decoder.onnx"\n', "[graphs]\n"), "names 0; expected 1 to 32"),
    ],
)
def test_recipes_that_are_refused(bench, change, said):
    assert change[0] in RECIPE
    recipe(bench, RECIPE.replace(*change))
    status, out, err = bench.add()
    assert (status, out, err.count("\n")) == (52, "", 1), err
    assert said in err
    assert bench.channel.staged() == {}


def test_a_graph_that_is_not_proven_stages_nothing(bench):
    np.savez("encoder.npz", x=ROWS, h=ROWS)
    recipe(bench, RECIPE.replace('[golden]\nencoder = "generated"\n', ""))
    status, out, err = bench.add()
    assert (status != 0, out) == (True, "")
    assert "does not answer as the original" in err
    assert bench.channel.staged() == {}


BAD_SETS = {
    "a graph that is not there": (lambda f: f.pop("encoder.model.onnx"), "lacks 'encoder.model.onnx'"),
    "golden rows that are not there": (lambda f: f.pop("encoder.golden.json"), "lacks 'encoder.golden.json'"),
    "a shard of nobody": (lambda f: f.update({"encoder.model.onnx.data.1": b"x"}), "lacks a shard"),
    "a graph that is not named": (lambda f: f.update({"third.model.onnx": b"x"}), "holds 'third.model.onnx', which"),
    "a graph of another model": (lambda f: described(f, "encoder.model.json", name="other"), "describes 'other'"),
    "a graph of another version": (lambda f: described(f, "encoder.model.json", version="2.0.0"), "'2.0.0'; expected"),
    "a set in a set": (lambda f: f.update({"encoder.model.json": f["model.json"]}), "is of the kind 'graphs'"),
    "two graphs of one name": (lambda f: described(f, "model.json", graphs=["encoder", "encoder"]), "'encoder' twice"),
    "no graph": (lambda f: described(f, "model.json", graphs=[]), "names no graph"),
    "a name with a folder": (lambda f: described(f, "model.json", graphs=["../x"]), "a graph of the name '../x'"),
    "another order": (lambda f: described(f, "model.json", graphs=["encoder", "decoder"]), "in another order"),
    "300 graphs": (lambda f: described(f, "model.json", graphs=[f"g{n:03}" for n in range(300)]), "names 300 graphs"),
}


# What one of the graphs says of itself: `install` and `pack` read that.
INNER = {"a graph of another model", "a graph of another version", "a set in a set"}


def described(files, document, **changes):
    files[document] = json.dumps(json.loads(files[document]) | changes).encode()


@pytest.mark.parametrize("what", BAD_SETS)
def test_sets_that_contradict_are_refused_everywhere(
    what, bench, channel, instance, refused, sealift_command, tmp_path
):
    from sealift.errors import LimitError, MalformedError
    from sealift_bundler.errors import GateError

    change, said = BAD_SETS[what]
    files = opened(bench)
    change(files)
    with pytest.raises((MalformedError, LimitError, sealift.UsageError), match=said.replace(".", r"\.")):
        Model.from_files(files)
    model = channel.add("pair", "1.0.0", files)
    channel.release()
    instance.pin(channel.root_bytes)
    with refused((MalformedError, LimitError), said.replace(".", r"\.")):
        instance.install(bundle := channel.pack(tmp_path / "set.tar"))
    if what not in INNER:
        for command in (["verify"], ["install", "--dry-run"]):
            status, out, err = sealift_command(*command, bundle)
            assert (out, err.count("\n")) == ("", 1), err
            assert 10 <= status < 20
    from sealift_bundler.packing.whole import select

    prepared = select(channel.directory)
    with pytest.raises(GateError, match=f"no instance would install {model}: "):
        installable.require_installable(prepared.blobs, prepared.manifests[0])
