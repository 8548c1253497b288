"""What a new admin met who had only the documentation: nothing is left behind by a try, and each refusal says why."""

import errno
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.machine.mounts import tmpfs
from support.release.channel_simulator import ChannelSimulator

from sealift.errors import MalformedError
from sealift.install.steps import Observer, install
from sealift.store import Store
from sealift_bundler.kit.pages.readme import readme
from sealift_common.fingerprint import grouped, of_bytes
from sealift_common.parsing import strict_json

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def twice(channel, instance, tmp_path):
    """Two releases of the same version: the second brings fresh signatures alone."""
    channel.add("toy", "1.0.0")
    for number in (1, 2):
        channel.release()
        bundle = channel.pack(tmp_path / f"{number}.tar")
        if number == 1:
            instance.pin(channel.root_bytes)
        instance.install(bundle)
    return instance


def test_a_dry_run_makes_no_store(channel, instance, sealift_command, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path / "c.tar")
    instance.pin(channel.root_bytes)
    place = instance.store_path / "deeper"
    status, out, err = sealift_command("install", "--dry-run", "--store", place, bundle)
    assert status == 0, err
    assert "nothing was changed" in out
    assert not instance.store_path.exists()
    # Nor does it take a store away that is there.
    instance.install(bundle)
    assert sealift_command("install", "--dry-run", bundle)[0] == 0
    assert sealift_command("check")[0] == 0


def test_a_rollback_where_nothing_differs_says_so(twice, sealift_command):
    status, _, err = sealift_command("rollback")
    assert status == 31
    assert "each earlier generation has the same versions as generation 2" in err
    assert "`sealift rollback --to 1` activates one all the same" in err
    status, _, err = sealift_command("rollback", "toy")
    assert (status, "no earlier generation has another version of 'toy'" in err) == (31, True)


def test_a_rollback_to_what_is_active_changes_nothing(twice, sealift_command):
    before = twice.snapshot()
    status, _, err = sealift_command("rollback", "--to", "2")
    assert (status, "generation 2 is active already; nothing was changed" in err) == (2, True)
    assert twice.snapshot() == before


def test_a_root_that_was_cut_short_is_called_so(channel, sealift_command, tmp_path):
    path = tmp_path / "1.root.json"
    path.write_bytes(channel.root_bytes[:1000])
    status, _, err = sealift_command("trust", "init", path)
    assert (status, err.count("\n")) == (10, 1)
    assert "this root is damaged or cut short: " in err
    assert "copy it again" in err


def test_a_mistyped_bundle_is_told_where_nothing_is_to_be_repaired(twice, sealift_command, tmp_path):
    status, _, err = sealift_command("check", "--repair", tmp_path / "nothing.tar")
    assert (status, "nothing.tar" in err) == (3, True)


def test_another_root_is_refused_with_both_fingerprints(channel, instance, sealift_command, tmp_path):
    other = ChannelSimulator(tmp_path / "other")
    for one in (channel, other):
        one.add("toy", "1.0.0")
        one.release()
    instance.pin(channel.root_bytes)
    pinned, given = (grouped(of_bytes(one.root_bytes)) for one in (channel, other))
    (tmp_path / "1.root.json").write_bytes(other.root_bytes)
    status, _, err = sealift_command("trust", "init", tmp_path / "1.root.json")
    assert (status, f"this root is {given}, pinned is {pinned}; " in err) == (35, True), err
    status, _, err = sealift_command("install", other.pack(tmp_path / "other.tar"))
    assert (status, f"the bundle's root is {given}, pinned is {pinned}; " in err) == (20, True), err


