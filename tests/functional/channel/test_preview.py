"""What a release changes is seen before it is made, and before it is signed."""

import io
import json
import shutil
import sys
from functools import partial

import pytest

from sealift_bundler.cli import command as bundler_command
from sealift_common.blob import Blob
from sealift_common.contents.changes import changes
from sealift_common.metadata.release_document import Withdrawal
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.beginning import sign, to_sign
from sealift_keys.ceremony.pending import coming, waiting
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command as keys_command
from sealift_keys.cli import sign as sign_command


@pytest.fixture
def sim(tmp_path):
    """A channel whose targets two people sign, with one complete release."""
    from support.release.channel_simulator import ChannelSimulator

    sim = ChannelSimulator(tmp_path / "ch", thresholds={"targets": 2})
    sim.add("toy", "1.0.0")
    sim.release()
    return sim


@pytest.fixture
def bundler(call):
    return partial(call, bundler_command)


@pytest.fixture
def keys(call, sim, monkeypatch):
    """`sealift-keys`, to which `--key targets-2` names a signer of the channel."""
    signers = {signer.public_key.unrecognized_fields["x-sealift-name"]: signer for signer in sim.signers}
    monkeypatch.setattr(sign_command, "open_signers", lambda names, _: [signers[name] for name in names])
    return partial(call, keys_command)


def build_release(sim):
    """Make a release that the second holder of a targets key has not signed."""
    return sim.release([*sim.keys["targets"][:1], *sim.keys["snapshot"], *sim.keys["timestamp"]])


def model(version, name="toy"):
    return ModelVersion.parse(name, version)


def blob(letter):
    return Blob("sha256:" + letter * 64, 7)


def test_what_is_staged_is_shown_against_what_was_released(sim, bundler):
    sim.add("toy", "1.1.0")
    sim.add("other", "2.0.0")
    status, out, _ = bundler("preview", "--channel", sim.directory)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "release 3 of channel 'sim', against release 2: 2 new, 1 as before"
    assert lines[1].startswith("  new: other 2.0.0 sha256:")
    assert lines[2].startswith("    a first version; 4 files, ")
    assert "exact ties, rung 'float32', golden rows samples" in lines[3]
    assert "    after 1.0.0; 4 files, " in out
    assert lines[-1] == f"next: sealift-bundler release --channel {sim.directory} --key FILE"


def test_a_release_that_lacks_signatures_comes_before_what_is_staged(sim, bundler):
    sim.add("toy", "1.1.0")
    build_release(sim)
    sim.add("toy", "1.2.0")
    document = json.loads(bundler("preview", "--channel", sim.directory, "--json")[1])
    assert [one["version"] for one in document["new"]] == ["1.1.0"]
    assert document["new"][0]["proof"]["wrong"] == 0
    assert bundler("preview", "--channel", sim.directory)[1].splitlines()[-1] == document["targets_digest"]


def test_the_digest_stays_the_same_while_signatures_are_added(sim):
    sim.add("toy", "1.1.0")
    build_release(sim)
    before = waiting(sim.channel).digest
    sign(sim.channel, sim.keys["targets"])
    assert waiting(sim.channel).digest == before
    assert to_sign(sim.channel, [signer.public_key for signer in sim.keys["targets"]]) == {}


def test_the_page_holds_the_same_and_needs_nothing_else(sim, bundler, tmp_path):
    sim.add("toy", "1.1.0")
    sim.withdraw(model("1.0.0"), "answers <b>wrongly</b>")
    assert bundler("preview", "--channel", sim.directory, "--html", tmp_path / "p.html")[0] == 0
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    digest = next(iter(sim.channel.staged().values())).digest
    assert all(text in page for text in (digest, "toy 1.1.0", "model.onnx", "This release is not made yet."))


def test_a_withdrawal_is_shown_with_its_reason(sim, bundler):
    sim.withdraw(model("1.0.0"), "answers wrongly")
    _, out, _ = bundler("preview", "--channel", sim.directory)
    assert "  withdrawn: toy 1.0.0: 'answers wrongly'" in out


def test_changes_name_what_may_never_happen():
    from datetime import UTC, datetime

    from sealift_common.metadata.release_document import Release

    now = datetime.now(UTC)
    taken = Withdrawal(model("0.9.0"), "old", "2026-01-01T00:00:00Z")
    before = Release("c", 4, now, {model("1.0.0"): blob("a"), model("1.1.0"): blob("b")}, (taken,))
    after = Release("c", 5, now, {model("0.9.0"): blob("c"), model("1.0.0"): blob("d")})
    found = changes(before, after)
    assert found.changed == {model("1.0.0"): (blob("a"), blob("d"))}
    assert found.gone == {model("1.1.0"): blob("b")}
    assert found.returned == (model("0.9.0"),)
    assert not found.nothing
    assert changes(before, before).nothing
    # Ten is more than nine: the version before is the lower by precedence, not by letters.
    many = Release("c", 6, now, {model(f"1.{n}.0"): blob("e") for n in (2, 9, 10)})
    grown = many._replace(models={**many.models, model("1.11.0"): blob("f")})
    assert changes(many, grown).predecessors == {model("1.11.0"): (model("1.10.0"), blob("e"))}


