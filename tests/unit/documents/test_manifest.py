"""A signed manifest can still be wrong; each way to be wrong has its refusal."""

import json

import pytest

from sealift.errors import LimitError, MalformedError, UnsafeMemberError
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.manifest import bind_config, parse_manifest

MODEL = ModelVersion.parse("toy", "1.0.0")


@pytest.fixture
def documents(tmp_path):
    files = {"model.onnx": bytes(10_000), "model.json": b"{}", "CARD.md": b"# card"}
    reference = write_model(tmp_path, MODEL, files, Descriptor(title="Toy", licenses=["MIT"]))
    manifest = json.loads((tmp_path / reference.hex).read_bytes())
    config = json.loads((tmp_path / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    return manifest, config


def _bind(manifest, config):
    raw = json.dumps(manifest).encode()
    return bind_config(parse_manifest(raw, MODEL, layout.sha256(raw)), json.dumps(config).encode())


def test_what_the_bundler_writes_is_read(documents):
    bound = _bind(*documents)
    assert {file.name: (file.plain.size, file.compressed) for file in bound.files} == {
        "CARD.md": (6, False),
        "model.json": (2, False),
        "model.onnx": (10_000, True),
    }
    assert bound.size == 10_008
    assert dict(bound.descriptor) == {"name": "toy", "version": "1.0.0", "title": "Toy", "licenses": ["MIT"]}


def test_the_config_fits_the_closed_schema_of_modelpack(documents):
    _, config = documents
    assert set(config) == {"descriptor", "config", "modelfs"}
    assert set(config["config"]) <= {"format", "precision", "architecture"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda m, c: m.update(mediaType="x"), MalformedError, "'mediaType' is 'x'"),
        (lambda m, c: m.update(artifactType="x"), MalformedError, "'artifactType'"),
        (lambda m, c: m.update(layers={}), MalformedError, "not a list"),
        (lambda m, c: m.update(layers=[{}] * 1025), LimitError, "1,025 files"),
        (lambda m, c: m["config"].update(size=-1), MalformedError, "size -1"),
        (lambda m, c: m["config"].update(size=True), MalformedError, "size True"),
        (lambda m, c: m["config"].update(digest="md5:x"), MalformedError, "'md5:x'"),
        (lambda m, c: m["layers"][0].update(digest="sha256:" + "A" * 64), MalformedError, "expected 'sha256:<hex>'"),
        (lambda m, c: m["layers"][0].update(size=2**40), LimitError, "expected at most"),
        (lambda m, c: m["layers"][0].update(mediaType="application/x-sh"), MalformedError, "raw types"),
        (lambda m, c: m["layers"][0].update(annotations=None), MalformedError, "'annotations'"),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.FILEPATH: "../x"}), UnsafeMemberError, r"'\.\./x'"),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.FILEPATH: "/etc/x"}), UnsafeMemberError, "'/etc/x'"),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.FILEPATH: "a\\b"}), UnsafeMemberError, "allowed"),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.FILEPATH: ".hidden"}), UnsafeMemberError, "allowed"),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.FILEPATH: "x" * 256}), UnsafeMemberError, "allowed"),
        (
            lambda m, c: m["layers"][0]["annotations"].update(
                {layout.FILEPATH: "MODEL.json", layout.TITLE: "MODEL.json"}
            ),
            UnsafeMemberError,
            "two files",
        ),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.PLAIN_SIZE: "-1"}), MalformedError, "no length"),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.PLAIN_SIZE: "9" * 15}), LimitError, "at most"),
        (lambda m, c: m["layers"][0]["annotations"].update({layout.PLAIN_SIZE: "7"}), MalformedError, "differs"),
        (lambda m, c: c["descriptor"].update(name="other"), MalformedError, "as the channel signed it"),
        (lambda m, c: c["descriptor"].update(version="1.0.1"), MalformedError, "as the channel signed it"),
        (lambda m, c: c["modelfs"]["diffIds"].pop(), MalformedError, "2 diffIds for 3 layers"),
        (lambda m, c: c["modelfs"]["diffIds"].__setitem__(0, "x"), MalformedError, "diffId 'x'"),
        (lambda m, c: c["modelfs"]["diffIds"].reverse(), MalformedError, "differs from its blob"),
        (lambda m, c: c.pop("modelfs"), MalformedError, "'modelfs'"),
    ],
)
def test_refused(change, error, message, documents):
    manifest, config = documents
    change(manifest, config)
    with pytest.raises(error, match=message):
        _bind(manifest, config)


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"x"', b"{}"])
def test_not_an_object(raw):
    with pytest.raises(MalformedError):
        parse_manifest(raw, MODEL, "sha256:" + "0" * 64)


def test_same_files_same_blobs(tmp_path):
    files = {"model.onnx": bytes(10_000), "model.json": b"{}"}
    first = write_model(tmp_path / "a", MODEL, files, Descriptor())
    second = write_model(tmp_path / "b", MODEL, dict(reversed(files.items())), Descriptor())
    assert first == second
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == sorted(p.name for p in (tmp_path / "b").iterdir())
