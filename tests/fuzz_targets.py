"""Every parser that reads bytes from outside: hostile bytes may yield a `sealift.Error`, and nothing else.

Each target takes bytes. `tests/fuzz` feeds them Hypothesis's inventions and the kept corpus; `make fuzz`
lets atheris search by coverage.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from channel_simulator import ChannelSimulator

from sealift import inspect, strict_json
from sealift.bundle.archive import Archive
from sealift.bundle.manifest import bind_config, parse_manifest
from sealift.bundle.reader import read_contents, read_head, read_payload
from sealift.bundle.tarformat import parse_header
from sealift.errors import Error
from sealift.model import frontend, golden
from sealift.model.description import ModelDescription
from sealift.model.external_data import external_tensors
from sealift.trust import pin
from sealift.trust.client import TrustClient, same_channel
from sealift.trust.explain import explain
from sealift.trust.fetcher import BundleFetcher
from sealift.trust.floor import Floor
from sealift.trust.release import release_of
from sealift_keys.names import ModelVersion

MODEL = ModelVersion.parse("toy", "1.0.0")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@cache
def good() -> tuple[bytes, dict[str, bytes], bytes, bytes]:
    """A good bundle, its metadata by file name, and its manifest and config."""
    with tempfile.TemporaryDirectory() as directory:
        channel = ChannelSimulator(Path(directory) / "channel", now=NOW)
        channel.add()
        channel.release()
        data = channel.pack_anything(Path(directory) / "x.tar").read_bytes()
    archive = Archive(io.BytesIO(data))
    head = read_head(archive)
    manifest = read_contents(archive, head, inspect.claims(head).release.models).manifests[0]
    return data, dict(head.metadata), manifest.raw, manifest.raw_config


def tar_header(data: bytes) -> None:
    parse_header(data[:512], "here")


def json_document(data: bytes) -> None:
    strict_json.parse(data, "x")


def bundle(data: bytes) -> None:
    """Read a whole bundle as `inspect` and then `verify` do, trusting what it claims."""
    archive = Archive(io.BytesIO(data))
    head = read_head(archive)
    claims = inspect.claims(head)
    contents = read_contents(archive, head, claims.release.models)
    read_payload(archive, contents, lambda _blob, chunks: list(chunks))


def patched_bundle(data: bytes) -> None:
    """Patch a good bundle: three bytes of position, a length, and what to write there."""
    base = bytearray(good()[0])
    while len(data) >= 5:
        position = int.from_bytes(data[:3], "big") % len(base)
        length = 1 + data[3] % 32
        base[position : position + length] = data[4 : 4 + length]
        data = data[4 + length :]
    bundle(bytes(base))


def manifest(data: bytes) -> None:
    bind_config(parse_manifest(data, MODEL, "sha256:" + "0" * 64), good()[3])


def config(data: bytes) -> None:
    bind_config(parse_manifest(good()[2], MODEL, "sha256:" + "0" * 64), data)


def metadata(data: bytes) -> None:
    """Replace one metadata file of a good bundle; the first byte says which."""
    files = dict(good()[1])
    pinned = files["1.root.json"]
    names = [*sorted(files), "2.root.json"]
    files[names[data[0] % len(names) if data else 0]] = data[1:]
    explain(files, pinned, None, NOW)
    with tempfile.TemporaryDirectory() as scratch:
        same_channel(pinned, files)
        trusted = TrustClient(Path(scratch), pinned, BundleFetcher(files), None, NOW).refresh()
        release_of(trusted.root, trusted.targets)


def root(data: bytes) -> None:
    pin.parse_root(data)


def floor(data: bytes) -> None:
    Floor.from_bytes(data)


def model_json(data: bytes) -> None:
    ModelDescription.parse(data)


def golden_json(data: bytes) -> None:
    golden.parse(data)


def frontend_json(data: bytes) -> None:
    frontend.parse(data)


def graph(data: bytes) -> None:
    external_tensors(data, {"model.onnx.data": 4096, "model.onnx.data.1": 64})


@cache
def good_graph() -> bytes:
    """A graph with external tensors in every place that the walk looks at."""
    from onnx import TensorProto, helper

    def tensor(name: str, location: str) -> TensorProto:
        made = TensorProto(name=name, data_type=1, dims=[2, 2], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location), ("offset", "16"), ("length", "16")):
            made.external_data.add(key=key, value=value)
        return made

    inner = helper.make_graph([], "inner", [], [], [tensor("i", "model.onnx.data")])
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=inner, value=tensor("t", "model.onnx.data"))]
    function = helper.make_function("own", "F", [], ["x"], nodes, [helper.make_opsetid("", 18)])
    initializers = [tensor("a", "model.onnx.data"), tensor("b", "model.onnx.data.1")]
    made = helper.make_model(helper.make_graph(nodes, "g", [], [], initializers), functions=[function])
    return bytes(made.SerializeToString())


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        tar_header,
        json_document,
        bundle,
        patched_bundle,
        manifest,
        config,
        metadata,
        root,
        floor,
        model_json,
        golden_json,
        frontend_json,
        graph,
    )
}


def run(name: str, data: bytes) -> None:
    """Run one target; anything but a refusal escapes."""
    with contextlib.suppress(Error):
        TARGETS[name](data)


def seeds(name: str) -> list[bytes]:
    """Return good inputs for a target, from which a fuzzer departs."""
    data, files, raw, raw_config = good()
    from channel_simulator import toy_files

    toy = toy_files()
    return {
        "tar_header": [data[:512]],
        "json_document": [files["targets.json"]],
        "bundle": [data],
        "patched_bundle": [b"\0\2\0\1x"],
        "manifest": [raw],
        "config": [raw_config],
        "metadata": [bytes([index]) + files[file] for index, file in enumerate(sorted(files))],
        "root": [files["1.root.json"]],
        "floor": [Floor(1, 2, 3, 4, NOW).to_bytes()],
        "model_json": [toy["model.json"]],
        "golden_json": [toy["golden.json"]],
        "graph": [good_graph()],
        "frontend_json": [b'{"schema":"sealift.frontend/1"}'],
    }[name]
