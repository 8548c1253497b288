"""PyTorch and Keras models, in an environment of their own: run by `make plugins`, not by `make test`."""

import numpy as np
import pytest
import torch

from sealift_bundler import SourceError, convert

GENERATOR = np.random.default_rng(0)
ROWS = {"x": GENERATOR.normal(size=(40, 5)).astype(np.float32)}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Sequential(
            torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(16, 3)
        )

    def forward(self, x):
        scores = self.inner(x)
        return scores, torch.softmax(scores, dim=-1)


def test_a_module_agrees_for_any_number_of_rows():
    net = Net()
    conversion = convert(net, ROWS)
    assert conversion.rung == "torch"
    assert conversion.description.source["framework"] == "torch"
    other = GENERATOR.normal(size=(7, 5)).astype(np.float32)
    expected = [value.numpy(force=True) for value in net.eval()(torch.from_numpy(other))]
    answers = conversion.open().run({"x": other})
    for name, value in zip(("output_0", "output_1"), expected, strict=True):
        np.testing.assert_allclose(answers[name], value, atol=1e-6)


def test_an_exported_program_is_opened_from_its_file(tmp_path):
    program = torch.export.export(Net().eval(), (torch.from_numpy(ROWS["x"]),))
    torch.export.save(program, tmp_path / "net.pt2")
    np.savez(tmp_path / "rows.npz", **ROWS)
    conversion = convert(tmp_path / "net.pt2", tmp_path / "rows.npz")
    expected = program.module()(torch.from_numpy(ROWS["x"]))[0].numpy(force=True)
    np.testing.assert_allclose(conversion.open().run(ROWS)["output_0"], expected, atol=1e-6)


def test_a_pickled_module_is_refused_without_opening_it(tmp_path):
    torch.save(Net(), tmp_path / "net.pt")
    np.savez(tmp_path / "rows.npz", **ROWS)
    with pytest.raises(SourceError, match=r"torch\.export\.save"):
        convert(tmp_path / "net.pt", tmp_path / "rows.npz")


def test_wrong_tensor_names_are_named():
    with pytest.raises(SourceError, match="exactly \\['x'\\]"):
        convert(Net(), {"y": ROWS["x"]})


def test_a_keras_model_on_the_pytorch_back_end(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)])
    model.save(tmp_path / "net.keras")
    expected = model.predict(ROWS["x"], verbose=0)
    name = keras.saving.load_model(tmp_path / "net.keras").inputs[0].name
    np.savez(tmp_path / "rows.npz", **{name: ROWS["x"]})
    conversion = convert(tmp_path / "net.keras", tmp_path / "rows.npz")
    np.testing.assert_allclose(conversion.open().run({name: ROWS["x"]})["output_0"], expected, atol=1e-5)
