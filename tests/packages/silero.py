"""silero-vad: six graphs of one voice detector, with states and a scalar sampling rate, in one version."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import onnxruntime
import silero_vad
import torch
from silero_vad.utils_vad import OnnxWrapper

DATA = Path(silero_vad.__file__).parent / "data"
GRAPHS = {
    "stream": "silero_vad.onnx",
    "stream-16k": "silero_vad_16k_op15.onnx",
    "ifless": "silero_vad_op18_ifless.onnx",
    "sequence": "silero_vad_16k_sequence.onnx",
    "half": "silero_vad_half.onnx",
    "openvino": "silero_vad_openvino_16k.onnx",
}
RATE = 16000
CHUNK, CONTEXT = 512, 64


def prepare(folder: Path) -> Mapping[str, Any]:
    for name, file in GRAPHS.items():
        copyfile(DATA / file, folder / file)
        np.savez(folder / f"{name}.npz", **question(name, np.random.default_rng(1)))
    return {"graphs": GRAPHS, "samples": {name: f"{name}.npz" for name in GRAPHS}}


def question(name: str, rng: np.random.Generator) -> dict[str, Any]:
    rows = 4 if name == "sequence" else 1
    found: dict[str, Any] = {"input": sound(rng, rows * (CHUNK + CONTEXT)).reshape(rows, -1)}
    if name == "sequence":
        return {**found, "h": np.zeros((1, 1, 128), np.float32), "c": np.zeros((1, 1, 128), np.float32)}
    found["state"] = rng.normal(0, 0.1, (2, 1, 128)).astype(np.float32)
    return found if name in ("half", "openvino") else {**found, "sr": np.array(RATE)}


def sound(rng: np.random.Generator, samples: int) -> np.ndarray[Any, Any]:
    """A buzz whose loudness comes and goes, like a voice, and noise."""
    time = np.arange(samples) / RATE
    pitch = rng.uniform(80, 250)
    voice = sum(np.sin(2 * np.pi * pitch * harmonic * time) / harmonic for harmonic in range(1, 12))
    loud = np.clip(np.sin(2 * np.pi * rng.uniform(1, 4) * time), 0, 1)
    return (0.2 * voice * loud + rng.normal(0, 0.01, samples)).astype(np.float32)


class Session:
    """What the package's own classes ask of an ONNX Runtime session."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def run(self, outputs: list[str] | None, feeds: Mapping[str, Any]) -> list[Any]:
        answers = self._graph.run(feeds)
        return [answers[name] for name in outputs or answers]


def compare(model: Any, _: Path, inputs: int) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {name: OnnxWrapper(str(DATA / GRAPHS[name]), force_onnx_cpu=True) for name in ("stream", "stream-16k")}
        ours = {name: OnnxWrapper(str(DATA / GRAPHS[name]), force_onnx_cpu=True) for name in theirs}
    for name, wrapper in ours.items():
        wrapper.session = Session(model.graph(name))
    sequences = [silero_vad.load_silero_vad(onnx=True, sequence=True) for _ in range(2)]
    sequences[1].session = Session(model.graph("sequence"))
    for _ in range(inputs):
        audio = torch.from_numpy(sound(rng, RATE))
        for name, wrapper in theirs.items():
            rates = (RATE, 8000) if name == "stream" else (RATE,)
            yield [[one.audio_forward(audio, rate).numpy() for rate in rates] for one in (wrapper, ours[name])]
        yield [one.audio_forward(audio.numpy(), RATE) for one in sequences]
    for name, file in GRAPHS.items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(DATA / file, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        for _ in range(inputs):
            asked = question(name, rng)
            answers = model.graph(name).run(asked)
            yield session.run(names, asked), [answers[one] for one in names]
