"""A backup that somebody made or changed: refused by class, nothing of the store touched, nothing left behind."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from copy import copy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.depth import DEPTH
from support.release.channel_simulator import ChannelSimulator
from support.release.instance import Instance

from sealift.backup.export import export
from sealift.backup.restore import restore
from sealift.bundle.tarformat import END, Member
from sealift.errors import (
    CorruptError,
    DigestError,
    Error,
    LimitError,
    MalformedError,
    MixError,
    NoSpaceError,
    NoTrustError,
    RollbackError,
    RootError,
    SignatureError,
    UnsafeMemberError,
    UnsupportedVersionError,
    UntrustedKeyError,
    WithdrawnError,
)
from sealift_keys.channel.directory import Channel

pytestmark = pytest.mark.usefixtures("no_replay")

MODEL = "models/toy/1.0.0/model.onnx"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A channel, an instance that has its release, and a backup of that; made once."""
    directory = tmp_path_factory.mktemp("template")
    channel, instance = ChannelSimulator(directory / "channel"), Instance(directory / "instance")
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(directory))
    export(instance.store, str(directory / "store.tar"))
    return channel, directory


@pytest.fixture
def channel(template, tmp_path):
    simulator, directory = template
    shutil.copytree(directory / "channel", tmp_path / "channel")
    copied = copy(simulator)
    copied.directory = tmp_path / "channel"
    copied.channel = Channel.open(copied.directory)
    return copied


@pytest.fixture
def instance(template, tmp_path):
    shutil.copytree(template[1] / "instance", tmp_path / "instance", symlinks=True)
    return Instance(tmp_path / "instance")


@pytest.fixture
def good(template):
    """A backup of the instance's store, as member name to content, in order."""
    return _members(template[1] / "store.tar")


@pytest.fixture(params=["replace", "empty"])
def attempt(request, instance, refused):
    """Assert that restoring is refused; onto the store itself, and onto an empty one."""

    def call(error, backup, match=""):
        if request.param == "empty":
            instance.store_path.rename(instance.directory / "elsewhere")
            instance.store_path.mkdir()
        with refused(error, match):
            restore(io.BytesIO(backup), instance.store, replace=True)
        assert {path.name for path in instance.store_path.iterdir()} & {"staging"} == set()
        if request.param == "replace":
            instance.store.load("toy")

    return call


def _members(backup):
    with tarfile.open(backup) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def _tar(members, *, mtime=1_800_000_000, end=END):
    parts = []
    for name, data in members.items() if isinstance(members, dict) else members:
        member = Member(name, len(data), mtime)
        parts += [member.header(), data, bytes(member.padding)]
    return b"".join([*parts, end])


def _document(members):
    return json.loads(members["store.json"])


def _with(members, document=None, **files):
    """Put other content in, with a list that fits it, as an attacker would."""
    members = {**members, **files}
    document = document or _document(members)
    for entry in document["files"]:
        if entry["path"] in members:
            data = members[entry["path"]]
            entry |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return {**members, "store.json": _dump(document)}


def _dump(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_the_good_one_is_restored(good, instance):
    restore(io.BytesIO(_tar(_with(good))), instance.store, replace=True)
    assert instance.store.load("toy").version == "1.0.0"


def test_without_a_pinned_root(good, instance, refused):
    (instance.trust_path / "root.json").unlink()
    with refused(NoTrustError):
        restore(io.BytesIO(_tar(good)), instance.store, replace=True)


def test_a_backup_of_another_channel(good, channel, instance, tmp_path, attempt):
    other = ChannelSimulator(tmp_path / "stranger")
    other.add("toy", "1.0.0")
    other.release()
    stranger = Instance(tmp_path / "other")
    stranger.pin(other.root_bytes)
    stranger.install(other.pack(tmp_path / "stranger.tar"))
    export(stranger.store, str(tmp_path / "stranger-store.tar"))
    attempt((SignatureError, UntrustedKeyError, RootError), (tmp_path / "stranger-store.tar").read_bytes())


def test_another_first_root(good, tmp_path, attempt):
    stranger = ChannelSimulator(tmp_path / "stranger").root_bytes
    attempt(RootError, _tar(_with(good, **{"trust/root_history/1.root.json": stranger})), "is not the root")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_that_was_changed(role, good, attempt):
    changed = json.loads(good[f"trust/{role}.json"])
    changed["signed"]["expires"] = "2099-01-01T00:00:00Z"
    attempt(SignatureError, _tar(_with(good, **{f"trust/{role}.json": json.dumps(changed).encode()})))


def test_older_metadata_under_a_newer_record(good, channel, instance, tmp_path, attempt):
    """A withdrawn version would come back: old targets, signed, among new timestamp and snapshot."""
    old = good["trust/targets.json"]
    channel.add("toy", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path))
    export(instance.store, str(tmp_path / "new.tar"))
    new = _members(tmp_path / "new.tar")
    attempt(MixError, _tar(_with(new, **{"trust/targets.json": old})), "mixed from several")


