"""`add`, `release` and `withdraw`: what a channel lists, and what it never lists again."""

import hashlib
import json
import os
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.shell_completion import ShellComplete
from support.release.channel_simulator import renamed, toy_files
from support.release.complete import require_complete
from support.release.key_channel import pending, stage_toy

import sealift_bundler
from sealift.errors import ChannelError
from sealift_bundler.cli import command
from sealift_bundler.proof.conversion import Conversion
from sealift_bundler.release.staging import release, stage
from sealift_common.blob import Blob
from sealift_common.console import run
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command as keys_command
from sealift_keys.keyfiles import pbes2


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The real number of rounds takes a quarter of a second for each key file.
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    for variable in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    return tmp_path


@pytest.fixture
def channel(capsys):
    run(keys_command, "sealift-keys", ["new", "k"])
    run(keys_command, "sealift-keys", ["init", "ch", "--name", "models", "--key", "k"])
    capsys.readouterr()
    return Channel.open("ch")


@pytest.fixture
def bundler(call):
    return partial(call, command)


def put(channel, content: bytes = b"{}") -> Blob:
    """A manifest blob; its content does not matter to a release."""
    digest = hashlib.sha256(content).hexdigest()
    (channel.blobs_dir / digest).write_bytes(content)
    return Blob("sha256:" + digest, len(content))


def model(version="1.0.0", name="triage"):
    return ModelVersion.parse(name, version)


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def refused(answer, code, word):
    status, out, err = answer
    assert status == code, err
    assert out == ""
    assert err.count("\n") == 1, err
    assert re.search(word, err), err


def test_a_release_lists_what_was_released_and_what_is_staged(channel, bundler):
    first, second = put(channel, b"one"), put(channel, b"two")
    assert stage(channel, model(), first) == "added"
    status, out, _ = bundler("release", "--channel", "ch", "--key", "k")
    assert status == 0
    assert "made release 2 of channel 'models': 1 model version\n" in out
    assert "added triage 1.0.0" in out
    assert "next: sealift-bundler pack --channel ch -o models-2.tar" in out
    stage(channel, model("1.1.0"), second)
    document = json.loads(bundler("release", "--channel", "ch", "--key", "k", "--json")[1])
    assert (document["release"], document["added"], document["complete"]) == (3, ["triage:1.1.0"], True)
    assert channel.released() == {model(): first, model("1.1.0"): second}
    assert channel.staged() == {}
    signed = channel.targets().signed
    assert signed.unrecognized_fields["sealift"] == {"released": "2023-11-14T22:13:20Z", "withdrawn": []}
    target = signed.targets["models/triage/1.0.0"]
    assert (target.length, target.hashes) == (3, {"sha256": hashlib.sha256(b"one").hexdigest()})
    require_complete(channel)


def test_a_release_without_keys_waits_for_its_signatures(channel, bundler):
    stage_toy(channel.directory)
    status, out, err = bundler("release", "--channel", "ch")
    assert status == 0
    assert err == "note: nobody has signed this release yet, because no --key was given\n"
    assert "targets 2: 0 of 1 signatures; waiting for 'k'" in out
    assert "next: sealift-keys sign ch --key FILE (the key of 'k')" in out
    _, out, _ = bundler("status", "--channel", "ch")
    assert re.search("release 2 of .*, which waits for signatures and is not released yet\n  in it +toy 1.0.0", out)
    with pytest.raises(ChannelError, match="not complete"):
        require_complete(channel)
    assert run(keys_command, "sealift-keys", ["sign", "ch", "--key", "k", *pending("ch")]) == 0
    require_complete(channel)


def test_nothing_staged_is_refused_unless_a_refresh_is_asked_for(channel, bundler):
    before = tree(channel.directory)
    refused(bundler("release", "--channel", "ch", "--key", "k"), 55, "nothing is staged.*--refresh")
    assert tree(channel.directory) == before
    assert bundler("release", "--channel", "ch", "--key", "k", "--refresh")[0] == 0
    assert channel.targets().signed.version == 2


