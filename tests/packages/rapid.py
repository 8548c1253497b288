"""rapidocr: three graphs that read a picture together: where text is, which way up, and what it says."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import cv2
import numpy as np
import rapidocr

MODELS = Path(rapidocr.__file__).parent / "models"
GRAPHS = {
    "detector": "PP-OCRv6_det_small.onnx",
    "classifier": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "recognizer": "PP-OCRv6_rec_small.onnx",
}
WORDS = ("Sealift", "release", "signed", "bundle 42", "verify", "2026-11-30", "Air gap", "model.onnx", "OK?")


def prepare(folder: Path) -> Mapping[str, Any]:
    rng = np.random.default_rng(3)
    sizes = {"detector": (1, 3, 160, 320), "classifier": (2, 3, 80, 160), "recognizer": (2, 3, 48, 320)}
    for name, file in GRAPHS.items():
        copyfile(MODELS / file, folder / file)
        np.savez(folder / f"{name}.npz", x=rng.uniform(-1, 1, sizes[name]).astype(np.float32))
    (folder / "characters.txt").write_text("\n".join(engine().text_rec.session.get_character_list()), "utf-8")
    return {
        "graphs": GRAPHS,
        "samples": {name: f"{name}.npz" for name in GRAPHS},
        "files": {"characters.txt": "characters.txt"},
    }


def engine() -> Any:
    """The package's own reader, for small pictures; it loads its models when it sees the first text."""
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1}
    made = rapidocr.RapidOCR(
        params={"Global.log_level": "error", "Det.limit_side_len": 320, "Det.limit_type": "max", **threads}
    )
    made(written(np.full((90, 300, 3), 255, np.uint8), "Sealift", (20, 60)))
    return made


def written(paper: np.ndarray[Any, Any], text: str, place: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Write one line on a picture, its left end at `place`."""
    return cv2.putText(paper, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 20), 2)


def picture(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """White paper with one to three words, some of them upside down."""
    paper = np.full((int(rng.integers(90, 240)), int(rng.integers(220, 420)), 3), 255, np.uint8)
    for line in range(int(rng.integers(1, 4))):
        written(paper, str(rng.choice(WORDS)), (int(rng.integers(5, 30)), 40 + 45 * line))
    return cv2.rotate(paper, cv2.ROTATE_180) if rng.random() < 0.2 else paper


class Session:
    """What the package's steps call: one array in, the first output out."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._input, self._output = graph.inputs[0].name, graph.outputs[0].name

    def __call__(self, content: np.ndarray[Any, Any]) -> Any:
        return self._graph.run({self._input: content})[self._output]


def compare(model: Any, _: Path, inputs: int) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng(4)
    theirs, ours = engine(), engine()
    for name, step in (("detector", "text_det"), ("classifier", "text_cls"), ("recognizer", "text_rec")):
        getattr(ours, step).session = Session(model.graph(name))
    assert model.file("characters.txt").decode().split("\n") == theirs.text_rec.session.get_character_list()
    read = 0
    for _ in range(inputs):
        paper = picture(rng)
        answers = [one(paper) for one in (theirs, ours)]
        read += answers[0].txts is not None
        yield [[answer.txts, answer.scores, answer.boxes] for answer in answers]
    assert read > inputs // 2, f"the package itself read {read} of {inputs} pictures"
