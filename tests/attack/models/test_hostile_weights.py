"""Headers of weights that lie: refused in the recipe, and refused by an install with the store as it was."""

import json
import re
import struct
import time

import pytest
from support.release.weights import ARRAY, PAIRS, STRING, UINT32, gguf, of_header, pair, safetensors, tensor, text
from support.release.workbench import Workbench

from sealift.errors import DigestError, Error, LimitError, MalformedError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.weights.check import check_file
from sealift_bundler.cli import command as bundler
from sealift_bundler.errors import GateError
from sealift_bundler.proof.documents import canonical
from sealift_bundler.release import carried_files, modelpack
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_bundler.release.staging import stage
from sealift_common.names import ModelVersion
from sealift_common.oci import layout


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def tensors(data=bytes(8), **entries):
    return of_header(json.dumps(entries).encode(), data)


SAFETENSORS = {
    "nothing": (b"", MalformedError, "ends inside its header"),
    "seven bytes": (bytes(7), MalformedError, "ends inside its header"),
    "a header of 2 GB": ((2 << 30).to_bytes(8, "little") + b"{}", LimitError, "a header of 2,147,483,648 bytes"),
    "a header of 2^64 - 1": (b"\xff" * 8 + b"{}", LimitError, "a header of 18,446,744,073,709,551,615 bytes"),
    "a header beyond the end": ((100).to_bytes(8, "little") + b"{}", MalformedError, "ends inside its header"),
    "a list": (of_header(b"[]"), MalformedError, "does not begin with '{'"),
    "no JSON": (of_header(b"{]"), MalformedError, "is not JSON"),
    "not UTF-8": (of_header(b'{"\xff": 1}'), MalformedError, "not UTF-8"),
    "a name twice": (
        of_header(b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "a": 1}', bytes(1)),
        MalformedError,
        "the key 'a' twice",
    ),
    "too deep": (of_header(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"), LimitError, "nests deeper"),
    "an overlap": (tensors(bytes(12), a=entry(), b=entry(offsets=(4, 12))), MalformedError, "overlaps the one before"),
    "one inside another": (
        tensors(bytes(8), a=entry(), b=entry(shape=(1,), offsets=(0, 4))),
        MalformedError,
        "overlaps",
    ),
    "a gap": (tensors(bytes(20), a=entry(), b=entry(offsets=(12, 20))), MalformedError, "leaves a gap before it"),
    "bytes of nobody at the end": (
        tensors(bytes(9), a=entry()),
        MalformedError,
        "end at byte 8 of the data, which has 9",
    ),
    "fewer bytes than tensors": (
        tensors(bytes(7), a=entry()),
        MalformedError,
        "end at byte 8 of the data, which has 7",
    ),
    "a size that lies": (tensors(a=entry(shape=(3,))), MalformedError, r"has 8 bytes; expected 12 for F32"),
    "a shape that overflows": (tensors(a=entry(shape=(2**40, 2**40))), MalformedError, "expected 4,835,703,278"),
    "a negative length": (tensors(a=entry(shape=(-2,))), MalformedError, "has the shape"),
    "a length that is true": (tensors(a=entry(shape=(True, 2))), MalformedError, "has the shape"),
    "a length with a fraction": (tensors(a=entry(shape=(2.0,))), MalformedError, "has the shape"),
    "offsets backwards": (tensors(a=entry(offsets=(8, 0))), MalformedError, "has -8 bytes"),
    "three offsets": (tensors(a=entry(offsets=(0, 4, 8))), MalformedError, "has the offsets"),
    "40 dimensions": (tensors(a=entry(shape=(1,) * 40)), MalformedError, "at most 32 lengths"),
    "a type of nobody": (tensors(a=entry(dtype="F33")), MalformedError, "has the dtype 'F33'"),
    "a type that is a list": (tensors(a=entry(dtype=["F32"])), MalformedError, "has the dtype"),
    "half a byte": (tensors(a=entry(dtype="F4", shape=(3,), offsets=(0, 1))), MalformedError, "expected 1 for F4"),
    "a key more": (tensors(a=entry() | {"url": "x"}), MalformedError, "not described by exactly"),
    "a tensor that is a text": (tensors(a="x"), MalformedError, "not described by exactly"),
    "metadata that is no text": (tensors(__metadata__={"a": 1}, a=entry()), MalformedError, "not an object of texts"),
    "metadata that is a list": (tensors(__metadata__=[], a=entry()), MalformedError, "not an object of texts"),
    "300,000 tensors": (
        of_header(b"{" + b",".join(b'"%d":{}' % number for number in range(300_000)) + b"}"),
        LimitError,
        "more than 250,000 arrays and objects",
    ),
}
Q = struct.Struct("<Q").pack
GGUF = {
    "nothing": (b"", MalformedError, "ends inside its header"),
    "another magic": (gguf(magic=b"GGML"), MalformedError, "is not GGUF"),
    "version 1": (gguf(version=1), UnsupportedVersionError, "GGUF of version 1; this Sealift knows 2 and 3"),
    "version 4": (gguf(version=4), UnsupportedVersionError, "GGUF of version 4"),
    "big-endian": (gguf(version=3 << 24), UnsupportedVersionError, "it is for big-endian machines"),
    "2^60 tensors": (gguf(counts=(2**60, 0)), LimitError, "1,152,921,504,606,846,976 tensors"),
    "2^60 pairs": (gguf(counts=(0, 2**60)), LimitError, "values of metadata"),
    "more tensors than there are": (gguf(counts=(5, len(PAIRS)), data=0), Error, "header|name or text|has the"),
    "a key of 2^62": (gguf(pairs=(Q(2**62),)), LimitError, "a name or text of 4,611,686,018,427,387,904 bytes"),
    "a text of 2^62": (gguf(pairs=(pair(b"a", STRING, Q(2**62)),)), LimitError, "a name or text of"),
    "a text beyond the end": (gguf(pairs=(pair(b"a", STRING, Q(10**6)),)), MalformedError, "ends inside its header"),
    "an array of 2^60 numbers": (
        gguf(pairs=(pair(b"a", ARRAY, struct.pack("<IQ", UINT32, 2**60)),)),
        LimitError,
        "header",
    ),
    "an array of 2^60 texts": (
        gguf(pairs=(pair(b"a", ARRAY, struct.pack("<IQ", STRING, 2**60)),)),
        LimitError,
        "header",
    ),
    "two million texts of nothing": (
        gguf(
            pairs=tuple(
                pair(key, ARRAY, struct.pack("<IQ", STRING, 10**6 + 1) + bytes(8 * (10**6 + 1))) for key in (b"a", b"b")
            )
        ),
        LimitError,
        "2,000,002 texts in its metadata",
    ),
    "an array of arrays": (
        gguf(pairs=(pair(b"a", ARRAY, struct.pack("<IQ", ARRAY, 1)),)),
        MalformedError,
        "a value of type 9",
    ),
    "a type of nobody": (gguf(pairs=(pair(b"a", 99, b""),)), MalformedError, "a value of type 99"),
    "a key twice": (gguf(pairs=(PAIRS[0], PAIRS[0])), MalformedError, "twice"),
    "an alignment of 0": (gguf(pairs=(pair(b"general.alignment", UINT32, bytes(4)),)), MalformedError, "alignment 0"),
    "an alignment of 12": (
        gguf(pairs=(pair(b"general.alignment", UINT32, struct.pack("<I", 12)),)),
        MalformedError,
        "alignment 12",
    ),
    "an alignment that is a text": (
        gguf(pairs=(pair(b"general.alignment", STRING, text(b"32")),)),
        MalformedError,
        "alignment",
    ),
    "a tensor twice": (gguf((tensor(), tensor(offset=256)), data=512), MalformedError, "twice"),
    "an overlap": (gguf((tensor(), tensor(b"v", offset=64)), data=512), MalformedError, "overlaps the one before it"),
    "beyond the end": (gguf(data=255), MalformedError, "ends at byte 256 of the data, which has 255"),
    "an offset of 2^63": (gguf((tensor(offset=2**63),)), MalformedError, "ends at byte"),
    "an offset between": (gguf((tensor(offset=1),)), MalformedError, "expected a multiple of 64"),
    "five dimensions": (gguf((tensor(shape=(1, 1, 1, 1, 1)),)), MalformedError, "has 5 dimensions"),
    "2^32 - 1 dimensions": (gguf((text(b"w") + b"\xff" * 4,)), MalformedError, "dimensions; expected at most 4"),
    "a shape that overflows": (gguf((tensor(shape=(2**47, 2**47)),)), MalformedError, "ends at byte"),
    "a length of 2^64 - 1": (gguf((tensor(shape=(2**64 - 1, 2)),)), MalformedError, "has the shape"),
    "rows of half a block": (gguf((tensor(shape=(48,), kind=8),)), MalformedError, "expected rows of 32 values"),
    "a quantization of nobody": (gguf((tensor(kind=77),)), MalformedError, "of the type 77"),
    "a name of 65 bytes": (gguf((tensor(b"w" * 65),)), LimitError, "a name or text of 65 bytes"),
    "cut short": (gguf()[:40], MalformedError, "ends inside its header"),
}
PICKLES = {
    "a pickle": (b"\x80\x04K\x01.", "adapter_model.bin"),
    "a pickle by another name": (b"\x80\x02K\x01.", "prompt.txt"),
    "an archive of PyTorch": (b"PK\x03\x04" + bytes(26) + b"archive/data.pklFB", "pytorch_model.bin"),
}
CASES = {
    **{f"safetensors: {what}": ("x.safetensors", *case) for what, case in SAFETENSORS.items()},
    **{f"gguf: {what}": ("x.gguf", *case) for what, case in GGUF.items()},
    **{what: (name, data, MalformedError, "is a pickle") for what, (data, name) in PICKLES.items()},
}


@pytest.mark.parametrize("what", CASES)
def test_a_header_that_lies(what):
    name, data, error, said = CASES[what]
    started = time.monotonic()
    for size in (1, 7, 1 << 20) if len(data) < 10_000 else (1 << 20,):
        pieces = (data[place : place + size] for place in range(0, len(data), size))
        with pytest.raises(error, match=said) as caught:
            check_file(name, pieces, len(data), repr(name))
        assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "data", [safetensors(), safetensors({}), safetensors({"empty": [[]], "one": 1.0})], ids=range(3)
)
def test_headers_of_safetensors_that_are_fine(data):
    assert check_file("a.safetensors", iter([data]), len(data), "it") > 8


@pytest.mark.parametrize(
    "data",
    [gguf(), gguf(version=2), gguf((), (), data=0, alignment=1), gguf((tensor(shape=(256, 2), kind=12),), data=288)],
    ids=["3", "2", "empty", "Q4_K"],
)
def test_headers_of_gguf_that_are_fine(data):
    assert check_file("a.GGUF", iter([data]), len(data), "it") >= 24


@pytest.fixture
def bench(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    return Workbench(tmp_path / "bench", monkeypatch)


@pytest.mark.parametrize("what", [what for what in CASES if "300,000" not in what])
def test_the_recipe_is_refused_in_one_line(what, bench):
    name, data, _, said = CASES[what]
    (bench.folder / name).write_bytes(data)
    (bench.folder / "recipe.toml").write_text(
        f'name = "m"\nversion = "1.0.0"\nkind = "files"\n[files]\n"{name}" = "{name}"\n'
    )
    status, out, err = bench.add()
    assert (out, err.count("\n")) == ("", 1), err
    assert 10 <= status < 20
    assert name in err
    assert bench.channel.staged() == {}
    assert said.split("|")[0].replace("\\", "")[:12] in err or "|" in said


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("x.gguf", "llama-gguf-split --split-max-size 4G of llama.cpp"),
        ("x.safetensors", "save_pretrained(FOLDER, max_shard_size='4GB') of transformers"),
    ],
)
def test_a_file_that_is_too_large_says_how_to_divide_it(bench, name, how, monkeypatch):
    monkeypatch.setattr(carried_files, "LIMITS", LIMITS._replace(member_size_bytes=999))
    (bench.folder / name).write_bytes(bytes(1000))
    (bench.folder / "recipe.toml").write_text(
        f'name = "m"\nversion = "1.0.0"\nkind = "files"\n[files]\n"{name}" = "{name}"\n'
    )
    status, out, err = bench.add()
    assert (status, out, err.count("\n")) == (LimitError.exit_code, "", 1), err
    assert f"has 1,000 bytes; expected at most 999: divide it, for example with {how}" in err
    assert bench.channel.staged() == {}


