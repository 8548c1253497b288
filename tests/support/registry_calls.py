"""The calls of the client to a registry of models, which GitLab's routes and MLflow's own server have to answer alike."""

import hashlib

import pytest

from sealift.errors import LocalError
from sealift.registry.models.answers import RegisteredFile

FILES = {"model.onnx": b"\x08" * 70_000, "CARD.md": b"# Triage\n", "sub/words.txt": b"a b c\n"}
DIGEST = "sha256:" + "0a" * 32


def make(registry, begin_run):
    """A model with one version and its files; `begin_run` makes the run that MLflow's server wants first."""
    assert registry.create_model("triage", "sorts issues")
    assert not registry.create_model("triage", "sorts issues")
    source, run_id = begin_run()
    tags = {"gitlab.version": "1.4.0", "sealift.digest": DIGEST}
    version = registry.create_version("triage", tags, "# Triage", source=source, run_id=run_id)
    run = registry.run(version.run_id)
    for name, data in FILES.items():
        registry.put_file(run.artifact_uri, name, len(data), lambda data=data: [data])
    texts = {"params": {"C": "0.5", "empty is not": "sent"}, "tags": {"sealift.channel": "models"}}
    registry.log(version.run_id, metrics={"accuracy": 0.875, "rows": 2000}, timestamp_ms=1_795_000_000_000, **texts)
    return version


def check(registry, version, asked):
    """What was made is found again; `asked` is what the server calls the version in its address."""
    assert registry.version("triage", "999") is None
    assert registry.version("absent", asked) is None
    assert registry.latest("absent") is None
    found = registry.version("triage", asked)
    assert (found.number, found.version, found.run_id) == (version.number, "1.4.0", version.run_id)
    assert found.tags["sealift.digest"] == DIGEST
    assert registry.latest("triage").number == found.number
    run = registry.run(found.run_id)
    assert run.params == {"C": "0.5", "empty is not": "sent"}
    assert run.metrics == {"accuracy": 0.875, "rows": 2000.0}
    assert run.tags["sealift.channel"] == "models"
    folder = registry.folder("triage", found)
    files = sorted(registry.files(folder), key=lambda file: file.path)
    assert files == sorted((RegisteredFile(n, len(d)) for n, d in FILES.items()), key=lambda file: file.path)
    for file in files:
        data = b"".join(registry.chunks(folder, file))
        assert hashlib.sha256(data).digest() == hashlib.sha256(FILES[file.path]).digest()
    with pytest.raises(LocalError, match="refuses GET: HTTP 404"):
        b"".join(registry.chunks(folder, RegisteredFile("absent.txt", 3)))