def test_signing_shows_the_release_first_and_asks_on_a_terminal(sim, keys, monkeypatch):
    sim.add("toy", "1.1.0")
    build_release(sim)
    before = (sim.channel.tuf_dir / "targets.json").read_bytes()
    for answer, status in (("n\n", 2), ("y\n", 0)):
        terminal = io.StringIO(answer)
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", terminal)
        found, out, err = keys("sign", sim.directory, "--key", "targets-2")
        assert found == status
        assert "  new: toy 1.1.0 sha256:" in out
        assert "sign this?" in err
        unchanged = (sim.channel.tuf_dir / "targets.json").read_bytes() == before
        assert unchanged == (status == 2)
    assert out.index("new: toy 1.1.0") < out.index("signed targets 3 as 'targets-2'")
    assert f"sealift-keys merge CHANNEL {sim.directory}" in out.splitlines()[-1]


def test_a_script_says_which_targets_it_means(sim, keys):
    sim.add("toy", "1.1.0")
    build_release(sim)
    digest = coming(sim.channel).digest
    status, out, _ = keys("sign", sim.directory, "--key", "targets-2", "--expect", digest, "--json")
    assert status == 0
    document = json.loads(out)
    assert document["contents"]["targets_digest"] == digest
    assert document["signed"] == [{"key": "targets-2", "role": "targets", "version": 3}]


def test_a_release_with_the_same_models_is_signed_without_a_question(sim, keys):
    build_release(sim)
    status, out, _ = keys("sign", sim.directory, "--key", "targets-2")
    assert status == 0
    assert "release 3 of channel 'sim', against release 2: 0 new, 1 as before" in out


def test_a_signer_sees_what_changed_since_their_own_signature(sim):
    """The second person was away for a release that others completed."""
    first, second = sim.keys["targets"]
    sim.add("toy", "1.1.0")
    build_release(sim)
    sim.add("toy", "1.2.0")
    build_release(sim)
    for own, listed in ((second, ["1.1.0", "1.2.0"]), (first, ["1.2.0"])):
        found = waiting(sim.channel, [own.public_key])
        assert [str(one.version) for one in found.changes.new] == listed


def test_a_copy_without_files_of_models_is_signed_and_says_so(sim, keys, tmp_path):
    sim.add("toy", "1.1.0")
    build_release(sim)
    copy = Channel.open(shutil.copytree(sim.directory, tmp_path / "copy"))
    shutil.rmtree(copy.blobs_dir)
    _, out, _ = keys("sign", copy.directory, "--key", "targets-2", "--expect", coming(sim.channel).digest)
    assert "its files are not in this copy of the channel, so nothing can be said of them" in out
    assert "signed targets 3 as 'targets-2'" in out


def test_status_and_show_name_the_models_that_wait(sim, bundler, keys):
    """Staged, then made and half signed; a version with other bytes and one that is taken back stand out."""
    for command in ("status", "show"):
        assert "against release" not in keys(command, sim.directory)[1]
        assert json.loads(keys(command, sim.directory, "--json")[1])["contents"] is None
    sim.add("toy", "1.1.0")
    for command in ("status", "show"):
        _, out, _ = keys(command, sim.directory)
        assert "release 3 of channel 'sim', against release 2: 1 new, 1 as before\n  new: toy 1.1.0 sha256:" in out
        assert "rung 'float32'" in out
    sim.withdraw(model("1.0.0"), "answers wrongly")
    build_release(sim)
    preview = bundler("preview", "--channel", sim.directory)[1]
    document = json.loads(bundler("preview", "--channel", sim.directory, "--json")[1])
    assert document["new"]
    assert document["targets_digest"]
    for command in ("status", "show"):
        status, out, _ = keys(command, sim.directory)
        assert status == 0
        assert preview in out
        assert json.loads(keys(command, sim.directory, "--json")[1])["contents"] == document
    assert keys("status", sim.directory)[1].splitlines()[-1].startswith("next: sealift-keys sign ")
    sign(sim.channel, sim.signers)
    assert json.loads(keys("status", sim.directory, "--json")[1])["contents"] is None


def test_status_and_show_say_who_signs_before_a_damaged_model_ends_them(sim, keys):
    sim.add("toy", "1.1.0")
    (sim.channel.blobs_dir / sim.channel.staged()[model("1.1.0")].hex).write_bytes(b"other")
    for command, line in (("status", "targets 2: 2 of 2 signatures"), ("show", "2 of 2")):
        status, out, err = keys(command, sim.directory)
        assert status == 26, err
        assert line in out
        assert "the manifest of toy 1.1.0 is not the " in err