def _damaged(channel, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    return channel.pack(tmp_path / "sim-1.tar")


def _refused(command, bundle, status):
    got, _, err = command("install", bundle)
    assert (got, err.count("\n")) == (status, 1), err
    assert err.startswith(f"sealift: {str(bundle)!r}: "), err
    assert err.count("copy it again, and compare its SHA-256 [") == 1, err
    assert len(re.findall("cop(?:y|ied)", err)) == 1, err


def test_a_damaged_bundle_is_named_with_what_to_do(channel, instance, sealift_command, tmp_path):
    bundle = _damaged(channel, tmp_path)
    instance.pin(channel.root_bytes)
    good = bundle.read_bytes()
    for begin in (good[:-1024], good[:-700], good[:5000], good[: len(good) // 2]):
        bundle.write_bytes(begin)
        _refused(sealift_command, bundle, 10)
    flipped = bytearray(good)
    flipped[-1100] ^= 1
    flipped[-2000] ^= 1
    bundle.write_bytes(flipped)
    got, _, err = sealift_command("verify", bundle)
    assert got in (10, 26)
    assert str(bundle) in err
    assert "copy it again, and compare its SHA-256 [" in err
    bundle.write_bytes(good + b"x")
    _refused(sealift_command, bundle, 10)


def test_another_file_in_the_place_of_a_bundle_is_not_to_be_copied_again(instance, channel, sealift_command, tmp_path):
    instance.pin(channel.root_bytes)
    path = tmp_path / "rows.csv"
    for text in ("hours,label\n1.5,yes\n", "hours,label\n" + "1.5,yes\n" * 500):
        path.write_text(text)
        status, _, err = sealift_command("install", path)
        assert status == 10
        assert err.startswith(f"sealift: {str(path)!r}: this is not a Sealift bundle: it is a text file")
        assert "again" not in err


def test_the_doctor_counts_days_as_status_does_and_says_what_it_leaves_to_check(twice, monkeypatch, sealift_command):
    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=900)

    monkeypatch.setattr("sealift.cli.state.doctor.datetime", Back)
    _, out, _ = sealift_command("doctor")
    assert "of channel sim, of" in out
    assert ", 0 days ago" in out
    assert "unknown  files: not compared with their digests here; run `sealift check`" in out
    names = [line[9:].split(":")[0] for line in out.splitlines()[:-1]]
    assert names.count("locale") == 1


def test_the_doctor_says_what_is_not_there_yet(instance, sealift_command):
    _, out, _ = sealift_command("doctor")
    assert "locales of models: there is no installed model, or it cannot be read" in out
    assert "files: " not in out


def test_a_full_disk_is_said_with_the_file_that_found_no_room(twice, channel, sealift_command, tmp_path):
    (tmp_path / "1.root.json").write_bytes(channel.root_bytes)
    (tmp_path / "full").mkdir()
    with tmpfs(tmp_path / "full", "size=16k") as full:
        (full / "filling").write_bytes(bytes(16 * 1024))
        page, trust = full / "a.html", full / "etc" / "trust"
        for words in (
            ("list", "--html", page),
            ("doctor", "--report", page),
            ("status", "--metrics", page),
        ):
            status, out, err = sealift_command(*words)
            assert (status, f"cannot use {str(page)!r}: No space left on device; free some space" in err) == (3, True)
            assert (words[0] == "doctor") == ("verdict: " in out)
        status, _, err = sealift_command("trust", "init", "--trust", trust, tmp_path / "1.root.json")
        assert (status, f"cannot use {str(trust / 'root.json')!r}: No space left" in err) == (3, True), err
        assert [one.name for one in full.iterdir()] == ["filling"]


def test_a_folder_without_rights_is_named_in_place_of_a_scratch_file(twice, sealift_command, monkeypatch, tmp_path):
    real = os.open

    def closed(path, flags, *rest, **more):
        if str(path).endswith(".part"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", closed)
    status, _, err = sealift_command("list", "--html", tmp_path / "a.html")
    assert status == 3
    assert f"cannot use {str(tmp_path / 'a.html')!r}: Permission denied in its folder {str(tmp_path)!r}; check" in err


def test_the_chain_and_the_verdict_name_the_same_expired_metadata(channel, tmp_path, instance, sealift_command):
    channel.add("toy", "1.0.0")
    channel.release()
    channel.expire("snapshot")
    channel.expire("timestamp")
    bundle = channel.pack_anything(tmp_path / "old.tar")
    instance.pin(channel.root_bytes)
    for _ in range(2):
        status, out, err = sealift_command("verify", "--explain", bundle)
        assert status == 24
        broken = out[: out.index("BROKEN")].splitlines()[-2].split()[0]
        assert f"sealift: {broken} expired on" in err, (out, err)
        assert sealift_command("install", "--accept-expired", "a test", bundle)[0] == 0


def test_a_history_of_nothing_is_refused_as_a_list_is(instance, sealift_command, tmp_path):
    for words in ((), ("--json",)):
        listed = sealift_command("list", "--store", tmp_path / "nowhere", *words)
        told = sealift_command("history", "--store", tmp_path / "nowhere", *words)
        assert listed[0] == told[0] == 31
        assert str(tmp_path / "nowhere") in told[2]


def test_status_warns_of_a_store_that_others_may_write(twice, sealift_command):
    assert "writable" not in sealift_command("status")[1]
    twice.store_path.chmod(0o777)
    status, out, _ = sealift_command("status")
    assert status == 0
    assert f"warning: {str(twice.store_path)!r} is writable by group or others; run `chmod go-w " in out
    twice.store_path.chmod(0o755)


@pytest.mark.parametrize(("typed", "near"), [("--version", None), ("--jsno", "--json"), ("--resaon", "--reason")])
def test_an_unknown_option_is_answered_by_a_near_one_or_by_none(sealift_command, typed, near):
    status, _, err = sealift_command("rollback", "toy", typed, "1.3.0")
    assert status == 2
    assert ("Did you mean" in err) == (near is not None), err
    assert near is None or near in err


def test_the_steps_of_an_install_are_told_to_the_last(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    told = []
    store = Store(instance.store_path, trust=instance.trust_path)
    install(str(channel.pack(tmp_path)), store, observer=Observer(step=lambda number, _: told.append(number)))
    assert sorted(set(told)) == list(range(1, 10))


def test_a_request_that_is_no_json_is_not_quoted_as_if_it_were_a_file():
    with pytest.raises(MalformedError, match=r"^the request is not JSON: "):
        strict_json.parse(b"{", "the request", max_size_bytes=10)
    with pytest.raises(MalformedError, match=r"^'model\.json' is not JSON: "):
        strict_json.parse(b"{", "model.json", max_size_bytes=10)


@pytest.mark.parametrize("names", [("numpy",), ("numpy", "uvicorn")])
def test_a_kit_says_that_it_lacks_the_model_server(names):
    wheels = [SimpleNamespace(name=name, version="1.0", path=Path(f"{name}-1.0.whl")) for name in names]
    words = {"version": "1.0", "platform": "linux", "pythons": ["3.11"], "glibc": "2.28", "folder": "kit"}
    page = readme(**words, channel=None, wheels=wheels)
    assert ("made without `--extra serve`" in page) == ("uvicorn" not in names)


def test_a_damaged_backup_is_named_with_what_to_do(twice, sealift_command, tmp_path):
    backup = tmp_path / "store.backup"
    assert sealift_command("export", backup)[0] == 0
    whole = backup.read_bytes()
    for begin in (whole[:-1024], whole[: len(whole) // 2], b"hours,label\n1.5,yes\n"):
        backup.write_bytes(begin)
        status, _, err = sealift_command("restore", "--store", tmp_path / "new", backup)
        assert (status, err.startswith(f"sealift: {str(backup)!r}: ")) == (10, True), err
        assert ("copy it again, and compare its SHA-256 [" in err) == (begin[:5] != b"hours"), err