def test_old_metadata_under_an_old_record(good, channel, instance, tmp_path, refused):
    channel.add("toy", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path))
    with refused(RollbackError):
        restore(io.BytesIO(_tar(good)), instance.store, replace=True)


@pytest.mark.parametrize("change", [{"targets": 99}, {"targets": 1}, {"root": 7}, {"timestamp": 0}])
def test_a_record_that_the_metadata_does_not_bear_out(change, good, attempt):
    floor = json.loads(good["trust/floor.json"]) | change
    attempt(MixError, _tar(_with(good, **{"trust/floor.json": _dump(floor)})))


def test_a_time_that_would_lock_the_instance_out(good, attempt):
    floor = json.loads(good["trust/floor.json"]) | {"time": (datetime.now(UTC) + timedelta(days=9999)).isoformat()}
    attempt(MixError, _tar(_with(good, **{"trust/floor.json": _dump(floor)})), "correct the clock")


@pytest.mark.parametrize("path", [MODEL, "models/toy/1.0.0/model.json", "models/toy/1.0.0/CARD.md"])
def test_a_file_that_was_changed(path, good, attempt):
    changed = good[path][:-1] + bytes([good[path][-1] ^ 1])
    attempt(DigestError, _tar({**good, path: changed}), "damaged or was changed")


def test_a_file_that_was_changed_with_the_list(good, attempt):
    attempt(DigestError, _tar(_with(good, **{MODEL: b"another model"})), "were signed")


def test_a_manifest_that_was_changed_with_the_list(good, attempt):
    name = next(name for name in good if name.startswith("manifests/"))
    attempt(DigestError, _tar(_with(good, **{name: good[name] + b" "})), "no usable manifest")


