"""Manifests and documents that are signed and still wrong: refused by their form, with the store unchanged."""

import json

import numpy as np
import pytest
import rfc8785
from support.hostile import bundles as hostile
from support.release.channel_simulator import renamed, toy_files
from support.release.repack import read_members, write_members

from sealift.cli import cli
from sealift.errors import (
    DigestError,
    Error,
    LimitError,
    MalformedError,
    SelfTestError,
    UnsafeMemberError,
    UnsupportedVersionError,
    UntrustedKeyError,
)
from sealift.limits import LIMITS
from sealift.model.documents import golden
from sealift.model.documents.description import ModelDescription
from sealift.model.frontend import document as frontend
from sealift.model.trial.process import run_in_child
from sealift_common.console import run
from sealift_common.oci import layout

FORM = (MalformedError, UnsafeMemberError, LimitError, UnsupportedVersionError, DigestError)
RAW = {
    "nothing": lambda _: b"",
    "null": lambda _: b"null",
    "a list": lambda raw: b"[" + raw + b"]",
    "a string": lambda _: b'"x"',
    "cut short": lambda raw: raw[:-1],
    "something behind": lambda raw: raw + b"{}",
    "a key twice": lambda raw: raw[:-1] + b',"schemaVersion":2,"schemaVersion":2}',
    "a key twice, once escaped": lambda raw: raw[:-1] + b',"\\u0061":1,"a":1}',
    "NaN": lambda raw: raw[:-1] + b',"x":NaN}',
    "Infinity": lambda raw: raw[:-1] + b',"x":-Infinity}',
    "1e999": lambda raw: raw[:-1] + b',"x":1e999}',
    "-1e999": lambda raw: raw[:-1] + b',"x":-1e999}',
    "a number of 5,000 digits": lambda raw: raw[:-1] + b',"x":' + b"9" * 5000 + b"}",
    "deep nesting": lambda raw: raw[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep nesting that never ends": lambda raw: raw[:-1] + b',"x":' + b'{"a":' * 100_000,
    "half a surrogate pair": lambda raw: raw[:-1] + b',"x":"\\ud800"}',
    "half a surrogate pair as a key": lambda raw: raw[:-1] + b',"\\udfff":1}',
    "not UTF-8": lambda raw: raw[:-1] + b',"x":"\xff"}',
    "a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "a NUL": lambda raw: raw + b"\0",
    "a control character": lambda raw: raw[:-1] + b',"x":"\x01"}',
    "a comment": lambda raw: raw + b"/* hello */",
    "a comma too many": lambda raw: raw[:-1] + b",}",
}


@pytest.fixture
def refuse(channel, instance, refused, tmp_path):
    """Sign and install a bundle with altered documents; assert the refusal and that nothing is left."""

    def check(error=FORM, match="", **altered):
        bundle = hostile.sign(channel, tmp_path / "hostile.tar", **altered)
        instance.pin(channel.root_bytes)
        beside = sorted(tmp_path.iterdir())
        with refused(error, match):
            instance.install(bundle)
        assert not (instance.store_path / "staging").exists()
        assert not (instance.store_path / "models").exists()
        assert sorted(tmp_path.iterdir()) == [*beside, instance.directory] or sorted(tmp_path.iterdir()) == beside

    return check


def test_unaltered_documents_are_installed(channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    assert instance.install(hostile.sign(channel, tmp_path / "good.tar")).generation == 1


@pytest.mark.parametrize("what", RAW)
@pytest.mark.parametrize("document", ["manifest", "config", "model.json"])
def test_json_that_is_none(what, document, refuse):
    if document == "model.json":
        refuse(files={"model.json": RAW[what](_model_json())})
    else:
        refuse(**{f"raw_{document}": RAW[what]})


def test_documents_beyond_their_limits(refuse, monkeypatch):
    refuse(LimitError, "expected at most", raw_config=lambda raw: raw + b" " * LIMITS.oci_config_size_bytes)


def test_a_manifest_beyond_its_limit(refuse):
    refuse(LimitError, "has a manifest of", raw_manifest=lambda raw: raw + b" " * LIMITS.oci_manifest_size_bytes)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("CARD.md", LIMITS.document_size_bytes),
        ("model.onnx", LIMITS.graph_size_bytes),
        ("model.onnx.data", LIMITS.file_size_bytes),
    ],
)
def test_a_file_that_expands_beyond_its_limit(name, size, refuse):
    """Refused by what the head says, before any of it is read."""

    def change(manifest, _config):
        layer = _card(manifest)
        layer["mediaType"] += layout.ZSTD_SUFFIX
        manifest["layers"] = [x for x in manifest["layers"] if x is layer or x["annotations"][layout.TITLE] != name]
        layer["annotations"] |= {layout.FILEPATH: name, layout.TITLE: name, layout.PLAIN_SIZE: str(size + 1)}
        _config["modelfs"]["diffIds"] = ["sha256:" + "0" * 64] * len(manifest["layers"])

    refuse(LimitError, f"expected at most {size:,}", change=change)


