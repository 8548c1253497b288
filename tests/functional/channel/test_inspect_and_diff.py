"""`sealift inspect` and `sealift diff`: look before you carry. Read little, trust nothing, and say so."""

import json
import os
import re

import pytest
import rfc8785
from support.release.channel_simulator import renamed, toy_files
from support.release.self_test_stub import Passes

from sealift.bundle.archive import Archive
from sealift.cli.bundles.diff import _change
from sealift_bundler.packing.parts import split

EVIL = "\x1b]0;owned\x07\u202eevil"


def files(name, version, change=None, **more):
    content = renamed(toy_files(), name, version)
    if change is not None:
        described = json.loads(content["model.json"])
        change(described)
        content["model.json"] = rfc8785.dumps(described)
    return {**content, **{key.replace("_", "."): value for key, value in more.items()}}


def other_interface(described):
    described["inputs"][0]["columns"][0]["name"] = "age"
    described["outputs"][1]["returns"] = "float64"
    described["parity"]["rows"] = 9


@pytest.fixture
def two(channel, tmp_path):
    """Release 3 after release 2: one model changed, one new, one withdrawn for good, one the same."""
    channel.add("alpha", "1.0.0", files("alpha", "1.0.0", CARD_md=b"# Alpha\n\nOld.\n", NOTES_txt=b"gone"))
    channel.add("beta", "1.0.0")
    gone = channel.add("gone", "1.0.0")
    channel.release()
    before = channel.pack(tmp_path / "before.tar")
    channel.withdraw(gone, "leaks labels")
    change = files("alpha", "1.1.0", other_interface, CARD_md=f"# Alpha\n{EVIL}\n".encode(), MORE_txt=b"new")
    channel.add("alpha", "1.1.0", change)
    channel.add("gamma", "0.1.0")
    channel.release()
    return before, channel.pack(tmp_path / "after.tar")


def test_diff_says_what_changes(two, sealift_command):
    status, out, _ = sealift_command("diff", *two, "--json")
    assert status == 0
    found = json.loads(out)
    assert found["trusted"] is False
    assert found["same_root"] is True
    assert (found["before"]["release"], found["after"]["release"]) == (2, 4)
    assert [model["name"] for model in found["added"]] == ["gamma"]
    assert [model["name"] for model in found["removed"]] == ["gone"]
    assert found["unchanged"] == ["beta:1.0.0"]
    assert [withdrawal["model"] for withdrawal in found["withdrawn"]] == ["gone:1.0.0"]
    (alpha,) = found["changed"]
    assert (alpha["before"], alpha["after"], alpha["same_interface"]) == ("1.0.0", "1.1.0", False)
    changed = {change["name"]: (change["before"], change["after"]) for change in alpha["files"]}
    assert changed["MORE.txt"] == (None, 3)
    assert changed["NOTES.txt"] == (4, None)
    assert set(changed) == {"CARD.md", "MORE.txt", "NOTES.txt", "model.json"}
    assert [change["name"] for change in alpha["columns"]] == ["x0", "age"]
    (output,) = alpha["outputs"]
    assert (output["name"], output["before"]["returns"], output["after"]["returns"]) == ("scores", "float32", "float64")
    assert alpha["inputs"] == []
    assert {"name": "parity.rows", "before": 1616, "after": 9} in alpha["figures"]


def test_diff_for_people(two, sealift_command):
    status, out, _ = sealift_command("diff", *two)
    assert status == 0
    assert "changed alpha 1.0.0 -> 1.1.0: INPUTS OR OUTPUTS CHANGE" in out
    assert "file NOTES.txt: gone, 4 bytes" in out
    assert "file MORE.txt: new, 3 bytes" in out
    assert "figure parity.rows: 1616 -> 9" in out
    assert "unchanged beta 1.0.0" in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", out)
    # Nothing changes from a bundle to itself.
    status, out, _ = sealift_command("diff", two[0], two[0], "--json")
    found = json.loads(out)
    assert found["added"] == found["removed"] == found["changed"] == found["withdrawn"] == []


def test_a_long_figure_is_shown_where_it_differs():
    same = "Pipeline(" + "x" * 500
    before, after = (same + f", C={number})" + "y" * 500 for number in (1, 2))
    line = _change(before, after)
    assert len(line) < 300
    assert re.fullmatch(r"\.\.\.x{36}, C=1\)y+\.\.\. -> \.\.\.x{36}, C=2\)y+\.\.\.", line)
    assert _change("1", "2") == "1 -> 2"
    assert _change("", "z" * 200) == " -> " + "z" * 120 + "..."


