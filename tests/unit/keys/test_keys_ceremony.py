"""The ceremony: thresholds, authorization, and signatures that are only ever added."""

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from securesystemslib.signer import SSlibKey
from support.hostile.strangers import holding
from support.key_holders import listing, signer
from support.release.complete import require_complete
from tuf.api.metadata import Metadata

from sealift_common import fingerprint
from sealift_common.blob import Blob
from sealift_common.clock import release_time, rfc3339
from sealift_common.errors import ChannelError, KeyFileError, UsageError
from sealift_common.files import lock_file
from sealift_common.metadata.release_document import KEY_NAME_FIELD, Withdrawal
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.beginning import init, new_release, sign
from sealift_keys.ceremony.plan import DEFAULT_EXPIRES_DAYS, RolePlan
from sealift_keys.channel.directory import ROLES, Channel
from sealift_keys.channel.status import status

MODEL = ModelVersion.parse("triage", "1.0.0")
REFERENCE = Blob("sha256:" + "ab" * 32, 700)


@pytest.fixture(scope="module")
def builder():
    return signer("builder")


@pytest.fixture(scope="module")
def approver():
    return signer("approver")


def plans(*people, threshold=1, **changes):
    keys = [person.public_key for person in people]
    two = RolePlan(keys, threshold)
    return {"root": two, "targets": two, "snapshot": RolePlan(keys[:1]), "timestamp": RolePlan(keys[:1]), **changes}


@pytest.fixture
def channel(tmp_path, builder, approver):
    """A channel that needs two people, signed by one."""
    init(tmp_path / "ch", "gitlab-models", plans(builder, approver, threshold=2), [builder])
    return Channel.open(tmp_path / "ch")


def files_of(directory):
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_init_makes_the_documented_layout(channel):
    assert sorted(path.name for path in channel.tuf_dir.iterdir()) == [
        "1.root.json", "snapshot.json", "targets.json", "timestamp.json",
    ]  # fmt: skip
    assert channel.blobs_dir.is_dir()
    root, targets = channel.root().signed, channel.targets().signed
    assert root.consistent_snapshot is False
    assert root.unrecognized_fields["sealift"] == {"channel": "gitlab-models"}
    assert set(targets.unrecognized_fields["sealift"]) == {"released", "withdrawn"}
    listed = channel.snapshot().signed.meta["targets.json"]
    assert (listed.version, listed.length, listed.hashes) == (1, None, None)
    assert json.loads(channel.root_bytes())["signed"]["keys"]
    assert [path.name for path in channel.directory.parent.iterdir()] == ["ch"]


def test_default_lifetimes(channel):
    now = datetime.now(UTC)
    documents = (channel.root(), channel.targets(), channel.snapshot(), channel.timestamp())
    days = {one.signed.type: round((one.signed.expires - now) / timedelta(days=1)) for one in documents}
    assert days == DEFAULT_EXPIRES_DAYS == {"root": 1095, "targets": 365, "snapshot": 365, "timestamp": 180}


def test_status_names_who_signed_and_who_is_missing(channel):
    state = status(channel)
    assert not state.complete
    _, targets, snapshot, timestamp = state.roles
    assert (targets.signed_by, targets.waiting_for, targets.missing) == (("builder",), ("approver",), 1)
    assert targets.line().startswith("targets 1: 1 of 2 signatures ('builder'); waiting for 'approver'")
    assert snapshot.complete
    assert timestamp.complete
    assert state.root_fingerprint is None
    with pytest.raises(ChannelError, match=r"waiting for 'approver'.*run: sealift-keys sign"):
        require_complete(channel)


def test_the_second_signature_completes_and_removes_nothing(channel, approver):
    before = channel.targets().signatures
    made = sign(channel, [approver])
    assert [one.role for one in made] == ["root", "targets"]
    after = channel.targets().signatures
    assert set(after) - set(before) == {approver.public_key.keyid}
    assert all(after[keyid] == before[keyid] for keyid in before)
    assert require_complete(channel).root_fingerprint == fingerprint.of_bytes(channel.root_bytes())


def test_signing_again_changes_no_byte(channel, builder):
    before = files_of(channel.directory)
    assert sign(channel, [builder]) == []
    assert files_of(channel.directory) == before


def test_a_stranger_is_refused_and_nothing_changes(channel, approver):
    before = files_of(channel.directory)
    with pytest.raises(KeyFileError, match=r"'mallory'.*belongs to no role.*'approver', 'builder'"):
        sign(channel, [approver, signer("mallory")])
    assert files_of(channel.directory) == before