def test_a_large_model_json(refuse):
    refuse(LimitError, "'model.json'", files={"model.json": _model_json() + b" " * LIMITS.json_size_bytes})


def test_a_large_golden_json(refuse):
    refuse(LimitError, "'golden.json'", files={"golden.json": b" " * (LIMITS.golden_size_bytes + 1)})


def _card(manifest):
    return next(layer for layer in manifest["layers"] if layer["annotations"][layout.TITLE] == "CARD.md")


def _rename(name):
    return lambda m, c: _card(m)["annotations"].update({layout.FILEPATH: name, layout.TITLE: name})


def _annotate(**values):
    return lambda m, c: _card(m)["annotations"].update(values)


def _frame_of_config(manifest, config):
    """The card is the config's own blob: it would be read with the documents, and never reach the model."""
    raw = rfc8785.dumps(config)
    _card(manifest).update(digest=layout.sha256(raw), size=len(raw), mediaType=layout.DOC_TYPE + "+zstd")


MANIFESTS = {
    "schema version 1": lambda m, c: m.update(schemaVersion=1),
    "schema version 3": lambda m, c: m.update(schemaVersion=3),
    "schema version 2.0": lambda m, c: m.update(schemaVersion=2.5),
    "schema version true": lambda m, c: m.update(schemaVersion=True),
    "schema version as text": lambda m, c: m.update(schemaVersion="2"),
    "no schema version": lambda m, c: m.pop("schemaVersion"),
    "Docker's media type": lambda m, c: m.update(mediaType="application/vnd.docker.distribution.manifest.v2+json"),
    "an index": lambda m, c: m.update(mediaType=layout.INDEX_TYPE),
    "another artifact": lambda m, c: m.update(artifactType="application/vnd.cncf.helm.config.v1+json"),
    "no artifact type": lambda m, c: m.pop("artifactType"),
    "a huge artifact type": lambda m, c: m.update(artifactType="x" * 1_000_000),
    "no layers": lambda m, c: m.pop("layers"),
    "an empty list of layers": lambda m, c: (m.update(layers=[]), c["modelfs"].update(diffIds=[])),
    "layers as an object": lambda m, c: m.update(layers={}),
    "a layer that is null": lambda m, c: m["layers"].append(None),
    "100,000 layers": lambda m, c: m.update(layers=[{}] * 100_000),
    "5,000 layers of one blob": lambda m, c: m.update(layers=m["layers"][:1] * 5_000),
    "no config": lambda m, c: m.pop("config"),
    "a config that is a list": lambda m, c: m.update(config=[]),
    "Docker's config": lambda m, c: m["config"].update(mediaType="application/vnd.docker.container.image.v1+json"),
    "a config digest of sha512": lambda m, c: m.update(config={**m["config"], "digest": "sha512:" + "0" * 128}),
    "a config digest with a path": lambda m, c: m.update(config={**m["config"], "digest": "sha256:../../x"}),
    "a negative config size": lambda m, c: m.update(config={**m["config"], "size": -1}),
    "a config size of 2^63": lambda m, c: m.update(config={**m["config"], "size": 2**63}),
    "a config size of true": lambda m, c: m.update(config={**m["config"], "size": True}),
    "an absent config blob": lambda m, c: m.update(config={**m["config"], "digest": "sha256:" + "0" * 64, "size": 7}),
    "a layer digest in capitals": lambda m, c: _card(m).update(digest=_card(m)["digest"].upper()),
    "a layer digest with a path": lambda m, c: _card(m).update(digest="sha256:" + "../" * 21 + "x"),
    "a layer digest that is a list": lambda m, c: _card(m).update(digest=[]),
    "a layer of another digest": lambda m, c: _card(m).update(digest="sha256:" + "0" * 64),
    "a layer one byte longer": lambda m, c: _card(m).update(size=_card(m)["size"] + 1),
    "a layer one byte shorter": lambda m, c: _card(m).update(size=_card(m)["size"] - 1),
    "a layer of no bytes": lambda m, c: _card(m).update(size=0),
    "a layer of -0": lambda m, c: _card(m).update(size=-0.5),
    "a layer of 2^63 bytes": lambda m, c: _card(m).update(size=2**63),
    "a layer of 8 GiB": lambda m, c: _card(m).update(size=2**33),
    "a layer of 1e3 bytes": lambda m, c: _card(m).update(size=1e300),
    "a layer size as text": lambda m, c: _card(m).update(size="7"),
    "a layer that is the config": _frame_of_config,
    "an unknown media type": lambda m, c: _card(m).update(mediaType="application/x-sharedlib"),
    "a tar layer": lambda m, c: _card(m).update(mediaType="application/vnd.oci.image.layer.v1.tar+gzip"),
    "a gzip layer": lambda m, c: _card(m).update(mediaType=layout.DOC_TYPE + "+gzip"),
    "two compressions": lambda m, c: _card(m).update(mediaType=layout.DOC_TYPE + "+zstd+zstd"),
    "a media type that is a list": lambda m, c: _card(m).update(mediaType=[layout.DOC_TYPE]),
    "no media type": lambda m, c: _card(m).pop("mediaType"),
    "a frame that is none": lambda m, c: _card(m).update(mediaType=layout.DOC_TYPE + "+zstd"),
    "no annotations": lambda m, c: _card(m).pop("annotations"),
    "annotations as a list": lambda m, c: _card(m).update(annotations=[]),
    "no file path": lambda m, c: _card(m)["annotations"].pop(layout.FILEPATH),
    "no title": lambda m, c: _card(m)["annotations"].pop(layout.TITLE),
    "a title outside": _annotate(**{layout.TITLE: "../../../etc/cron.d/x"}),
    "another file's title": _annotate(**{layout.TITLE: "model.onnx"}),
    "no length": lambda m, c: _card(m)["annotations"].pop(layout.PLAIN_SIZE),
    "a length as a number": _annotate(**{layout.PLAIN_SIZE: 6}),
    "a negative length": _annotate(**{layout.PLAIN_SIZE: "-6"}),
    "a length with a sign": _annotate(**{layout.PLAIN_SIZE: "+6"}),
    "a length with zeros": _annotate(**{layout.PLAIN_SIZE: "06"}),
    "a length in Arabic digits": _annotate(**{layout.PLAIN_SIZE: "\u0666"}),
    "a length with a line break": _annotate(**{layout.PLAIN_SIZE: "6\n"}),
    "a length of 10,000 digits": _annotate(**{layout.PLAIN_SIZE: "9" * 10_000}),
    "a length beyond 64 GiB": _annotate(**{layout.PLAIN_SIZE: "99999999999"}),
    "another length": _annotate(**{layout.PLAIN_SIZE: "7"}),
    "config of another model": lambda m, c: c["descriptor"].update(name="other"),
    "config of another version": lambda m, c: c["descriptor"].update(version="1.0.0+build"),
    "config without a name": lambda m, c: c["descriptor"].pop("name"),
    "config of a list of names": lambda m, c: c["descriptor"].update(name=["toy"]),
    "a title that is an object": lambda m, c: c["descriptor"].update(title={}),
    "authors that are numbers": lambda m, c: c["descriptor"].update(authors=[1]),
    "no descriptor": lambda m, c: c.pop("descriptor"),
    "another model format": lambda m, c: c["config"].update(format="pickle"),
    "no model format": lambda m, c: c.pop("config"),
    "no modelfs": lambda m, c: c.pop("modelfs"),
    "another modelfs": lambda m, c: c["modelfs"].update(type="tar"),
    "one diffId less": lambda m, c: c["modelfs"]["diffIds"].pop(),
    "one diffId more": lambda m, c: c["modelfs"]["diffIds"].append("sha256:" + "0" * 64),
    "diffIds in another order": lambda m, c: c["modelfs"]["diffIds"].reverse(),
    "diffIds that disagree": lambda m, c: c["modelfs"].update(diffIds=["sha256:" + "0" * 64] * len(m["layers"])),
    "diffIds that are numbers": lambda m, c: c["modelfs"].update(diffIds=[1] * len(m["layers"])),
    "diffIds with paths": lambda m, c: c["modelfs"].update(diffIds=["sha256:../x"] * len(m["layers"])),
    "diffIds as text": lambda m, c: c["modelfs"].update(diffIds="x" * len(m["layers"])),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_manifest(what, refuse):
    refuse(change=MANIFESTS[what])


FILE_NAMES = [
    "",
    ".",
    "..",
    "../model.onnx",
    "/etc/passwd",
    "model.onnx/..",
    "folder/file.md",
    "a/../b",
    "./x.md",
    "x.md/",
    "\\\\server\\share",
    "..\\x",
    "C:x",
    "CON",
    "con.md",
    "NUL",
    "Aux.txt",
    "LPT1",
    "com9.tar.md",
    "trailing.",
    "TRAILING.md.",
    "trailing ",
    " leading",
    ".hidden",
    "-rf",
    "~root",
    "$HOME",
    "a b",
    "a\0b",
    "a\nb",
    "a\x1b[2Jb",
    "a\x7fb",
    "na\u00efve.md",
    "nai\u0308ve.md",
    "\u202emd.exe",
    "\uff21.md",
    "\u2024\u2024",
    "x" * 256,
    "*",
    "a|b",
    "MODEL.onnx",
    "Model.JSON",
    "model.onnx",
    "card.md\u200b",
    ".generation.json",
    "model.onnx.so",
    "encoder.model.onnx",
    "encoder.golden.json",
    "frontend.json",
    "model.onnx.data.1",
    "model.onnx.data.0",
    "model.onnx.data.01",
    "model.onnx.data.-1",
]


@pytest.mark.parametrize("name", FILE_NAMES, ids=ascii)
def test_file_name(name, refuse):
    refuse((UnsafeMemberError, MalformedError), change=_rename(name))


def test_an_innocent_file_name_is_no_lie(channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    assert instance.install(hostile.sign(channel, tmp_path / "x.tar", change=_rename("LICENSE"))).generation == 1


def _model_json():
    return renamed(toy_files(), "toy", "1.0.0")["model.json"]


def _set(*path):
    """Change one place of a document; the last argument is the value, `_set(..., KeyError)` removes it."""
    *keys, value = path

    def change(document):
        place = document
        for key in keys[:-1]:
            place = place[key]
        if value is KeyError:
            del place[keys[-1]]
        else:
            place[keys[-1]] = value

    return change


DESCRIPTIONS = {
    "an unknown schema": _set("schema", "sealift.model/3"),
    "an older schema": _set("schema", "sealift.model/0"),
    "a schema that is a number": _set("schema", 1),
    "another name": _set("name", "other"),
    "another version": _set("version", "1.0.1"),
    "a name with a path": _set("name", "../toy"),
    "no inputs": _set("inputs", []),
    "no outputs": _set("outputs", []),
    "inputs as an object": _set("inputs", {}),
    "an input twice": lambda d: d["inputs"].append(d["inputs"][0]),
    "an output twice": lambda d: d["outputs"].append(d["outputs"][0]),
    "a negative dimension": _set("inputs", 0, "shape", ["rows", -4]),
    "a dimension of zero": _set("outputs", 0, "shape", [0]),
    "a boolean dimension": _set("outputs", 0, "shape", [True]),
    "a dimension that is a float": _set("outputs", 0, "shape", [1.0]),
    "a dimension of 2^31": _set("outputs", 0, "shape", [2**31]),
    "a dimension of 2^63": _set("outputs", 0, "shape", [2**63]),
    "a dimension of 4,000 digits": _set("outputs", 0, "shape", [10**4000]),
    "a dimension without a name": _set("outputs", 0, "shape", [""]),
    "a dimension that is null": _set("outputs", 0, "shape", [None]),
    "a dimension that is a list": _set("outputs", 0, "shape", [[4]]),
    "a thousand dimensions": _set("outputs", 0, "shape", ["n"] * 1000),
    "a scalar input": _set("inputs", 0, "shape", []),
    "an input of three dimensions": _set("inputs", 0, "shape", ["rows", 4, 1]),
    "a column too few": lambda d: d["inputs"][0]["columns"].pop(),
    "no columns": _set("inputs", 0, "columns", []),
    "a text column among numbers": _set("inputs", 0, "columns", 0, "kind", "str"),
    "only text columns in a matrix": lambda d: [c.update(kind="str") for c in d["inputs"][0]["columns"]],
    "a column of an unknown kind": _set("inputs", 0, "columns", 0, "kind", "date"),
    "a column of an object dtype": _set("inputs", 0, "columns", 0, "dtype", "object"),
    "a column of a structured dtype": _set("inputs", 0, "columns", 0, "dtype", "i4,f8"),
    "a column of a huge dtype": _set("inputs", 0, "columns", 0, "dtype", "V1000000000"),
    "a category of another kind": _set("inputs", 0, "columns", 0, "categories", ["a"]),
    "a category that is an object": _set("inputs", 0, "columns", 0, "categories", [{}]),
    "a missing token for numbers": _set("inputs", 0, "columns", 0, "missing", "x"),
    "an unknown dtype": _set("inputs", 0, "dtype", "complex128"),
    "an object dtype": _set("outputs", 0, "returns", "object0"),
    "a dtype that names a type": _set("outputs", 0, "returns", "datetime64[s]"),
    "an unknown role": _set("outputs", 0, "role", "oracle"),
    "an unknown task": _set("task", "world domination"),
    "an unknown interface": _set("interface", "shell"),
    "a front end that is not there": _set("inputs", 0, "frontend", 0),
    "a front end of -1": _set("inputs", 0, "frontend", -1),
    "the interface of text": _set("interface", "text"),
    "classes of another dtype": _set("classes", {"dtype": "int8", "values": [1000]}),
    "negative classes of an unsigned dtype": _set("classes", {"dtype": "uint8", "values": [-1]}),
    "classes beyond 64 bits": _set("classes", {"dtype": "int64", "values": [2**63]}),
    "classes beyond a float": _set("classes", {"dtype": "float32", "values": [1e300]}),
    "classes beyond a double": _set("classes", {"dtype": "float64", "values": [10**400]}),
    "classes that are lists": _set("classes", {"dtype": "object", "values": [["a"]]}),
    "classes of booleans as numbers": _set("classes", {"dtype": "int64", "values": [True]}),
    "a negative tolerance": _set("tolerance", "atol", -1e-9),
    "a tolerance that accepts anything": _set("tolerance", "rtol", 1e300),
    "a tolerance that is true": _set("tolerance", "rtol", True),
    "a tolerance that is text": _set("tolerance", "rtol", "0"),
    "a runtime that is not a version": _set("requires", "onnxruntime", "latest"),
    "a runtime of 5,000 digits": _set("requires", "onnxruntime", "9" * 5000),
    "a runtime in Arabic digits": _set("requires", "onnxruntime", "\u0661.\u0661"),
    "an opset that is text": _set("requires", "opsets", {"": "18"}),
    "an opset that is true": _set("requires", "opsets", {"": True}),
    "an IR version of 2^63": _set("requires", "ir_version", 2**63),
    "a negative IR version": _set("requires", "ir_version", -8),
    "no rung": _set("conversion", {}),
    "a parity that is a list": _set("parity", []),
    "an unknown key": _set("hook", "import os"),
    "an unknown key of an input": _set("inputs", 0, "hook", 1),
    "no requirements": _set("requires", KeyError),
}


@pytest.mark.parametrize("what", DESCRIPTIONS)
def test_model_json(what, refuse):
    document = json.loads(_model_json())
    DESCRIPTIONS[what](document)
    changed = json.dumps(document).encode()
    refuse((MalformedError, LimitError, UnsupportedVersionError), files={"model.json": changed})


@pytest.mark.parametrize("name", ["model.json", "golden.json", "model.onnx"])
def test_a_file_that_every_model_needs_is_missing(name, refuse):
    refuse(MalformedError, name.replace(".", r"\."), files={name: None})


def _golden(change):
    document = json.loads(toy_files()["golden.json"])
    change(document)
    return json.dumps(document).encode()


def _tensor(values, datatype="FP32", name="rows"):
    array = np.asarray(values)
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()}


def _request(*tensors):
    return lambda d: d["examples"][0]["request"].update(inputs=list(tensors))


def _first_output(**values):
    return lambda d: d["examples"][0]["response"]["outputs"][0].update(values)


GOLDEN = {
    "an unknown schema": lambda d: d.update(schema="sealift.golden/9"),
    "no examples": lambda d: d.update(examples=[]),
    "257 examples": lambda d: d.update(examples=d["examples"] * 257),
    "no inputs": _request(),
    "no outputs": lambda d: d["examples"][0]["response"].update(outputs=[]),
    "no rows": _request({"name": "rows", "datatype": "FP32", "shape": [0, 4], "data": []}),
    "no values": _request({"name": "rows", "datatype": "FP32", "shape": [1, 0], "data": []}),
    "a scalar": _request({"name": "rows", "datatype": "FP32", "shape": [], "data": [1.0]}),
    "an input twice": lambda d: d["examples"][0]["request"]["inputs"].append(d["examples"][0]["request"]["inputs"][0]),
    "an input more": lambda d: d["examples"][0]["request"]["inputs"].append(_tensor([[1.0]], name="more")),
    "rows too wide": _request(_tensor(np.zeros((3, 5)))),
    "rows too narrow": _request(_tensor(np.zeros((3, 3)))),
    "rows of one dimension": _request(_tensor(np.zeros(4))),
    "rows of three dimensions": _request(_tensor(np.zeros((3, 4, 1)))),
    "rows of text": _request(_tensor([["a"] * 4] * 3, "BYTES")),
    "more rows than answers": _request(_tensor(np.zeros((1000, 4)))),
    "a size of 2^63": _request({"name": "rows", "datatype": "FP32", "shape": [0, 2**63], "data": []}),
    "a negative size": _request({"name": "rows", "datatype": "FP32", "shape": [-1, -4], "data": [1.0] * 4}),
    "a boolean size": _request({"name": "rows", "datatype": "FP32", "shape": [True, 4], "data": [1.0] * 4}),
    "100 dimensions": _request({"name": "rows", "datatype": "FP32", "shape": [1] * 100, "data": [1.0]}),
    "huge sizes": _request({"name": "rows", "datatype": "FP32", "shape": [10**4000] * 50, "data": [1.0]}),
    "fewer values than its shape": _request({"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [1.0]}),
    "an unknown datatype": _request({"name": "rows", "datatype": "FP8", "shape": [1, 4], "data": [1.0] * 4}),
    "an integer beyond its type": _request({"name": "rows", "datatype": "INT8", "shape": [1, 4], "data": [1000] * 4}),
    "an integer of 400 digits": _request({"name": "rows", "datatype": "FP64", "shape": [1, 4], "data": [10**400] * 4}),
    "booleans as numbers": _request({"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [True] * 4}),
    "an answer fewer": lambda d: d["examples"][0]["response"]["outputs"].pop(),
    "an answer more": lambda d: d["examples"][0]["response"]["outputs"].append(_tensor([1.0], name="oracle")),
    "an answer of another name": _first_output(name="predict2"),
    "an answer twice": lambda d: d["examples"][0]["response"]["outputs"].append(
        d["examples"][0]["response"]["outputs"][0]
    ),
    "an answer without rows": _first_output(shape=[0], data=[]),
    "an answer that is a scalar": _first_output(shape=[], data=[1]),
    "an unknown key": lambda d: d["examples"][0].update(hook=1),
}


@pytest.mark.parametrize("what", GOLDEN)
def test_golden_examples_are_refused_before_anything_runs(what):
    description = ModelDescription.parse(_model_json())
    assert golden.parse(_golden(lambda _: None), description)
    with pytest.raises((MalformedError, LimitError, UnsupportedVersionError)) as caught:
        golden.parse(_golden(GOLDEN[what]), description)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("what", ["no outputs", "rows too wide", "a size of 2^63", "huge sizes"])
def test_install_refuses_golden_examples(what, refuse):
    refuse(MalformedError, files={"golden.json": _golden(GOLDEN[what])})


def _described(interface, columns, dtype="float32", shape=("rows", 4), **more):
    document = json.loads(_model_json())
    document["interface"] = interface
    document["inputs"] = [{"name": "x", "dtype": dtype, "shape": list(shape), "columns": columns, **more}]
    return ModelDescription.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([_tensor([1.0], name="a")], "lacks the column 'b'"),
        ([_tensor([1.0], name="a"), _tensor([1.0, 2.0], name="b")], r"has shape \[2\]; expected 1 rows"),
        ([_tensor([1.0], name="a"), _tensor([[1.0]], name="b")], r"has shape \[1, 1\]; expected \[rows\]"),
        ([_tensor([1.0], name="a"), _tensor(["x"], "BYTES", name="b")], "holds BYTES; the model takes numbers"),
    ],
)
def test_golden_columns(tensors, message):
    columns = [{"name": name, "kind": "float"} for name in "ab"]
    description = _described("columns", columns, shape=("rows", 2))
    rows = len(tensors[0]["data"])

    def change(document):
        document["examples"][0]["request"]["inputs"] = tensors
        for output in document["examples"][0]["response"]["outputs"]:
            width = output["shape"][1:]
            output["shape"] = [rows, *width]
            output["data"] = output["data"][: rows * int(np.prod(width))]

    with pytest.raises(MalformedError, match=message):
        golden.parse(_golden(change), description)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([_tensor(np.zeros((2, 4)), name="y")], [_tensor(np.zeros(2), name="label")], "the model takes"),
        ([_tensor(np.zeros((2, 5)), name="x")], [_tensor([1.0], name="scores")], r"has shape \[2, 5\]"),
        ([_tensor(np.zeros((2, 4), int), "INT64", name="x")], [_tensor([1.0], name="scores")], "holds INT64"),
        ([_tensor(np.zeros((2, 4)), name="x")], [_tensor([1.0], name="other")], "expects 'other'"),
    ],
)
def test_golden_tensors(inputs, outputs, message):
    description = _described("tensors", [])

    def change(document):
        document["examples"] = [{"request": {"inputs": inputs}, "response": {"outputs": outputs}}]

    with pytest.raises(MalformedError, match=message):
        golden.parse(_golden(change), description)


COUNTER = {
    "analyzer": "word",
    "lowercase": True,
    "ngram_range": [1, 1],
    "token_pattern": r"(?u)\b\w\w+\b",
    "vocabulary": ["aa", "bb", "cc", "dd"],
    "binary": False,
}
FRONTENDS = {
    "a pattern that is none": {"token_pattern": "("},
    "a pattern of two groups": {"token_pattern": "(a)(b)"},
    "a pattern of 1,001 characters": {"token_pattern": "a" * 1001},
    "a pattern that repeats too often": {"token_pattern": "a{99999999999999999999}"},
    "a pattern with a look-behind of any width": {"token_pattern": "(?<=a+)b"},
    "a pattern with an unknown flag": {"token_pattern": "(?z)a"},
    "a pattern that is a number": {"token_pattern": 1},
    "n-grams from zero": {"ngram_range": [0, 1]},
    "n-grams of 101": {"ngram_range": [1, 101]},
    "n-grams that are booleans": {"ngram_range": [True, True]},
    "three ends of n-grams": {"ngram_range": [1, 2, 3]},
    "an analyzer that is code": {"analyzer": "lambda text: text"},
    "accents of another kind": {"strip_accents": "eval"},
    "a vocabulary of numbers": {"vocabulary": [1]},
    "stop words of lists": {"stop_words": [[]]},
    "no columns to hash into": {"vocabulary": [], "hashing": {"columns": 0, "alternate_sign": True}},
    "2^31 columns to hash into": {"vocabulary": [], "hashing": {"columns": 2**31, "alternate_sign": True}},
    "2^24 + 1 columns to hash into": {"vocabulary": [], "hashing": {"columns": 2**24 + 1, "alternate_sign": True}},
    "a vocabulary and hashing": {"hashing": {"columns": 8, "alternate_sign": True}},
    "an unknown key": {"preprocessor": "os.system"},
}


@pytest.mark.parametrize("what", FRONTENDS)
@pytest.mark.filterwarnings("error")
def test_front_end(what):
    frontend.parse(json.dumps({"schema": frontend.SCHEMA, "counters": [COUNTER]}).encode())
    changed = json.dumps({"schema": frontend.SCHEMA, "counters": [COUNTER | FRONTENDS[what]]}).encode()
    with pytest.raises((MalformedError, LimitError)) as caught:
        frontend.parse(changed)
    assert "\n" not in str(caught.value)
    sparse = {"kind": "counter", "layout": "sparse", "term_values": 1, "row_values": 0}
    frontend.parse(json.dumps({"schema": frontend.KINDS_SCHEMA, "frontends": [COUNTER | sparse]}).encode())
    changed = json.dumps({"schema": frontend.KINDS_SCHEMA, "frontends": [COUNTER | sparse | FRONTENDS[what]]}).encode()
    with pytest.raises((MalformedError, LimitError)) as caught:
        frontend.parse(changed)
    assert "\n" not in str(caught.value)


def _text_model(directory, pattern, text):
    """The toy's graph behind a front end of four words."""
    document = json.loads(_model_json())
    column = {"name": "text", "kind": "str"}
    document["interface"] = "text"
    document["inputs"] = [{**document["inputs"][0], "columns": [column], "frontend": 0}]
    example = json.loads(toy_files()["golden.json"])["examples"][0]
    example["request"]["inputs"] = [_tensor([text], "BYTES")]
    for output in example["response"]["outputs"]:
        width = output["shape"][1:]
        output.update(shape=[1, *width], data=output["data"][: int(np.prod(width))])
    counter = COUNTER | {"token_pattern": pattern}
    for name, data in {
        "model.onnx": toy_files()["model.onnx"],
        "model.json": json.dumps(document).encode(),
        "golden.json": json.dumps({"schema": golden.SCHEMA, "examples": [example]}).encode(),
        "frontend.json": json.dumps({"schema": frontend.SCHEMA, "counters": [counter]}).encode(),
    }.items():
        (directory / name).write_bytes(data)


@pytest.mark.slow
def test_a_token_pattern_that_backtracks_without_end_meets_the_time_limit_of_the_self_test(tmp_path):
    """At prediction time nothing can stop it: that is in the threat model, under what a signer can do."""
    _text_model(tmp_path, r"(\w+)+!", "a" * 60)
    with pytest.raises(SelfTestError, match="did not finish its self-test in 3 s"):
        run_in_child(tmp_path, "toy 1.0.0", timeout_s=3)


ESCAPES = "\x1b]0;owned\x07 \x1b[2J\x9b2J \u202egnp.exe \u2028 \x7f \x00 end"


def test_no_command_prints_what_a_terminal_would_act_on(channel, instance, tmp_path, monkeypatch, capsys):
    document = json.loads(_model_json())
    document["conversion"]["rung"] = "float32" + ESCAPES
    document["parity"] = {"rows": ESCAPES, "labels_wrong": ESCAPES, "ties": ESCAPES, "reference": ESCAPES}
    document["source"] = {"framework": ESCAPES, ESCAPES: ESCAPES}

    def change(manifest, config):
        config["descriptor"] |= {"title": ESCAPES, "licenses": [ESCAPES], "authors": [ESCAPES], ESCAPES: ESCAPES}

    files = {"model.json": json.dumps(document).encode(), "CARD.md": f"# {ESCAPES}\r\n\tdone\n".encode()}
    bundle = hostile.sign(channel, tmp_path / "x.tar", files=files, change=change)
    instance.pin(channel.root_bytes)
    instance.export(monkeypatch)
    commands = [["verify", str(bundle)], ["verify", "--explain", str(bundle)], ["inspect", str(bundle)]]
    commands += [["install", str(bundle)], ["show", "toy"], ["list"], ["status"], ["history"]]
    for command in commands:
        for arguments in (command, [*command, "--json"]):
            assert run(cli, "sealift", arguments) == 0, arguments
            captured = capsys.readouterr()
            printed = captured.out + ("" if command[0] == "install" else captured.err)
            acting = {c for c in printed if not c.isprintable() and c != "\n"}
            assert not acting, (arguments, acting)
            if "--json" in arguments:
                json.loads(captured.out)
    assert run(cli, "sealift", ["show", "toy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"] == f"# {ESCAPES}\r\n\tdone\n"


def _index(**values):
    return lambda index: index.update(values)


INDEX = {
    "a newer format": lambda i: i["annotations"].update({layout.BUNDLE_FORMAT: "2"}),
    "a format that is a number": lambda i: i["annotations"].update({layout.BUNDLE_FORMAT: 1}),
    "no format": lambda i: i["annotations"].pop(layout.BUNDLE_FORMAT),
    "no annotations": lambda i: i.pop("annotations"),
    "annotations as a list": _index(annotations=[]),
    "no manifests": lambda i: i.pop("manifests"),
    "manifests as an object": _index(manifests={}),
    "a manifest that nobody signed": lambda i: i["manifests"].append(
        {**i["manifests"][0], "digest": "sha256:" + "0" * 64}
    ),
    "a manifest twice": lambda i: i["manifests"].append(i["manifests"][0]),
    "a manifest that is null": lambda i: i["manifests"].append(None),
    "a manifest digest that is a list": lambda i: i["manifests"][0].update(digest=[]),
    "another size": lambda i: i["manifests"][0].update(size=1),
    "another name": lambda i: i["manifests"][0]["annotations"].update({layout.REF_NAME: "toy:9.9.9"}),
    "another media type": lambda i: i["manifests"][0].update(mediaType=layout.INDEX_TYPE),
    "a platform": lambda i: i["manifests"][0].update(platform={"os": "windows"}),
    "another schema version": _index(schemaVersion=1),
    "a key more": _index(subject={}),
    "an annotation more": lambda i: i["annotations"].update(hello="world"),
    "a member that is not there": lambda i: i["annotations"].update({layout.MEMBER_DIGEST + "tuf/2.root.json": "x"}),
    "no digest of a member": lambda i: i["annotations"].pop(layout.MEMBER_DIGEST + layout.MANIFEST_MD),
    "another digest of a member": lambda i: i["annotations"].update({layout.MEMBER_DIGEST + layout.MANIFEST_MD: []}),
}


@pytest.mark.parametrize("what", INDEX)
def test_index(what, channel, instance, refused, tmp_path, monkeypatch, capsys):
    members = read_members(hostile.sign(channel, tmp_path / "x.tar"))
    index = json.loads(members[layout.INDEX])
    INDEX[what](index)
    members[layout.INDEX] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    bundle = write_members(members, tmp_path / "lying.tar", fix_index=False)
    _refused_everywhere(bundle, channel, instance, refused, monkeypatch)


@pytest.mark.parametrize("what", [*RAW, "spaces", "another order", "an escape that is not needed"])
def test_index_bytes(what, channel, instance, refused, tmp_path, monkeypatch):
    members = read_members(hostile.sign(channel, tmp_path / "x.tar"))
    raw = members[layout.INDEX]
    members[layout.INDEX] = {
        "spaces": lambda raw: raw + b"\n",
        "another order": lambda raw: json.dumps(
            dict(reversed(json.loads(raw).items())), separators=(",", ":")
        ).encode(),
        "an escape that is not needed": lambda raw: raw.replace(b"manifests", b"m\\u0061nifests", 1),
        **RAW,
    }[what](raw)
    bundle = write_members(members, tmp_path / "lying.tar", fix_index=False)
    _refused_everywhere(bundle, channel, instance, refused, monkeypatch)


def _refused_everywhere(bundle, channel, instance, refused, monkeypatch):
    instance.pin(channel.root_bytes)
    instance.export(monkeypatch)
    before = instance.snapshot()
    for command in ("verify", "inspect"):
        assert 10 <= run(cli, "sealift", [command, str(bundle)]) <= 29
    assert instance.snapshot() == before
    with refused((*FORM, UntrustedKeyError)):
        instance.install(bundle)


def test_many_keys_of_which_the_last_is_doubled_take_no_quadratic_time(capsys):
    """An index of 16 MiB is read before anything is trusted."""
    from sealift_common.parsing import strict_json

    keys = ",".join(f'"{number}":0' for number in range(300_000))
    data = f'{{{keys},"299999":0}}'.encode()
    with pytest.raises(MalformedError, match="'299999' twice"):
        strict_json.parse(data, "index.json", max_size_bytes=LIMITS.index_size_bytes)
    many = b"[" + b"{}," * LIMITS.json_containers + b"{}]"
    with pytest.raises(LimitError, match="250,000 arrays and objects"):
        strict_json.parse(many, "index.json", max_size_bytes=LIMITS.index_size_bytes)
    with capsys.disabled():
        cases = len(RAW) * 4 + len(MANIFESTS) + len(FILE_NAMES) + len(DESCRIPTIONS) + len(GOLDEN) + len(FRONTENDS)
        print(f"\n{cases + len(INDEX)} hostile documents")


def test_every_refusal_is_ours():
    assert all(issubclass(kind, Error) for kind in FORM)