def test_a_key_that_signs_nothing_of_a_release_is_refused_before_anything_is_written(bundler, capsys):
    for name in ("root", "build"):
        run(keys_command, "sealift-keys", ["new", name])
    words = ["init", "two", "--name", "models", "--key", "root", "--key", "build", "--root-key", "root.pub"]
    words += [word for role in ("targets", "snapshot", "timestamp") for word in (f"--{role}-key", "build.pub")]
    assert run(keys_command, "sealift-keys", words) == 0
    capsys.readouterr()
    stage_toy(Path("two"))
    before = tree(Path("two"))
    said = (
        "key 'root' .* signs nothing of a release, so nothing was written; .* are targets: 'build'; snapshot: 'build'"
    )
    for keys in (["--key", "root"], ["--key", "build", "--key", "root"]):
        refused(bundler("release", "--channel", "two", *keys), 53, said)
        assert tree(Path("two")) == before
    assert bundler("release", "--channel", "two", "--key", "build")[0] == 0
    withdrawal = ("withdraw", "toy", "1.0.0", "--channel", "two", "--reason", "wrong")
    refused(bundler(*withdrawal, "--key", "root"), 53, said)
    assert bundler(*withdrawal, "--key", "build")[0] == 0


def test_a_release_that_waits_is_named_where_nothing_is_staged(channel, bundler):
    stage_toy(channel.directory)
    assert bundler("release", "--channel", "ch")[0] == 0
    waits = "nothing is staged in 'ch': release 2 is made and waits for 'k'; run: sealift-keys sign ch --key FILE"
    refused(bundler("release", "--channel", "ch", "--key", "k"), 55, re.escape(waits))


def test_pack_names_what_is_staged_and_stays_behind(channel, bundler):
    stage_toy(channel.directory)
    assert bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    assert bundler("pack", "--channel", "ch", "-o", "one.tar")[::2] == (0, "")
    stage_toy(channel.directory, "2.0.0")
    status, _, err = bundler("pack", "--channel", "ch", "-o", "two.tar")
    note = "note: not in this bundle: toy 2.0.0 is staged; run sealift-bundler release first\n"
    assert (status, err) == (0, note)


def test_a_released_version_never_changes_its_bytes(channel):
    one, other = put(channel, b"one"), put(channel, b"other")
    stage(channel, model(), other)
    assert stage(channel, model(), one) == "replaced"
    assert stage(channel, model(), one) == "unchanged"
    release(channel)
    assert stage(channel, model(), one) == "unchanged"
    assert channel.staged() == {}
    with pytest.raises(
        ChannelError, match=r"released as sha256:.*a released version never changes, give .* new version"
    ):
        stage(channel, model(), other)


def test_a_manifest_that_is_missing_or_damaged_is_not_released(channel, bundler):
    with pytest.raises(ChannelError, match="not among the channel's blobs"):
        stage(channel, model(), Blob("sha256:" + "0" * 64, 5))
    reference = put(channel, b"one")
    stage(channel, model(), reference)
    (channel.blobs_dir / reference.hex).write_bytes(b"0ne")
    before = tree(channel.directory)
    refused(bundler("release", "--channel", "ch", "--key", "k"), 55, "does not match its name or size")
    assert tree(channel.directory) == before


def test_withdrawing_takes_a_version_back_for_ever(channel, bundler):
    reference = put(channel)
    stage(channel, model(), reference)
    release(channel)
    stage(channel, model("2.0.0"), reference)
    withdraw = ["withdraw", "triage", "1.0.0", "--channel", "ch", "--reason", "wrong labels", "--key", "k"]
    status, out, _ = bundler(*withdraw)
    assert status == 0
    assert "withdrew triage 1.0.0" in out
    assert channel.released() == {}
    assert list(channel.staged()) == [model("2.0.0")]
    entry = channel.targets().signed.unrecognized_fields["sealift"]["withdrawn"]
    assert entry == [{"model": "triage", "version": "1.0.0", "reason": "wrong labels", "at": "2023-11-14T22:13:20Z"}]
    with pytest.raises(ChannelError, match=r"was withdrawn at .*'wrong labels'.* cannot return"):
        stage(channel, model(), reference)
    refused(bundler(*withdraw), 55, "withdrawn already")
    release(channel)
    assert len(channel.release().withdrawn) == 1
    assert list(channel.released()) == [model("2.0.0")]