def signed(channel, files, formats, form="files"):
    """A version of files as a bundler of another make signs it."""
    model = ModelVersion.parse("weights", "1.0.0")
    described = {
        "schema": "sealift.model/3",
        "kind": "files",
        "name": "weights",
        "version": "1.0.0",
        "formats": formats,
    }
    content = {"model.json": canonical(described), **files}
    stage(channel.channel, model, write_model(channel.channel.blobs_dir, model, content, Descriptor(), form=form))


SIGNED = [
    "safetensors: an overlap",
    "safetensors: a size that lies",
    "safetensors: a header of 2 GB",
    "gguf: version 4",
    "gguf: beyond the end",
    "a pickle",
    "an archive of PyTorch",
]


@pytest.mark.parametrize("what", SIGNED)
def test_pack_verify_and_install_refuse_what_is_signed(
    what, channel, instance, refused, sealift_command, call, tmp_path, no_replay
):
    name, data, error, said = CASES[what]
    channel.add("good", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "a.tar"))
    signed(channel, {name: data}, {name: name.partition(".")[2]} if name.startswith("x.") else {})
    channel.release()
    status, out, err = call(bundler, "pack", "--channel", channel.directory, "-o", tmp_path / "c.tar")
    assert (status, out, err.count("\n"), (tmp_path / "c.tar").exists()) == (GateError.exit_code, "", 1, False)
    bundle = channel.pack(tmp_path / "b.tar")
    with refused(error, said):
        instance.install(bundle)
    before = instance.snapshot()
    status, out, err = sealift_command("verify", bundle)
    assert (status, out, err.count("\n")) == (error.exit_code, "", 1), err
    assert re.search(said, err)
    assert name in err
    assert instance.snapshot() == before