def test_a_forged_signature_does_not_count_and_its_owner_can_replace_it(channel, approver, builder):
    metadata = channel.targets()
    forged = Metadata(metadata.signed).sign(approver)
    forged.signature = metadata.signatures[builder.public_key.keyid].signature
    metadata.signatures[approver.public_key.keyid] = forged
    channel.write(metadata)
    assert status(channel).roles[1].waiting_for == ("approver",)
    sign(channel, [approver])
    assert status(channel).roles[1].complete


@pytest.mark.parametrize("threshold", [0, -1, 3])
def test_thresholds_that_cannot_be_met(tmp_path, builder, approver, threshold):
    with pytest.raises(UsageError, match=f"threshold {threshold} cannot be met with 2 keys; expected 1 to 2"):
        init(tmp_path / "ch", "c", plans(builder, approver, threshold=threshold), [builder])
    assert list(tmp_path.iterdir()) == []


def test_one_key_under_two_ids_does_not_count_twice(tmp_path, builder):
    key = builder.public_key
    twin = SSlibKey("0" * 64, key.keytype, key.scheme, dict(key.keyval), {KEY_NAME_FIELD: "twin"})
    doubled = {role: RolePlan([key, twin], 2) for role in ROLES}
    with pytest.raises(UsageError, match=r"'builder' and 'twin' are the same key"):
        init(tmp_path / "ch", "c", doubled, [builder])


def test_one_key_in_two_pem_layouts_does_not_count_twice(tmp_path, builder):
    key = builder.public_key
    keyval = {"public": key.keyval["public"].replace("\n", "\r\n")}
    twin = SSlibKey("1" * 64, key.keytype, key.scheme, keyval, {KEY_NAME_FIELD: "twin"})
    with pytest.raises(UsageError, match="are the same key"):
        init(tmp_path / "ch", "c", {role: RolePlan([key, twin], 2) for role in ROLES})


@pytest.mark.parametrize("days", [0, -5, 40_000])
def test_expiry_in_the_past_or_beyond_reason(tmp_path, builder, days):
    late = plans(builder, timestamp=RolePlan([builder.public_key], 1, days))
    with pytest.raises(UsageError, match=f"'timestamp': {days} days"):
        init(tmp_path / "ch", "c", late)


def test_a_role_without_keys_two_owners_of_one_name_and_a_bad_channel_name(tmp_path, builder):
    with pytest.raises(UsageError, match="'snapshot' has no key; give --snapshot-key"):
        init(tmp_path / "ch", "c", plans(builder, snapshot=RolePlan([])))
    with pytest.raises(UsageError, match="two different keys are named 'builder'"):
        init(tmp_path / "ch", "c", plans(builder, signer("builder")))
    with pytest.raises(UsageError, match=r"channel name '\.\./x'"):
        init(tmp_path / "ch", "../x", plans(builder))
    assert list(tmp_path.iterdir()) == []


def test_init_never_touches_what_is_there(tmp_path, builder):
    (tmp_path / "notes").write_text("precious")
    with pytest.raises(ChannelError, match="not an empty folder"):
        init(tmp_path, "c", plans(builder))
    with pytest.raises(ChannelError, match="not an empty folder"):
        init(tmp_path / "notes", "c", plans(builder))
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    (tmp_path / "empty").mkdir()
    init(tmp_path / "empty", "c", plans(builder), [builder])
    assert require_complete(Channel.open(tmp_path / "empty")).channel == "c"


def test_init_refused_by_a_strange_signer_leaves_nothing(tmp_path, builder):
    with pytest.raises(KeyFileError, match="belongs to no role"):
        init(tmp_path / "ch", "c", plans(builder), [signer("mallory")])
    assert list(tmp_path.iterdir()) == []


def test_a_new_release_bumps_three_files_and_starts_without_signatures(channel, builder, approver):
    sign(channel, [approver])
    root = channel.root_bytes()
    withdrawn = [Withdrawal(ModelVersion.parse("old", "0.1.0"), "wrong labels", "2026-11-23T12:00:00Z")]
    made = new_release(channel, listing(channel, {MODEL: REFERENCE}, "2026-11-23T12:00:00Z", withdrawn), [builder])
    assert [one.role for one in made] == ["targets", "snapshot", "timestamp"]
    assert [channel.targets().signed.version, channel.snapshot().signed.version] == [2, 2]
    assert channel.released() == {MODEL: REFERENCE}
    assert list(channel.release().withdrawn) == withdrawn
    assert set(channel.targets().signatures) == {builder.public_key.keyid}
    assert channel.root_bytes() == root
    assert status(channel).roles[1].waiting_for == ("approver",)
    # Versions only in snapshot: the approver signs later without touching anything else.
    snapshot = (channel.tuf_dir / "snapshot.json").read_bytes()
    sign(channel, [approver])
    assert (channel.tuf_dir / "snapshot.json").read_bytes() == snapshot
    require_complete(channel)