def test_completion_of_released_models(channel, bundler):
    for name, version in (("triage", "1.0.0"), ("triage", "1.10.0"), ("other", "2.0.0")):
        stage(channel, model(version, name), put(channel))
    bundler("release", "--channel", "ch", "--key", "k")
    complete = ShellComplete(command, {}, "sealift-bundler", "_SEALIFT_BUNDLER_COMPLETE")

    def values(*arguments, incomplete=""):
        return [item.value for item in complete.get_completions(list(arguments), incomplete)]

    assert values("withdraw", "--channel", "ch") == ["other", "triage"]
    assert values("withdraw", "--channel", "ch", "triage") == ["1.10.0", "1.0.0"]
    assert values("pack", "--channel", "ch", "--include", incomplete="tri") == ["triage:1.10.0", "triage:1.0.0"]
    assert values("withdraw", "--channel", "nowhere") == []
    assert values("convert", "--golden") == ["generated", "samples"]
    assert values("convert", "--golden", incomplete="gen") == ["generated"]
    offered = complete.get_completions(["convert", "--golden"], "rows")
    assert [(item.value, item.type) for item in offered] == [("rows", "file")]


def test_what_cannot_be_withdrawn(channel, bundler):
    stage(channel, model(), put(channel))
    before = tree(channel.directory)
    common = ["--channel", "ch", "--key", "k", "--reason"]
    refused(
        bundler("withdraw", "triage", "1.0.0", *common, "x"),
        55,
        "only staged, not released; drop it with: sealift-bundler unstage triage 1.0.0 --channel ch",
    )
    refused(bundler("withdraw", "other", "1.0.0", *common, "x"), 55, "no model of that name")
    refused(bundler("withdraw", "../x", "1.0.0", *common, "x"), 2, "model name")
    refused(bundler("withdraw", "triage", "one", *common, "x"), 2, "SemVer")
    refused(bundler("withdraw", "triage", "1.0.0", *common, " "), 2, "reason")
    refused(bundler("withdraw", "triage", "1.0.0", *common, "a\nb"), 2, "one line")
    refused(
        bundler("withdraw", "triage", "1.0.0", "--channel", "nowhere", "--reason", "x"),
        55,
        "check the path.*bundler init",
    )
    assert tree(channel.directory) == before


@pytest.mark.parametrize("written", [1, 2])
@pytest.mark.parametrize("action", ["release", "withdraw"])
def test_an_interrupted_command_is_finished_by_running_it_again(channel, bundler, monkeypatch, written, action):
    stage(channel, model(), put(channel))
    if action == "withdraw":
        release(channel)
    extra = ["triage", "1.0.0", "--reason", "x"] if action == "withdraw" else []
    arguments = [action, *extra, "--channel", "ch", "--key", "k"]
    real = Channel.write

    def crash(self, *documents):
        real(self, *documents[:written])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Channel, "write", crash)
        assert bundler(*arguments)[0] == 3
    with pytest.raises(ChannelError, match="interrupted"):
        require_complete(channel)
    assert bundler(*arguments)[0] == 0
    state = require_complete(channel)
    assert (state.released, state.withdrawn, state.staged) == ((0, 1, 0) if action == "withdraw" else (1, 0, 0))


def test_bad_keys_and_channels(channel, bundler, monkeypatch):
    stage(channel, model(), put(channel))
    before = tree(channel.directory)
    refused(bundler("release", "--channel", "nowhere", "--key", "k"), 55, "'nowhere'")
    refused(bundler("release", "--channel", "ch", "--key", "absent"), 3, "absent")
    run(keys_command, "sealift-keys", ["new", "stranger"])
    assert bundler("release", "--channel", "ch", "--key", "stranger")[0] == 53
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "wrong")
    refused(bundler("release", "--channel", "ch", "--key", "k"), 53, "passphrase is wrong")
    assert tree(channel.directory) == before


RECIPE = """
name = "triage"
version = "1.0.0"
source = "model.joblib"
samples = "samples.csv"
licenses = ["MIT"]
license_file = "MIT.txt"
"""


