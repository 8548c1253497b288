"""Every parser that reads bytes from outside: hostile bytes may yield a `sealift.Error`, and nothing else.

Each target takes bytes. `tests/fuzz` feeds them Hypothesis's inventions and the kept corpus; `make fuzz`
lets atheris search by coverage.
"""

import contextlib
import hashlib
import io
import json
import pickle
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from securesystemslib.signer import Signature
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from support.hostile.bundles import raw_header
from support.hostile.tokenizer_files import small as small_tokenizer
from support.release.channel_simulator import ChannelSimulator, toy_files

from sealift.bundle import base
from sealift.bundle import part_header as parts
from sealift.bundle.archive import Archive
from sealift.bundle.reader import read_contents, read_head, read_payload
from sealift.bundle.tarformat import parse_header
from sealift.errors import Error
from sealift.inspection import claims as inspect
from sealift.inspection.explain import explain
from sealift.model.documents import golden
from sealift.model.documents.description import ModelDescription
from sealift.model.frontend import document as frontend
from sealift.model.frontend.tokenizer.check import check_tokenizer
from sealift.model.model import Model
from sealift.model.runtime.external_data import external_tensors
from sealift.model.runtime.header import read_header
from sealift.registry import address
from sealift.registry.sources.release_artifact import artifact_bytes, parse_artifact
from sealift.registry.tags import annotations, claimed_release
from sealift.rows.source import Source
from sealift.serving.answering.question import ask, question_of
from sealift.serving.protocol.infer_request import parse_request
from sealift.serving.protocol.infer_response import write_answer
from sealift.testing import ToyModel
from sealift.trust import pin
from sealift.trust.client import TrustClient, same_channel
from sealift.trust.floor import Floor
from sealift.trust.python_tuf.fetcher import BundleFetcher
from sealift.trust.release import release_of
from sealift_bundler.source.pickles import open_pickle
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_common.oci.compression import expand, prefix_of
from sealift_common.oci.manifest import Manifest, bind_config, parse_manifest
from sealift_common.parsing import strict_json
from sealift_common.review.dsse import Envelope, canonical, parse_envelope
from sealift_common.review.questionnaire import CLASSES, default_bytes, parse_questionnaire
from sealift_common.review.record import parse_record
from sealift_common.review.statement import Statement, Subject, parse_statement

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MODEL = ModelVersion.parse("toy", "1.0.0")
RECORD = json.dumps(
    {
        "schema": "sealift.record/1",
        "model": "toy",
        "version": "1.0.0",
        "risk": "limited",
        "personal_data": False,
        "roles": ["security", "legal"],
        "questionnaire": "sha256:" + "a" * 64,
        "answers": {"use": {"purpose": "none"}},
        "source": "sha256:" + "b" * 64,
        "samples": "sha256:" + "c" * 64,
        "accepted": [{"kind": "e-mail", "file": "CARD.md", "place": "line 1", "reason": "public"}],
        "authors": [],
        "probe": {},
        "versions": {"python": "3.11"},
    }
).encode()
FRONTEND = json.dumps(
    {
        "schema": frontend.SCHEMA,
        "counters": [
            {
                "analyzer": "word",
                "lowercase": True,
                "ngram_range": [1, 2],
                "token_pattern": r"(?u)\b\w\w+\b",
                "vocabulary": ["a", "b"],
                "binary": False,
                "stop_words": ["the"],
            }
        ],
    }
).encode()
SPARSE_FRONTEND = json.dumps(
    {
        "schema": frontend.KINDS_SCHEMA,
        "frontends": [
            json.loads(FRONTEND)["counters"][0]
            | {"kind": "counter", "layout": "sparse", "term_values": 2, "row_values": 3}
        ],
    }
).encode()
TOKENIZER_FRONTEND = json.dumps(
    {
        "schema": frontend.KINDS_SCHEMA,
        "frontends": [
            {
                "kind": "tokenizer",
                "file": "tokenizer.json",
                "digest": "sha256:" + "0" * 64,
                "max_tokens": 16,
                "embedding_rows": 4,
                "prefix": True,
                "inputs": {"ids": "input_ids"},
            }
        ],
    }
).encode()
# A tensor whose values are in `model.onnx.data`, in a graph of nothing else.
EXTERNAL = b"\x08\x08:\x1f*\x1dj\x1b\n\x08location\x12\x0fmodel.onnx.dataB\x04\n\0\x10\x12"
KINDS = ("columns", "tensors")
SHA = "sha256:" + "0" * 64
OLD = bytes(range(256)) * 4
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