def test_lifetimes_agreed_at_init_hold_for_later_releases(tmp_path, builder):
    init(tmp_path / "ch", "c", plans(builder, timestamp=RolePlan([builder.public_key], 1, 7)), [builder])
    channel = Channel.open(tmp_path / "ch")
    now = datetime(2030, 1, 1, tzinfo=UTC)
    new_release(channel, listing(channel, {}, "2027-01-01T00:00:00Z"), [builder], now=now)
    assert channel.timestamp().signed.expires == now + timedelta(days=7)


def test_an_interrupted_release_shows_and_the_next_one_repairs_it(tmp_path, builder, monkeypatch):
    init(tmp_path / "ch", "c", plans(builder), [builder])
    channel = Channel.open(tmp_path / "ch")
    real = Channel.write
    monkeypatch.setattr(Channel, "write", lambda self, *documents: real(self, documents[0]))
    new_release(channel, listing(channel, {MODEL: REFERENCE}, "2027-01-01T00:00:00Z"), [builder])
    monkeypatch.undo()
    with pytest.raises(ChannelError, match="interrupted: snapshot lists targets 1, the file is 2"):
        require_complete(channel)
    new_release(channel, listing(channel, channel.released(), "2027-01-01T00:00:00Z"), [builder])
    assert require_complete(channel).released == 1
    assert channel.targets().signed.version == 3


def test_expired_roles_are_named_although_fully_signed(channel, approver):
    sign(channel, [approver])
    later = datetime.now(UTC) + timedelta(days=200)
    state = status(channel, later)
    assert [role.role for role in state.roles if role.expired] == ["timestamp"]
    assert not state.complete
    assert "--refresh" in state.next_command()
    assert status(channel, later - timedelta(days=30)).expiring == ("timestamp",)


def test_a_root_of_version_2_answers_to_the_keys_of_version_1(tmp_path, builder, approver):
    init(tmp_path / "ch", "c", plans(builder), [builder])
    channel = Channel.open(tmp_path / "ch")
    following = channel.root()
    following.signed.version = 2
    following.signatures.clear()
    following.signed.add_key(approver.public_key, "root")
    following.signed.revoke_key(builder.public_key.keyid, "root")
    channel.write(following)
    assert set(status(channel).roles[0].waiting_for) == {"approver", "builder"}
    sign(channel, [approver])
    assert status(channel).roles[0].waiting_for == ("builder",)
    sign(channel, [builder])
    assert require_complete(channel).roles[0].version == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tuf: (tuf / "targets.json").write_text("{"), "targets.json.*not TUF metadata"),
        (lambda tuf: (tuf / "targets.json").unlink(), "targets.json.*missing"),
        (lambda tuf: (tuf / "snapshot.json").replace(tuf / "targets.json"), "expected targets, got snapshot"),
        (lambda tuf: (tuf / "1.root.json").replace(tuf / "2.root.json"), "lost tuf/1.root.json"),
        (lambda tuf: (tuf / "1.root.json").unlink(), "is not a channel"),
    ],
)
def test_damaged_channels_are_one_clear_error(channel, damage, message):
    damage(channel.tuf_dir)
    with pytest.raises(ChannelError, match=message):
        status(Channel.open(channel.directory))


def test_opening_what_is_no_channel(tmp_path):
    with pytest.raises(ChannelError, match="not a directory"):
        Channel.open(tmp_path / "absent")
    with pytest.raises(ChannelError, match="is not a channel"):
        Channel.open(tmp_path)


def test_two_processes_do_not_change_a_channel_at_once(channel, approver):
    with channel.locked():
        (lock,) = [path for path in channel.directory.iterdir() if path.name.startswith(".")]
        assert lock.stat().st_mode & 0o7777 == 0o600
        with pytest.raises(ChannelError, match=f"process {os.getpid()} is changing channel"):
            sign(channel, [approver])
    sign(channel, [approver])
    assert not list(channel.directory.glob(".*"))


