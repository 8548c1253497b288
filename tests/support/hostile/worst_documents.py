"""Documents from outside in the shapes that cost most: many small entries, many keys, one long text, the same again.

Each shape is made in any size. Tests see that work grows with size, the bench that the largest ones take their time.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from support.release.channel_simulator import toy_files

from sealift.backup.document import Backup
from sealift.bundle import base
from sealift.bundle.reader import _parse_index
from sealift.install.plan import make_plan
from sealift.limits import LIMITS
from sealift.model.documents import golden
from sealift.model.documents.description import ModelDescription
from sealift.model.frontend import document as frontend
from sealift.model.runtime.external_data import external_tensors
from sealift.model.runtime.header import read_header
from sealift.model.runtime.wire import encode
from sealift.registry.authentication import _PARAMETER
from sealift.registry.tags import claimed_release
from sealift.rows.csv_rows import csv_batches
from sealift.trust import metadata
from sealift.trust.release import Release
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.manifest import bind_config, parse_manifest
from sealift_common.parsing import strict_json

TOY = json.loads(toy_files()["model.json"])
MODEL = ModelVersion.parse("toy", "1.0.0")
SHA = "sha256:" + "0" * 64


class Shape(NamedTuple):
    """A kind of document in one shape.

    Attributes:
        make: gives a document of so many entries.
        read: reads it, or refuses it.
        most: how many entries the limits allow.
    """

    make: Callable[[int], bytes]
    read: Callable[[bytes], object]
    most: int


def dump(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def model(**over: object) -> bytes:
    tensors = {"task": "tensors", "interface": "tensors", "classes": None}
    return dump(TOY | tensors | over)


def tensor_input(name: str, columns: list[dict[str, object]] | None = None, **over: object) -> dict[str, object]:
    return {"name": name, "dtype": "float32", "shape": ["n", 1], "columns": columns or []} | over


def output(name: str, role: str = "raw") -> dict[str, object]:
    return {"name": name, "dtype": "float32", "shape": [], "role": role, "returns": "float32"}


def column(name: str) -> dict[str, object]:
    return {
        "name": name,
        "kind": "float",
        "missing": "nan",
        "infinite": True,
        "categories": [],
        "missing_is": "NaN",
        "dtype": "float64",
    }


def columns(count: int, **over: object) -> bytes:
    wide = tensor_input("x", [column(f"column-{index}") for index in range(count)], shape=["n", count])
    return model(interface="columns", task="regression", inputs=[wide], outputs=[output("y", "values")], **over)


def tensors(count: int, name: Callable[[int], str] = "t{}".format, values: int = 1) -> bytes:
    made = [{"name": name(n), "datatype": "FP32", "shape": [values], "data": [1.5] * values} for n in range(count)]
    example = {"request": {"inputs": made}, "response": {"outputs": made[:1]}}
    return dump({"schema": golden.SCHEMA, "examples": [example]})


def counters(count: int = 1, **over: object) -> bytes:
    one = {
        "analyzer": "word",
        "lowercase": True,
        "strip_accents": None,
        "token_pattern": "a",
        "ngram_range": [1, 1],
        "stop_words": None,
        "vocabulary": [],
        "binary": False,
    }
    return dump({"schema": frontend.SCHEMA, "counters": [one | over] * count})


def sparse_counters(count: int) -> bytes:
    (one,) = json.loads(counters())["counters"]
    one |= {"kind": "counter", "layout": "sparse", "term_values": 1, "row_values": 0}
    return dump({"schema": frontend.KINDS_SCHEMA, "frontends": [one] * count})


def numbered(count: int) -> list[str]:
    return [f"a-common-beginning-{index}" for index in range(count)]


def digests(count: int) -> list[str]:
    return [f"sha256:{index:064x}" for index in range(count)]


def base_document(absent: list[str], patched: list[str]) -> bytes:
    patches = [{"blob": one, "digest": SHA, "size": 9, "old_digest": SHA, "old_size": 9} for one in patched]
    return dump({"schema": base.SCHEMA, "release": 1, "digest": SHA, "absent": absent, "patches": patches})


def manifest(count: int) -> bytes:
    layers = [
        {
            "mediaType": layout.DOC_TYPE,
            "digest": SHA,
            "size": 5,
            "annotations": {layout.FILEPATH: f"F{n}", layout.TITLE: f"F{n}", layout.PLAIN_SIZE: "5"},
        }
        for n in range(count)
    ]
    kinds = {"mediaType": layout.MANIFEST_TYPE, "artifactType": layout.ARTIFACT_TYPE}
    config = {"mediaType": layout.CONFIG_TYPE, "digest": SHA, "size": 5}
    return dump({"schemaVersion": 2, **kinds, "config": config, "layers": layers})


def read_manifest(data: bytes) -> None:
    unbound = parse_manifest(data, MODEL, SHA)
    modelfs = {"type": "layers", "diffIds": [SHA] * len(unbound.layers)}
    descriptor = {"name": "toy", "version": "1.0.0"}
    bind_config(unbound, dump({"descriptor": descriptor, "config": {"format": "onnx"}, "modelfs": modelfs}))


def index(**over: object) -> bytes:
    return dump({"annotations": {layout.BUNDLE_FORMAT: "1"}, "manifests": []} | over)


def backup(generations: list[dict[str, object]], paths: list[str]) -> bytes:
    files = [{"path": path, "sha256": "0" * 64, "size": 1} for path in paths]
    head = {"schema": "sealift.backup/1", "channel": "c", "release": 1, "active": 1}
    return dump(head | {"generations": generations, "files": files})


def generation(number: int, models: int = 0) -> dict[str, object]:
    named = {f"m{index:05}": "1.0.0" for index in range(models)}
    return {"number": number, "release": 1, "created": "2026-01-01T00:00:00Z", "models": named}


def role(kind: str, **over: object) -> bytes:
    head = {"_type": kind, "version": 1, "spec_version": "1.0.31", "expires": "2030-01-01T00:00:00Z"}
    body: dict[str, object] = {
        "root": {"keys": {}, "roles": {}, "consistent_snapshot": False},
        "targets": {"targets": {}},
        "snapshot": {"meta": {}},
    }[kind]
    signatures = over.pop("signatures", [])
    return dump({"signed": head | body | over, "signatures": signatures})


def root(keys: int = 2, keyids: int = 0, signatures: int = 0) -> bytes:
    made = {
        hashlib.sha256(b"%d" % n).hexdigest(): {
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": {"public": f"{n:064x}"},
        }
        for n in range(keys)
    }
    some = {"keyids": [*made][:1], "threshold": 1}
    roles = dict.fromkeys(("timestamp", "snapshot", "targets"), some)
    many = {"keyids": [*made, *(f"{n:064x}" for n in range(keyids))], "threshold": 1}
    signed = [{"keyid": f"{n:064x}", "sig": ""} for n in range(signatures)]
    return role("root", keys=made, roles={**roles, "root": many}, signatures=signed)


def targets(count: int) -> bytes:
    entries = {f"models/m{n}/1.0.0": {"length": 5, "hashes": {"sha256": f"{n:064x}"}} for n in range(count)}
    return role("targets", targets=entries)


def plan(data: bytes) -> None:
    """Every version of the store was withdrawn."""
    from datetime import UTC, datetime

    from sealift_common.metadata.release_document import Withdrawal

    models = [ModelVersion.parse(f"m{n}", "1.0.0") for n in range(int(data))]
    taken = tuple(Withdrawal(one, "", "") for one in models)
    release = Release("c", 1, datetime.now(UTC), {}, taken)
    assert len(make_plan(release, (), (), models, {}, set(models)).withdrawn) == len(models)


def csv(data: bytes) -> None:
    """A header of many names, for a model that takes them all."""
    count = int(data)
    described = ModelDescription.parse(columns(count))
    header = ",".join(column.name for column in described.columns) + "\n"
    assert list(csv_batches([header], "rows.csv", described, 1)) == []


def external(count: int) -> bytes:
    entries = [encode(1, "location") + encode(2, "model.onnx.data"), encode(1, "offset") + encode(2, "0")]
    made = []
    for number in range(count):
        outside = b"".join(encode(13, entry) for entry in entries) + encode(14, 1)
        made.append(encode(5, encode(1, 4) + encode(2, 1) + encode(8, f"w{number}") + outside))
    return encode(1, 8) + encode(7, b"".join(made)) + encode(8, encode(2, 17))


def read_graph(data: bytes) -> None:
    read_header(data)
    external_tensors(data, {"model.onnx.data": 1 << 40})


def challenge(data: bytes) -> None:
    assert not _PARAMETER.findall(data.decode())


def anything(data: bytes) -> None:
    strict_json.parse(data, "a document")


def history(data: bytes) -> None:
    from sealift.store.contents import history as log

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "history.jsonl"
        path.write_bytes(data)
        log.read(path)
        log.unreadable(path)


def _containers(each: int) -> int:
    return LIMITS.json_containers // each - 10


_describe = ModelDescription.parse
_tuf = {kind: (lambda data, kind=kind: metadata.parse(data, kind)) for kind in ("root", "targets", "snapshot")}
_VALUES = LIMITS.json_values - 100
_KEYS = LIMITS.json_keys - 100
_FILES = LIMITS.backup_containers - 10

SHAPES: dict[str, Shape] = {
    "json: closing brackets": Shape(lambda n: b"]" * n, anything, LIMITS.json_size_bytes),
    "json: quotes": Shape(lambda n: b'"' * n, anything, LIMITS.json_size_bytes),
    "json: texts": Shape(lambda n: b"[" + b",".join([b'""'] * n) + b"]", anything, _VALUES),
    "json: texts of commas": Shape(lambda n: b"[" + b",".join([b'",,,"'] * n) + b"]", anything, _VALUES),
    "json: escapes": Shape(lambda n: b'["' + b"\\u0041" * n + b'"]', anything, LIMITS.json_size_bytes // 6 - 9),
    "json: keys": Shape(lambda n: dump(dict.fromkeys(numbered(n))), anything, _KEYS),
    "json: objects": Shape(lambda n: dump([{"a": 1}] * n), anything, _containers(1)),
    "json: arrays": Shape(lambda n: dump([[]] * n), anything, _containers(1)),
    "json: long integers": Shape(lambda n: b"[" + b",".join([b"9" * 4300] * n) + b"]", anything, 7_800),
    "json: a long fraction": Shape(lambda n: b"0." + b"1" * n, anything, LIMITS.json_size_bytes - 9),
    "model: inputs": Shape(lambda n: model(inputs=[*map(tensor_input, numbered(n))]), _describe, _containers(3)),
    "model: outputs": Shape(lambda n: model(outputs=[*map(output, numbered(n))]), _describe, _containers(2)),
    "model: outputs of a role": Shape(
        lambda n: model(outputs=[output(name, "probabilities") for name in numbered(n)]), _describe, _containers(2)
    ),
    "model: columns": Shape(columns, _describe, 110_000),
    "model: categories": Shape(
        lambda n: model(
            inputs=[tensor_input("x", [column("a") | {"kind": "str", "missing": None, "categories": ["a"] * n}])]
        ),
        _describe,
        _VALUES,
    ),
    "model: classes": Shape(lambda n: model(classes={"dtype": "int64", "values": [1] * n}), _describe, _VALUES),
    "model: operator sets": Shape(
        lambda n: model(requires=TOY["requires"] | {"opsets": dict.fromkeys(numbered(n), 1)}), _describe, _KEYS
    ),
    "model: locales": Shape(lambda n: model(requires=TOY["requires"] | {"locales": ["a"] * n}), _describe, _VALUES),
    "model: unknown keys": Shape(lambda n: model(**dict.fromkeys(numbered(n))), _describe, _KEYS),
    "golden: tensors": Shape(tensors, golden.parse, _containers(3)),
    "golden: the same tensor": Shape(lambda n: tensors(n, lambda _: "t"), golden.parse, _containers(3)),
    "golden: numbers": Shape(lambda n: tensors(1, values=n), golden.parse, LIMITS.golden_values // 2 - 100),
    "frontend: vocabulary": Shape(lambda n: counters(vocabulary=numbered(n)), frontend.parse, 1_000_000),
    "frontend: stop words": Shape(lambda n: counters(stop_words=numbered(n)), frontend.parse, 1_000_000),
    "frontend: counters": Shape(counters, frontend.parse, LIMITS.frontend_counters),
    "frontend: sparse counters": Shape(sparse_counters, frontend.parse, LIMITS.frontend_counters),
    "manifest: files": Shape(manifest, read_manifest, LIMITS.files_per_model),
    "index: models": Shape(lambda n: index(manifests=[{}] * n), _parse_index, _containers(1)),
    "index: annotations": Shape(
        lambda n: index(annotations=dict.fromkeys(numbered(n), "") | {layout.BUNDLE_FORMAT: "1"}), _parse_index, 400_000
    ),
    "base: absent": Shape(lambda n: base_document(digests(n), []), base.parse_base, 220_000),
    "base: patches": Shape(lambda n: base_document([], digests(n)), base.parse_base, 60_000),
    "backup: files": Shape(
        lambda n: backup([generation(1)], [f"models/m{k // 8:06}/1.0.0/F{k:07}" for k in range(n)]),
        Backup.from_bytes,
        _FILES,
    ),
    "backup: generations": Shape(
        lambda n: backup([generation(k + 1) for k in range(n)], []), Backup.from_bytes, _FILES // 2
    ),
    "backup: models of generations": Shape(
        lambda n: backup([generation(k + 1, 1_000) for k in range(n // 1_000)], []), Backup.from_bytes, _KEYS - 10_000
    ),
    "root: keys": Shape(lambda n: root(keys=n), _tuf["root"], 2_500),
    "root: key ids": Shape(lambda n: root(keyids=n), _tuf["root"], 7_000),
    "root: signatures": Shape(lambda n: root(signatures=n), _tuf["root"], 5_000),
    "targets: models": Shape(targets, _tuf["targets"], LIMITS.models_per_bundle),
    "targets: unknown numbers": Shape(lambda n: role("targets", x=[0] * n), _tuf["targets"], _VALUES),
    "snapshot: files": Shape(
        lambda n: role("snapshot", meta={f"{k}.json": {"version": 1} for k in range(n)}), _tuf["snapshot"], 60_000
    ),
    "withdrawn versions": Shape(lambda n: b"%d" % n, plan, LIMITS.models_per_bundle),
    "csv: columns": Shape(lambda n: b"%d" % n, csv, 110_000),
    "graph: tensors in shards": Shape(external, read_graph, 60_000),
    "registry: a challenge": Shape(lambda n: b"a" * n, challenge, 65_536),
    "registry: a manifest": Shape(lambda n: dump({"layers": [{}] * n}), claimed_release, _containers(1)),
    "history: lines": Shape(lambda n: b"{}\n" * n, history, 200_000),
}
