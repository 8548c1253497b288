"""Manifests, configs and names of files that are signed and still wrong: refused by their form, with the store unchanged."""

import pytest
import rfc8785
from support.hostile import bundles as hostile

from sealift.errors import (
    LimitError,
    MalformedError,
    UnsafeMemberError,
)
from sealift.limits import LIMITS
from sealift_common.oci import layout


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
