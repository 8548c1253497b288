"""JSON that is none, and an index that lies: refused by every command, with the store unchanged."""

import json

import pytest
from support.hostile import bundles as hostile
from support.hostile.documents import FORM, RAW, model_json
from support.release.repack import read_members, write_members

from sealift.cli import cli
from sealift.errors import (
    Error,
    LimitError,
    MalformedError,
    UntrustedKeyError,
)
from sealift.limits import LIMITS
from sealift_common.console import run
from sealift_common.oci import layout


def test_unaltered_documents_are_installed(channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    assert instance.install(hostile.sign(channel, tmp_path / "good.tar")).generation == 1


@pytest.mark.parametrize("what", RAW)
@pytest.mark.parametrize("document", ["manifest", "config", "model.json"])
def test_json_that_is_none(what, document, refuse):
    if document == "model.json":
        refuse(files={"model.json": RAW[what](model_json())})
    else:
        refuse(**{f"raw_{document}": RAW[what]})


ESCAPES = "\x1b]0;owned\x07 \x1b[2J\x9b2J \u202egnp.exe \u2028 \x7f \x00 end"


def test_no_command_prints_what_a_terminal_would_act_on(channel, instance, tmp_path, monkeypatch, capsys):
    document = json.loads(model_json())
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


def test_many_keys_of_which_the_last_is_doubled_take_no_quadratic_time():
    """An index of 16 MiB is read before anything is trusted."""
    from sealift_common.parsing import strict_json

    keys = ",".join(f'"{number}":0' for number in range(300_000))
    data = f'{{{keys},"299999":0}}'.encode()
    with pytest.raises(MalformedError, match="'299999' twice"):
        strict_json.parse(data, "index.json", max_size_bytes=LIMITS.index_size_bytes)
    many = b"[" + b"{}," * LIMITS.json_containers + b"{}]"
    with pytest.raises(LimitError, match="250,000 arrays and objects"):
        strict_json.parse(many, "index.json", max_size_bytes=LIMITS.index_size_bytes)


def test_every_refusal_is_ours():
    assert all(issubclass(kind, Error) for kind in FORM)