@cache
def _descriptions() -> tuple[ModelDescription, ...]:
    """The toy, as if it took a matrix, columns and named tensors."""
    document = json.loads(toy_files()["model.json"])
    matrix = ModelDescription.parse(toy_files()["model.json"])
    return (matrix, *(ModelDescription.parse(json.dumps(document | {"interface": kind}).encode()) for kind in KINDS))


def tar_header(data: bytes) -> None:
    parse_header(data[:512], "here")


def part_header(data: bytes) -> None:
    """A header as it is, and its text under a checksum that is right."""
    with contextlib.suppress(Error):
        parts.parse_header(data[: parts.HEADER_BYTES], "x")
    start = data[: parts.HEADER_BYTES - 64].ljust(parts.HEADER_BYTES - 64, b"\0")
    parts.parse_header(start + hashlib.sha256(start).hexdigest().encode(), "x")


def base_document(data: bytes) -> None:
    base.require_fit(base.parse_base(data), [good_manifest()])


@cache
def good_manifest() -> Manifest:
    _, _, raw, raw_config = good()
    return bind_config(parse_manifest(raw, MODEL, "sha256:" + "0" * 64), raw_config)


def patch(data: bytes) -> None:
    """Apply a patch; the first two bytes say how long the file should be."""
    length = int.from_bytes(data[:2], "big") * 64
    taken = 0
    try:
        for chunk in expand([data[2:]], Blob(SHA, length), "x", old=prefix_of([OLD], len(OLD))):
            taken += len(chunk)
    finally:
        assert taken <= length


def json_document(data: bytes) -> None:
    strict_json.parse(data, "x")


def bundle(data: bytes) -> None:
    """Read a whole bundle as `inspect` and then `verify` do, trusting what it claims."""
    archive = Archive(io.BytesIO(data))
    head = read_head(archive)
    claims = inspect.claims(head)
    contents = read_contents(archive, head, claims.release.models)
    read_payload(archive, contents, lambda _blob, chunks: list(chunks), lambda _patch, chunks: list(chunks))


def patched_bundle(data: bytes) -> None:
    """Patch a good bundle: three bytes of position, a length, and what to write there."""
    base = bytearray(good()[0])
    while len(data) >= 5:
        position = int.from_bytes(data[:3], "big") % len(base)
        length = 1 + data[3] % 32
        base[position : position + length] = data[4 : 4 + length]
        data = data[4 + length :]
    bundle(bytes(base))


def odd_archive(data: bytes) -> None:
    """Put tar headers of any kind between the members of a good bundle: a byte for the place, then the block."""
    base, place = good()[0], 512 * (data[0] if data else 0)
    bundle(base[:place] + data[1:] + bytes(-len(data[1:]) % 512) + base[place:])


def compression(data: bytes) -> None:
    """Expand a frame that was signed; the first two bytes say how long the file should be."""
    length = int.from_bytes(data[:2], "big") * 64
    taken = 0
    try:
        for chunk in expand([data[2:]], Blob("sha256:" + "0" * 64, length), "x"):
            taken += len(chunk)
    finally:
        assert taken <= length


def golden_of_model(data: bytes) -> None:
    """Golden examples against each kind of model."""
    for description in _descriptions():
        with contextlib.suppress(Error):
            golden.parse(data, description)
    golden.parse(data)


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


def tokenizer_json(data: bytes) -> None:
    check_tokenizer(data, "tokenizer.json")


def frontend_json(data: bytes) -> None:
    frontend.parse(data)