def test_a_stranger_cannot_keep_a_channel_from_changing(channel, approver):
    """The directory can be opened by everybody, and so can a lock file out of a checkout of Git."""
    lock = channel.directory / ".lock"
    with holding(channel.directory):
        sign(channel, [approver])
        lock.touch(0o644)
        lock.chmod(0o644)
        with holding(lock), channel.locked():
            pass
    assert not list(channel.directory.glob(".*"))


def test_a_lock_that_another_user_left_is_told_apart(channel, approver, monkeypatch):
    lock = channel.directory / ".lock"
    lock.touch(0o600)
    os.chown(lock, 64321, 64321)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(lock))

    # The tests run as root, who can open everything.
    monkeypatch.setattr(lock_file, "hold", refuse)
    with pytest.raises(ChannelError, match=r"user 64321 is changing channel .*or remove '.*\.lock' if"):
        sign(channel, [approver])
    lock.unlink()
    with pytest.raises(PermissionError):
        sign(channel, [approver])


def test_staged_entries_are_checked(channel):
    channel.stage(MODEL, REFERENCE)
    assert channel.staged() == {MODEL: REFERENCE}
    for text in ("{", '{"digest": "md5:00", "size": 1}', '{"digest": "sha256:' + "0" * 64 + '", "size": "1"}', "[]"):
        (channel.staged_dir / "triage" / "1.0.0.json").write_text(text)
        with pytest.raises(ChannelError, match="damaged; delete it"):
            channel.staged()
    channel.unstage(MODEL)
    assert list(channel.staged_dir.iterdir()) == []


def test_fingerprints_are_written_in_groups_of_four():
    assert fingerprint.grouped("ab12cd34" * 8) == " ".join(["ab12", "cd34"] * 8)


def test_source_date_epoch():
    assert rfc3339(release_time({"SOURCE_DATE_EPOCH": "0"})) == "1970-01-01T00:00:00Z"
    assert release_time({}).microsecond == 0
    for wrong in ("", "yesterday", "-1", "1.5", "9" * 20, "²"):
        with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
            release_time({"SOURCE_DATE_EPOCH": wrong})


def test_the_public_half_imports_no_private_key_code():
    program = (
        "import sys, sealift_keys.channel.directory, sealift_keys.channel.status, sealift_common.fingerprint, sealift_common.names, "
        "sealift_common.console\n"
        "bad = {f'sealift_keys.{name}' for name in "
        "('keyfile', 'signers', 'signing', 'ceremony', 'passphrase', 'algorithms', 'plan')}\n"
        "sys.exit(' '.join(bad & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_complete_root_takes_no_further_signature(tmp_path):
    """Its file's fingerprint is published; one more signature would change it."""
    from support.release.channel_simulator import ChannelSimulator

    from sealift_keys.ceremony.beginning import sign

    channel = ChannelSimulator(tmp_path / "channel", thresholds={"root": 1}, keys_per_role={"root": 2})
    metadata = channel.channel.root(1)
    del metadata.signatures[channel.keys["root"][1].public_key.keyid]
    file = channel.channel.tuf_dir / "1.root.json"
    file.write_bytes(metadata.to_bytes())
    before = file.read_bytes()
    assert sign(channel.channel, [channel.keys["root"][1]]) == []
    assert file.read_bytes() == before


def test_a_channel_is_for_its_owner_to_write_whatever_the_umask(tmp_path, builder):
    before = os.umask(0)
    try:
        init(tmp_path / "ch", "c", plans(builder), [builder])
    finally:
        os.umask(before)
    folders = [tmp_path / "ch", *(path for path in (tmp_path / "ch").rglob("*") if path.is_dir())]
    assert {oct(path.stat().st_mode & 0o777) for path in folders} == {"0o755"}


@pytest.mark.parametrize("folder", [".", "tuf", "staged", "blobs/sha256"])
def test_nobody_signs_what_everyone_can_write(folder, tmp_path, builder):
    init(tmp_path / "ch", "c", plans(builder), [])
    channel = Channel.open(tmp_path / "ch")
    (tmp_path / "ch" / folder).chmod(0o777)
    before = (channel.tuf_dir / "targets.json").read_bytes()
    with pytest.raises(ChannelError, match=r"everyone can write .*and so choose what is signed; .*chmod go-w"):
        sign(channel, [builder])
    assert (channel.tuf_dir / "targets.json").read_bytes() == before
