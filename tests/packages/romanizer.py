"""arabic-name-romanizer: an encoder, and a decoder that is asked once for each letter with the state it gave before."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import arabic_name_romanizer
import numpy as np
from arabic_name_romanizer.inference import OnnxModel, encode_source_ids, pad_batch

RESOURCES = Path(arabic_name_romanizer.__file__).parent / "resources"
LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
COUNTRIES = (None, "EG", "SA", "IQ", "MA")


def prepare_arabic(folder: Path) -> Mapping[str, Any]:
    return prepare(RESOURCES, folder)


def prepare_persian(folder: Path) -> Mapping[str, Any]:
    return prepare(RESOURCES / "persian", folder)


def prepare(resources: Path, folder: Path) -> Mapping[str, Any]:
    for file in ("encoder.onnx", "decoder.onnx", "vocab.json", "meta.json"):
        copyfile(resources / file, folder / file)
    model = OnnxModel(folder)
    names = ["محمد", "عبدالرحمن", "ليلى"]
    source, mask = pad_batch([encode_source_ids(model.vocab, name, None) for name in names], model.vocab.pad_id)
    state = model.backend.encode(source, mask)
    np.savez(folder / "encoder.npz", src=source, src_mask=mask)
    np.savez(folder / "decoder.npz", prefix=np.ones((len(names), 1), np.int64), **state)
    return {
        "graphs": {"encoder": "encoder.onnx", "decoder": "decoder.onnx"},
        "samples": {"encoder": "encoder.npz", "decoder": "decoder.npz"},
        "files": {"vocab.json": "vocab.json", "meta.json": "meta.json"},
    }


class Session:
    """What the package asks of an ONNX Runtime session."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def run(self, _: None, feeds: Mapping[str, Any]) -> list[Any]:
        answers = self._graph.run(feeds)
        return [answers[output.name] for output in self._graph.outputs]


def compare(model: Any, folder: Path, inputs: int) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng(5)
    own = folder / "installed"
    own.mkdir()
    for file in model.files:
        (own / file).write_bytes(model.file(file))
    for file in ("encoder.onnx", "decoder.onnx"):
        copyfile(folder / file, own / file)
    theirs, ours = OnnxModel(folder), OnnxModel(own)
    ours.backend.encoder, ours.backend.decoder = (Session(model.graph(name)) for name in ("encoder", "decoder"))
    for number in range(inputs):
        names = ["".join(rng.choice(list(LETTERS), int(rng.integers(1, 14)))) for _ in range(int(rng.integers(1, 6)))]
        country = COUNTRIES[number % len(COUNTRIES)]
        yield [one.transliterate_units(names, country, 2) for one in (theirs, ours)]