def rows_of_every_format(data: bytes) -> None:
    """Read rows as a matrix model and as a text model take them, in small batches."""
    for description, kinds in ((rows_model("matrix"), ("csv", "json", "jsonl")), (rows_model("text"), ("csv", "txt"))):
        for kind in kinds:
            with tempfile.NamedTemporaryFile() as file:
                file.write(data)
                file.flush()
                # What was read before the refusal does not matter here.
                with contextlib.suppress(Error), Source(Path(file.name), kind).batches(description, 3) as batches:
                    assert all(batch.count for batch in batches)


@cache
def rows_model(interface: str) -> ModelDescription:
    described = ModelDescription.parse(ToyModel().files("toy")["model.json"])
    return described._replace(interface=interface)


def graph(data: bytes) -> None:
    read_header(data)
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


def release_artifact(data: bytes) -> None:
    claimed_release(data)
    parse_artifact(data, "a release")


def registry_address(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for prefix in ("", address.OCI, address.GITLAB):
        with contextlib.suppress(Error):
            found = address.parse(prefix + text)
            # What is shown is what was given, so that nobody is led elsewhere.
            assert address.parse(str(found)) == found


def pickles(data: bytes) -> None:
    """Open a pickle as the child does; its bytes are a model's, and may call nothing."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "m.pkl"
        path.write_bytes(data)
        open_pickle(path)


def review_record(data: bytes) -> None:
    parse_record(data, MODEL)


def review(data: bytes) -> None:
    envelope = parse_envelope(strict_json.parse(data, "review"), "review")
    parse_statement(envelope.payload, "review")


def questionnaire(data: bytes) -> None:
    found = parse_questionnaire(data)
    for risk in CLASSES:
        found.demand(risk, personal_data=True)


def _review() -> bytes:
    subject = Subject(MODEL, "sha256:" + "a" * 64)
    statement = Statement("sim", "security", "approved", 1, (subject,), None, None, NOW, NOW, "fine")
    return canonical(Envelope(statement.to_bytes(), (Signature("k", "00" * 64),)))


def infer_request(data: bytes) -> None:
    """A request of a served model: two bytes of the length of its JSON, or nothing where all of it is."""
    size = int.from_bytes(data[:2], "little")
    request = parse_request(data[2:], size or None)
    model = _served()
    question = question_of(model.description, request)
    (answers,) = ask(model, [question])
    write_answer(request, "m", "1.0.0", answers)


@cache
def _served() -> Model:
    return Model.from_files(ToyModel(columns={"a": "float", "b": "str"}, key="b").files("m"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        tar_header,
        part_header,
        base_document,
        patch,
        json_document,
        bundle,
        patched_bundle,
        odd_archive,
        compression,
        manifest,
        config,
        metadata,
        root,
        floor,
        model_json,
        golden_json,
        golden_of_model,
        frontend_json,
        tokenizer_json,
        graph,
        rows_of_every_format,
        release_artifact,
        registry_address,
        pickles,
        review_record,
        review,
        questionnaire,
        infer_request,
    )
}


def odd_headers() -> list[bytes]:
    """One header of each kind that tar has."""
    kinds = [b"0", b"1", b"2", b"5", b"L", b"K", b"S", b"x", b"g"]
    records = b"22 path=../etc/passwd\n".ljust(512, b"\0")
    return [raw_header(b"oci-layout", 22, type=kind, linkname=b"/etc") + records for kind in kinds]


def run(name: str, data: bytes) -> None:
    """Run one target; anything but a refusal escapes."""
    with contextlib.suppress(Error):
        TARGETS[name](data)


def _base() -> base.Base:
    blobs = {file.name: file.blob.digest for file in good_manifest().files}
    return base.Base(
        3, SHA, frozenset([blobs["model.json"]]), (base.Patch(blobs["model.onnx"], Blob(SHA, 9), Blob(SHA, 99)),)
    )


def _patch_frame() -> bytes:
    compressor = zstd.ZstdCompressor(zstd_dict=zstd.ZstdDict(OLD, is_raw=True).as_prefix)
    return compressor.compress(OLD[:700] + b"new") + compressor.flush()


@cache
def _estimator() -> Any:
    rows = [[0.0, 1.0], [1.0, 0.5], [2.0, 0.0]]
    return make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2)).fit(rows, ["a", "b", "a"])


def _joblib(value: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


def _requests() -> list[bytes]:
    """A request in JSON, the same nested and with all that is optional, and one whose tensors are bytes."""
    a = {"name": "a", "datatype": "FP32", "shape": [2], "data": [1.5, None]}
    b = {"name": "b", "datatype": "BYTES", "shape": [2], "data": ["x", None]}
    outputs = [{"name": "predict", "parameters": {"binary_data": True}}, {"name": "predict_proba"}]
    full = {"id": "7", "parameters": {"binary_data_output": False}, "inputs": [a, b], "outputs": outputs}
    run = {"name": "texts", "datatype": "BYTES", "shape": [2, 1], "data": [["x"], ["y"]]}
    number = {"name": "numbers", "datatype": "FP32", "shape": [2, 1], "data": [[1], [2]]}
    binary = {
        "inputs": [
            {"name": "a", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}},
            {"name": "b", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 10}},
        ]
    }
    head = json.dumps(binary).encode()
    return [
        *(
            b"\0\0" + json.dumps(document).encode()
            for document in (
                {"inputs": [a, b]},
                full,
                {"inputs": [run, number], "parameters": {"method": "run"}},
            )
        ),
        len(head).to_bytes(2, "little") + head + bytes(16) + b"\1\0\0\0x\1\0\0\0y",
    ]


def seeds(name: str) -> list[bytes]:
    """Return good inputs for a target, from which a fuzzer departs."""
    data, files, raw, raw_config = good()
    toy = toy_files()
    frame = zstd.compress(b"hello" * 100)
    return {
        "infer_request": _requests(),
        "tar_header": [data[:512]],
        "part_header": [parts.PartHeader("x", SHA, 9, 1, 2, 0, 5, SHA).to_bytes()],
        "release_artifact": [artifact_bytes({"index.json": b"{}", "tuf/1.root.json": b""}, annotations("sim", 3, ""))],
        "registry_address": [b"oci://host:5000/a/b:tag", b"gitlab://[::1]:8080/a%2Fb/c/3", f"oci://h/r@{SHA}".encode()],
        "pickles": [pickle.dumps(_estimator(), protocol) for protocol in (0, 2, 4)] + [_joblib(_estimator())],
        "base_document": [_base().to_bytes()],
        "patch": [b"\0\x10" + frame, b"\0\x10" + _patch_frame()],
        "json_document": [files["targets.json"]],
        "bundle": [data],
        "patched_bundle": [b"\0\2\0\1x"],
        "odd_archive": [b"\0" + header for header in odd_headers()],
        "compression": [b"\0\x10" + frame, b"\xff\xff" + frame + frame, b"\0\0\x50\x2a\x4d\x18\0\0\0\0" + frame],
        "manifest": [raw],
        "config": [raw_config],
        "metadata": [bytes([index]) + files[file] for index, file in enumerate(sorted(files))],
        "root": [files["1.root.json"]],
        "floor": [Floor(1, 2, 3, 4, NOW).to_bytes()],
        "model_json": [toy["model.json"]],
        "golden_json": [toy["golden.json"]],
        "golden_of_model": [toy["golden.json"]],
        "frontend_json": [b'{"schema":"sealift.frontend/1"}', FRONTEND, SPARSE_FRONTEND, TOKENIZER_FRONTEND],
        "tokenizer_json": [small_tokenizer()],
        "rows_of_every_format": [
            b'text\n"a\nb"\n\xef\xbb\xbfc\r\n',
            b"[[1,2],[3,4.5]]",
            b"[1,2]\n\n[3,null]\n",
            b"x,y\n1,\n",
        ],
        "graph": [toy["model.onnx"], EXTERNAL, good_graph()],
        "review_record": [RECORD],
        "questionnaire": [default_bytes()],
        "review": [_review()],
    }[name]
