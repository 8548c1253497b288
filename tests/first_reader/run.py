"""Let Sealift 0.1.0 meet a bundle of every kind that came after it, and say what it says.

The old reader is taken from this repository's own history. It must install what it knows,
and refuse everything else in one clear line with exit 11, in `verify` as in `install`, with the store as it was.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import onnx
from first_reader.old_release import OLD, Instance, old_reader
from onnx import TensorProto, helper
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files
from support.release.weights import gguf, safetensors
from support.text_encoders import write_encoder

from sealift_bundler import convert
from sealift_bundler.proof.documents import with_schema
from sealift_bundler.release.adding import add
from sealift_bundler.release.recipes.recipe import Recipe

UNSUPPORTED = 11
COMMANDS = (["verify"], ["install", "--dry-run"], ["install"])
LOAD = "import sealift; print(sealift.__file__, sealift.load('toy').predict([[2.0, 2.0, 0.0, 0.0]]).tolist())"


def graph(folder: Path, name: str, shape: list[str | int]) -> Path:
    ends = [helper.make_tensor_value_info(one, TensorProto.FLOAT, shape) for one in ("x", "y")]
    made = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    path = folder / f"{name}.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def side_file(channel: ChannelSimulator, _: Path) -> None:
    files = {**renamed(toy_files(), "newer", "1.0.0"), "tokenizer.json": b"{}"}
    channel.add("newer", "1.0.0", with_schema(files))


def large_golden(channel: ChannelSimulator, folder: Path) -> None:
    rows = {"x": np.zeros((1, 3, 300, 300), np.float32)}
    conversion = convert(graph(folder, "image", ["n", 3, "h", "w"]), rows, name="newer", version="1.0.0")
    channel.add("newer", "1.0.0", conversion.files)


def several_graphs(channel: ChannelSimulator, folder: Path) -> None:
    for name in ("encoder", "decoder"):
        graph(folder, name, ["n", 3])
        np.savez(folder / f"{name}.npz", x=np.ones((4, 3), np.float32))
    parts = "".join(f'{name} = "{name}.{{}}"\n' for name in ("encoder", "decoder"))
    recipe = f'name = "newer"\nversion = "1.0.0"\n[graphs]\n{parts.format("onnx", "onnx")}[samples]\n'
    (folder / "recipe.toml").write_text(recipe + parts.format("npz", "npz"))
    add(Recipe.load(folder / "recipe.toml"), channel.channel)


def text_encoder(channel: ChannelSimulator, folder: Path) -> None:
    write_encoder(folder)
    (folder / "texts.txt").write_text("hello old house\na bird by the sea\n")
    text = 'name = "newer"\nversion = "1.0.0"\nsource = "model.onnx"\nsamples = "texts.txt"\n[frontend]\n'
    (folder / "recipe.toml").write_text(f'{text}tokenizer = "tokenizer.json"\nmax_tokens = 64\npooling = "mean"\n')
    add(Recipe.load(folder / "recipe.toml"), channel.channel)


def text_without_zeros(channel: ChannelSimulator, _: Path) -> None:
    texts = ["good day", "bad day", "good night", "bad night"] * 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
        texts, [text.startswith("good") for text in texts]
    )
    channel.add("newer", "1.0.0", convert(model, texts, name="newer", version="1.0.0").files)


def weights(data: bytes, name: str) -> Callable[[ChannelSimulator, Path], None]:
    def put(channel: ChannelSimulator, folder: Path) -> None:
        (folder / name).write_bytes(data)
        text = f'name = "newer"\nversion = "1.0.0"\nkind = "files"\n[files]\n"{name}" = "{name}"\n'
        (folder / "recipe.toml").write_text(text)
        add(Recipe.load(folder / "recipe.toml"), channel.channel)

    return put


KINDS: Mapping[str, Callable[[ChannelSimulator, Path], None]] = {
    "a side file": side_file,
    "golden examples as bytes": large_golden,
    "several graphs": several_graphs,
    "a text encoder": text_encoder,
    "text without zeros": text_without_zeros,
    "weights in safetensors": weights(safetensors(), "model.safetensors"),
    "weights in GGUF": weights(gguf(), "model.gguf"),
}


def meets(what: str, put: Callable[[ChannelSimulator, Path], None], place: Path) -> bool:
    """Release a model that 0.1.0 knows, then one of this kind beside it; return whether the old reader behaves."""
    channel = ChannelSimulator(place / "channel")
    channel.add("toy", "1.0.0")
    channel.release()
    instance = Instance(place, channel.root_bytes)
    first = instance.sealift("install", str(channel.pack(place / "first.tar")))
    answer = instance.python(LOAD)
    if first.returncode != 0 or not answer.stdout.startswith(str(OLD)) or not answer.stdout.endswith("[1]\n"):
        print(f"{what:26} BROKEN: what 0.1.0 knows is not installed: {first.stderr}{answer.stdout}{answer.stderr}")
        return False
    folder = place / "recipe"
    folder.mkdir()
    put(channel, folder)
    channel.release()
    bundle, before, good = str(channel.pack(place / "second.tar")), instance.snapshot(), True
    for command in COMMANDS:
        done = instance.sealift(*command, bundle)
        lines = done.stderr.strip().splitlines()
        fine = done.returncode == UNSUPPORTED and len(lines) == 1 and "upgrade Sealift" in lines[0]
        fine = fine and instance.snapshot() == before
        good &= fine
        print(
            f"{what:26} {' '.join(command):18} exit {done.returncode}{'' if fine else '  BROKEN'}: {' / '.join(lines)}"
        )
    return good


def main() -> int:
    old_reader()
    broken = []
    for what, put in KINDS.items():
        with tempfile.TemporaryDirectory(prefix="sealift-first-reader-") as work:
            if not meets(what, put, Path(work)):
                broken.append(what)
    if broken:
        print(f"Sealift 0.1.0 does not say what is the matter with: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