def test_diff_of_bundles_of_two_channels(two, tmp_path, sealift_command):
    from support.release.channel_simulator import ChannelSimulator

    other = ChannelSimulator(tmp_path / "other", name="other")
    other.add("beta", "1.0.0", files("beta", "1.0.0"))
    other.release()
    status, out, _ = sealift_command("diff", two[0], other.pack(tmp_path / "other.tar"))
    assert status == 0
    assert "different roots" in out
    assert "changed beta 1.0.0 -> 1.0.0: same inputs and outputs" in out


def test_inspect_compares_with_a_base(two, sealift_command, tmp_path):
    status, out, _ = sealift_command("inspect", two[1], "--base", two[0], "--json")
    found = json.loads(out)
    assert found["base"] == {"bundle": str(two[0]), "release": 2}
    news = {model["name"]: model["news"] for model in found["models"]}
    assert news == {"alpha": "updated", "beta": "unchanged", "gamma": "new"}
    assert found["not_carried"] == ["gone:1.0.0"]
    status, out, _ = sealift_command("inspect", two[0], "--base", two[1])
    assert status == 0
    assert re.search(r"alpha +1\.0\.0 +older", out)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", out)


def test_inspect_compares_with_the_store_where_there_is_one(two, channel, instance, sealift_command, monkeypatch):
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
    status, out, _ = sealift_command("inspect", two[1], "--json")
    found = json.loads(out)
    assert (status, found["base"], found["models"][0]["news"]) == (0, None, None)
    instance.pin(channel.root_bytes)
    instance.install(two[0])
    before = instance.snapshot()
    _, out, _ = sealift_command("inspect", two[1], "--json")
    found = json.loads(out)
    assert found["base"] == {"generation": 1, "release": 2}
    assert [model["news"] for model in found["models"]] == ["updated", "unchanged", "new"]
    status, out, _ = sealift_command("inspect", two[1])
    assert "against generation 1 of the store, release 2" in out
    assert instance.snapshot() == before
    # A damaged store does not keep anybody from looking.
    os.unlink(instance.store_path / "current")
    (instance.store_path / "current").symlink_to("generations/77")
    _, out, _ = sealift_command("inspect", two[1], "--json")
    assert json.loads(out)["base"] is None


def test_cards_are_printed_harmlessly(two, sealift_command):
    status, out, _ = sealift_command("inspect", two[1], "--cards")
    assert status == 0
    assert "--- card of alpha 1.1.0\n# Alpha\n" in out
    assert "--- card of beta 1.0.0\n# beta 1.0.0\n" in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", out)
    _, out, _ = sealift_command("inspect", two[1], "--cards", "--json")
    assert json.loads(out)["models"][0]["card"] == f"# Alpha\n{EVIL}\n"


def test_only_the_head_and_small_documents_are_read(channel, tmp_path, sealift_command, monkeypatch):
    weights = os.urandom(3_000_000)
    channel.add("toy", "1.0.0", files("toy", "1.0.0", WEIGHTS_bin=weights, CARD_md=b"# Toy\n"))
    channel.release()
    before = channel.pack(tmp_path / "before.tar")
    channel.add("toy", "1.1.0", files("toy", "1.1.0", WEIGHTS_bin=weights[::-1], CARD_md=b"# Toy\n"))
    channel.release()
    after = channel.pack(tmp_path / "after.tar")
    read = []
    original = Archive.chunks

    def counting(self, member):
        for chunk in original(self, member):
            read.append(len(chunk))
            yield chunk

    monkeypatch.setattr(Archive, "chunks", counting)
    for arguments in (("inspect", after, "--cards", "--base", before), ("diff", before, after)):
        read.clear()
        assert sealift_command(*arguments)[0] == 0
        assert sum(read) < 100_000
    # The weights may be damaged, or not be there yet.
    os.truncate(after, 300_000)
    assert sealift_command("diff", before, after)[0] == 0


def test_bundles_in_parts(two, tmp_path, sealift_command):
    folder = tmp_path / "parts"
    folder.mkdir()
    split(two[1], folder, 16_384)
    status, out, _ = sealift_command("diff", two[0], folder, "--json")
    assert status == 0
    assert json.loads(out)["after"]["size"] == two[1].stat().st_size


def test_a_damaged_description_is_refused(channel, tmp_path, sealift_command):
    channel.add("toy", "1.0.0")
    channel.release()
    before = channel.pack(tmp_path / "before.tar")

    def spoil(described):
        described["inputs"][0]["dtype"] = f"float{EVIL}"

    channel.add("toy", "1.1.0", files("toy", "1.1.0", spoil))
    channel.release()
    status, out, err = sealift_command("diff", before, channel.pack(tmp_path / "after.tar"))
    assert status == 10
    assert "\x1b" not in out + err