PADDED = {
    "a.safetensors": (tensors(bytes(1 << 20), a=entry()), "its tensors end at byte 8 of the data, which has 1,048,576"),
    "a.gguf": (gguf(version=4) + bytes(1 << 20), "is GGUF of version 4"),
    "a.txt": (b"\x80\x04" + bytes(1 << 20), "is a pickle"),
}


@pytest.mark.parametrize("name", PADDED)
def test_verify_reads_the_header_of_a_compressed_file(name, channel, instance, sealift_command, tmp_path, monkeypatch):
    data, said = PADDED[name]
    monkeypatch.setattr(modelpack, "_store_plain", modelpack._store)
    signed(channel, {name: data}, {})
    channel.release()
    instance.pin(channel.root_bytes)
    bundle = channel.pack(tmp_path / "b.tar")
    assert bundle.stat().st_size < 200_000
    status, out, err = sealift_command("verify", bundle)
    assert (out, err.count("\n"), said in err) == ("", 1, True), err
    assert 10 <= status < 20


def test_bytes_are_compared_with_their_digest_before_a_header_is_read(channel, instance, sealift_command, tmp_path):
    signed(channel, {"a.safetensors": tensors(bytes(1 << 20), a=entry())}, {})
    channel.release()
    instance.pin(channel.root_bytes)
    bundle = channel.pack(tmp_path / "b.tar")
    damaged = bytearray(bundle.read_bytes())
    damaged[damaged.index(b'"F32"') + 1] ^= 1
    bundle.write_bytes(damaged)
    status, _, err = sealift_command("verify", bundle)
    assert (status, "is damaged or was changed" in err) == (DigestError.exit_code, True), err