def test_a_version_that_the_channel_does_not_list(good, attempt):
    renamed = {name.replace("/1.0.0/", "/9.0.0/"): data for name, data in good.items()}
    document = json.loads(good["store.json"].replace(b"/1.0.0/", b"/9.0.0/"))
    attempt(WithdrawnError, _tar(_with(renamed, document)))


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../../etc/passwd", UnsafeMemberError),
        ("/etc/passwd", UnsafeMemberError),
        ("models/toy/1.0.0/../../../current", UnsafeMemberError),
        ("models/../1.0.0/model.onnx", UnsafeMemberError),
        ("models/toy/../model.onnx", UnsafeMemberError),
        ("models/toy/1.0.0/.hidden", UnsafeMemberError),
        ("models/toy/1.0.0/a\x00b", UnsafeMemberError),
        ("models/Toy/1.0.0/model.onnx", UnsafeMemberError),
        ("manifests/../trust/floor.json", UnsafeMemberError),
        ("trust/root_history/../../x.root.json", UnsafeMemberError),
        ("trust/current", UnsafeMemberError),
        ("current", UnsafeMemberError),
        ("lock", UnsafeMemberError),
        ("store.json", UnsafeMemberError),
        ("", UnsafeMemberError),
        (7, MalformedError),
    ],
)
def test_a_name_that_no_store_has(path, error, good, attempt):
    document = _document(good)
    document["files"][-1]["path"] = path
    attempt(error, _tar({**good, "store.json": _dump(document)}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("name", ["store.json", MODEL])
def test_a_member_that_is_no_plain_file(kind, name, good, attempt):
    parts = []
    for member_name, data in good.items():
        if member_name == name:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime, info.mode = kind, "/etc/passwd", 1_800_000_000, 0o644
            parts.append(info.tobuf(tarfile.USTAR_FORMAT))
        else:
            parts.append(_tar({member_name: data}, end=b""))
    # A folder at the beginning is a tar of another kind already.
    first = (name, kind) == ("store.json", tarfile.DIRTYPE)
    attempt(MalformedError if first else UnsafeMemberError, b"".join([*parts, END]))


def _listed_twice(good):
    document = _document(good)
    document["files"].append(document["files"][-1])
    return {**good, "store.json": _dump(document)}


def _generation(change):
    def apply(good):
        document = _document(good)
        document["generations"][0] |= change
        return {**good, "store.json": _dump(document)}

    return apply


def _top(change):
    return lambda good: {**good, "store.json": _dump(_document(good) | change)}


def _without(path):
    def apply(good):
        document = _document(good)
        document["files"] = [entry for entry in document["files"] if not entry["path"].startswith(path)]
        members = {name: data for name, data in good.items() if not name.startswith(path)}
        return {**members, "store.json": _dump(document)}

    return apply


def _size(path, size):
    def apply(good):
        document = _document(good)
        next(entry for entry in document["files"] if entry["path"] == path)["size"] = size
        return {**good, "store.json": _dump(document)}

    return apply


DOCUMENTS = {
    "a file listed twice": (_listed_twice, MalformedError),
    "files out of order": (lambda good: _top({"files": _document(good)["files"][::-1]})(good), MalformedError),
    "a form of the future": (_top({"schema": "sealift.backup/2"}), UnsupportedVersionError),
    "a field besides": (_top({"more": 1}), MalformedError),
    "no generation": (_top({"generations": []}), MalformedError),
    "another active generation": (_top({"active": 2}), MalformedError),
    "an active generation of text": (_top({"active": "1"}), MalformedError),
    "a model with a path for a name": (_generation({"models": {"../x": "1.0.0"}}), UnsafeMemberError),
    "a model with a path for a version": (_generation({"models": {"toy": "../../.."}}), UnsafeMemberError),
    "a huge generation": (_generation({"number": 10**12}), MalformedError),
    "a time that is none": (_generation({"created": "now\x1b[2J"}), MalformedError),
    "a list for a document": (lambda good: {**good, "store.json": b"[]"}, UnsupportedVersionError),
    "no JSON": (lambda good: {**good, "store.json": b"\xff"}, MalformedError),
    "nested": (lambda good: {**good, "store.json": b"[" * 100_000}, LimitError),
    "no model": (_without("models/"), MalformedError),
    "a file of the model missing": (_without(MODEL), MalformedError),
    "no manifests": (_without("manifests/"), DigestError),
    "no floor": (_without("trust/floor.json"), MalformedError),
    "no targets": (_without("trust/targets.json"), MalformedError),
    "no roots": (_without("trust/root_history"), MixError),
    "a huge model file": (_size(MODEL, 10**15), LimitError),
    "a model file larger than the disk": (_size(MODEL, 8 * 1024**3 - 1), (NoSpaceError, DigestError)),
    "a negative size": (_size(MODEL, -1), MalformedError),
    "a huge history": (_size("history.jsonl", 10**9), LimitError),
    "a huge root": (_size("trust/root_history/1.root.json", 10**9), LimitError),
    "another size": (_size("trust/targets.json", 5), DigestError),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_list_that_is_not_as_we_write_it(case, good, attempt):
    change, error = DOCUMENTS[case]
    attempt(error, _tar(change(good)))


def test_a_size_in_the_header_that_lies(good, attempt):
    data = _tar(good)
    at = data.index(Member(MODEL, len(good[MODEL]), 1_800_000_000).header())
    attempt(DigestError, data[:at] + Member(MODEL, 8 * 1024**3 - 1, 1_800_000_000).header() + data[at + 512 :], "lists")


def test_a_huge_list_is_not_read(good, attempt):
    attempt(LimitError, Member("store.json", 8 * 1024**3 - 1, 0).header() + bytes(4096))


@pytest.mark.parametrize("extra", ["first", "last", "twice"])
def test_extra_members(extra, good, attempt):
    members = list(good.items())
    members = {
        "first": [("a", b""), *members],
        "last": [*members, ("z", b"")],
        "twice": [*members, members[-1]],
    }[extra]
    attempt(MalformedError, _tar(members))


def test_a_missing_member(good, attempt):
    attempt(MalformedError, _tar({name: data for name, data in good.items() if name != MODEL}))


def test_cut_short_anywhere(good, instance, refused):
    data = _tar(good)
    for length in [0, 1, 511, 512, 513, *range(1024, len(data), len(data) // 40), len(data) - 1]:
        with refused(MalformedError):
            restore(io.BytesIO(data[:length]), instance.store, replace=True)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: data + b"x", lambda data: b"PK\x03\x04" + data])
def test_another_format(pack, good, attempt):
    attempt(MalformedError, pack(_tar(good)))


def test_a_bundle_is_no_backup(good, channel, tmp_path, attempt):
    attempt(MalformedError, channel.pack(tmp_path).read_bytes(), "it is a bundle; install it with")


def test_a_damaged_trust_state_is_not_replaced_blindly(good, instance, refused):
    """Nobody can say what the store has seen; the admin has to move it away."""
    (instance.store_path / "trust/1/floor.json").write_bytes(b"{}")
    with refused(CorruptError):
        restore(io.BytesIO(_tar(good)), instance.store, replace=True)
    (instance.store_path / "trust/1/floor.json").write_bytes(good["trust/floor.json"])
    (instance.store_path / "trust/1/targets.json").write_bytes(b"{}")
    with refused(CorruptError, "move the store away yourself"):
        restore(io.BytesIO(_tar(good)), instance.store, replace=True)


def test_a_history_cannot_act_on_a_terminal(good, instance, capsys):
    from sealift.cli import cli
    from sealift_common.console import run

    line = json.dumps({"time": "t", "action": "install", "user": "\x1b[2J\x1b]0;x\x07"}).encode() + b"\n"
    restore(io.BytesIO(_tar(_with(good, **{"history.jsonl": line}))), instance.store, replace=True)
    assert run(cli, "sealift", ["history", "--store", str(instance.store_path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@settings(max_examples=37 * DEPTH, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit(position, bit, good, instance):
    """The list has a digest for every file, also for the history, and only one way to be written."""
    data = bytearray(_tar(good))
    data[int(position * len(data))] ^= 1 << bit
    with pytest.raises(Error):
        restore(io.BytesIO(bytes(data)), instance.store, replace=True)