@pytest.fixture
def recipe(monkeypatch):
    """A recipe whose conversion is stood in for: what a converter does is not this file's business."""
    for name, text in {"model.joblib": "m", "samples.csv": "s", "MIT.txt": "license", "recipe.toml": RECIPE}.items():
        Path(name).write_text(text)
    files = renamed(toy_files(), "triage", "1.0.0")
    parity = {"rows": 3, "reference": "the original", "largest_absolute_error": 0.0, "ties": 0}
    description = SimpleNamespace(tolerance=SimpleNamespace(atol=1e-5, rtol=1e-5))
    stand_in = Conversion(files)
    for name, value in {"rung": "float32", "parity": parity, "description": description}.items():
        monkeypatch.setattr(Conversion, name, value)
    monkeypatch.setattr(sealift_bundler, "convert", lambda *_, **__: stand_in, raising=False)
    return files


def test_add_stages_a_recipe_once(channel, bundler, recipe):
    status, out, _ = bundler("add", "recipe.toml", "--channel", "ch")
    assert status == 0
    assert out.startswith("added triage 1.0.0 sha256:")
    (reference,) = channel.staged().values()
    manifest = json.loads((channel.blobs_dir / reference.hex).read_bytes())
    names = {layer["annotations"]["org.cncf.model.filepath"] for layer in manifest["layers"]}
    assert names == {"model.onnx", "model.json", "golden.json", "LICENSE"}
    document = json.loads(bundler("add", "recipe.toml", "--channel", "ch", "--json")[1])
    assert (document["outcome"], document["digest"]) == ("unchanged", reference.digest)
    release(channel)
    assert json.loads(bundler("add", "recipe.toml", "--channel", "ch", "--json")[1])["outcome"] == "unchanged"
    assert channel.staged() == {}
    recipe["model.onnx"] = b"other"
    refused(bundler("add", "recipe.toml", "--channel", "ch"), 55, "a released version never changes")
    assert channel.staged() == {}


def test_add_refuses_before_converting(channel, bundler, recipe, monkeypatch):
    stage(channel, model(), put(channel))
    release(channel)
    bundler("withdraw", "triage", "1.0.0", "--channel", "ch", "--reason", "bad")
    monkeypatch.setattr(sealift_bundler, "convert", None)
    before = tree(channel.directory)
    refused(bundler("add", "recipe.toml", "--channel", "ch"), 55, "cannot return")
    refused(bundler("add", "recipe.toml", "--channel", "nowhere"), 55, "nowhere")
    refused(bundler("add", "gone.toml", "--channel", "ch"), 52, "gone.toml")
    refused(bundler("add", ".", "--channel", "ch"), 52, "directory")
    Path("recipe.toml").write_text(RECIPE + 'autors = ["me"]\n')
    refused(bundler("add", "recipe.toml", "--channel", "ch"), 52, r"recipe.toml:8: unknown key 'autors'; did you mean")
    other = RECIPE.replace("1.0.0", "1.0.1")
    Path("recipe.toml").write_text(other + '[convert]\nmethod = "predict"\n')
    refused(
        bundler("add", "recipe.toml", "--channel", "ch"), 52, r"recipe.toml: \[convert\] option 'method' is not known"
    )
    assert tree(channel.directory) == before


def test_a_secret_in_the_reason_of_a_withdrawal_is_refused_and_not_repeated(channel, bundler):
    stage(channel, model(), put(channel))
    assert bundler("release", "--channel", "ch", "--key", "k")[0] == 0
    before = {path: path.read_bytes() for path in channel.directory.rglob("*") if path.is_file()}
    token = "glpat-" + "x3kP9qLm2ZtR7vWs4YbN"
    reason = f"trained with {token}"
    status, out, err = bundler("withdraw", "triage", "1.0.0", "--channel", "ch", "--reason", reason, "--key", "k")
    assert (status, out) == (60, "")
    assert "the reason would disclose gitlab-token in the reason: line 1" in err
    assert token not in err
    assert {path: path.read_bytes() for path in channel.directory.rglob("*") if path.is_file()} == before