def test_a_description_that_is_weights_as_well(channel, instance, sealift_command, tmp_path):
    """Two files of a version may be one blob, and each is checked for what it is."""
    model = ModelVersion.parse("weights", "1.0.0")
    described = {"schema": "sealift.model/3", "kind": "files", "name": "weights", "version": "1.0.0", "formats": {}}
    content = {"model.json": canonical(described), "a.gguf": canonical(described)}
    stage(channel.channel, model, write_model(channel.channel.blobs_dir, model, content, Descriptor(), form="files"))
    channel.release()
    instance.pin(channel.root_bytes)
    status, _, err = sealift_command("verify", channel.pack(tmp_path / "b.tar"))
    assert (status, "'a.gguf' of weights 1.0.0 is not GGUF" in err) == (MalformedError.exit_code, True), err


@pytest.mark.parametrize(
    ("files", "formats", "form", "said"),
    [
        ({"a.gguf": gguf()}, {"a.gguf": "gguf", "b.gguf": "gguf"}, "gguf", "lacks 'b.gguf', which model.json names"),
        ({"model.onnx": b"x"}, {}, "files", "holds 'model.onnx', which model.json does not explain"),
        ({"a.txt": b"x"}, {"a.txt": "pickle"}, "files", "'pickle'; expected one of"),
        ({"a.txt": b"x"}, {}, layout.ONNX, "is of the kind 'files'; its config says 'onnx'"),
    ],
)
def test_documents_of_files_that_contradict(files, formats, form, said, channel, instance, refused, tmp_path):
    signed(channel, files, formats, form)
    channel.release()
    instance.pin(channel.root_bytes)
    with refused(MalformedError, said):
        instance.install(channel.pack(tmp_path / "b.tar"))


def test_a_model_that_says_it_is_files_is_refused(channel, instance, refused, tmp_path):
    from support.release.channel_simulator import renamed, toy_files

    model = ModelVersion.parse("toy", "1.0.0")
    content = renamed(toy_files(), "toy", "1.0.0")
    stage(channel.channel, model, write_model(channel.channel.blobs_dir, model, content, Descriptor(), form="gguf"))
    channel.release()
    instance.pin(channel.root_bytes)
    with refused(MalformedError, "of the kind 'model'; its config says 'gguf'"):
        instance.install(channel.pack(tmp_path / "b.tar"))
