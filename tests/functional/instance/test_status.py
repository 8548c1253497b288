"""`sealift status`: age told honestly, thresholds as exit statuses, and metrics that a real parser reads."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sealift.drop_folder.files import FolderState
from sealift.errors import BehindError, CorruptError, StaleError
from sealift.status.metrics import Metric, render
from sealift.status.status import Thresholds, status
from sealift.store.upkeep.rollback import rollback

pytestmark = pytest.mark.usefixtures("no_replay")

DAY = timedelta(days=1)


@pytest.fixture
def sealift_status(sealift_command, monkeypatch):
    """Run `sealift status ARGS` in this process; returns (status, stdout, stderr)."""
    for name in ("SEALIFT_WARN_AFTER", "SEALIFT_FAIL_AFTER"):
        monkeypatch.delenv(name, raising=False)
    return partial(sealift_command, "status")


@pytest.fixture
def aged(channel, instance, tmp_path, monkeypatch):
    """An instance with one model, of a release made that many days ago."""

    def make(days):
        released = datetime.now(UTC) - days * DAY - timedelta(hours=1)
        channel.began_at(released)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(released.timestamp())))
        channel.add("alpha", "1.0.0")
        channel.release()
        monkeypatch.delenv("SOURCE_DATE_EPOCH")
        instance.pin(channel.root_bytes)
        instance.install(channel.pack(tmp_path))
        return instance

    return make


def add(channel, instance, tmp_path, name="alpha", version="1.1.0"):
    channel.add(name, version)
    channel.release()
    return instance.install(channel.pack(tmp_path))


def families(text):
    """Parse metrics: family name to the list of (labels, value)."""
    parsed = list(text_string_to_metric_families(text))
    assert len({family.name for family in parsed}) == len(parsed)
    for family in parsed:
        assert family.name.startswith("sealift_")
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
    return {
        family.name.removeprefix("sealift_"): [(sample.labels, sample.value) for sample in family.samples]
        for family in parsed
    }


# --- age --------------------------------------------------------------------------------------------


def test_age_is_told_and_never_called_up_to_date(aged, sealift_status):
    aged(114)
    released = datetime.now(UTC) - 114 * DAY - timedelta(hours=1)
    code, out, err = sealift_status()
    assert (code, err) == (0, "")
    assert f"newest      bundle 2, released {released:%Y-%m-%d}, 114 days ago\n" in out
    assert "up to date" not in out
    assert "warning" not in out


def test_beyond_the_first_threshold_is_a_warning(aged, sealift_status):
    aged(114)
    assert "warning" not in sealift_status("--warn-after", 114)[1]
    code, out, err = sealift_status("--warn-after", 113)
    assert (code, err) == (0, "")
    assert "warning: the newest bundle installed is 114 days old, more than 113; fetch a newer one\n" in out


def test_beyond_the_second_threshold_the_exit_status_says_so_and_models_are_served(aged, sealift_status):
    instance = aged(114)
    assert sealift_status("--fail-after", 114)[0] == 0
    code, out, err = sealift_status("--warn-after", 30, "--fail-after", 90)
    assert code == StaleError.exit_code == 38
    assert "models      alpha 1.0.0\n" in out
    assert "warning: " in out
    assert "error: the newest bundle installed, 2, was released 114 days ago; expected at most 90 days" in out
    assert err.endswith("[stale]\n")
    assert len(err.splitlines()) == 1
    assert instance.store.load("alpha").version == "1.0.0"


def test_thresholds_come_from_the_environment_as_well(aged, sealift_status, monkeypatch):
    aged(20)
    monkeypatch.setenv("SEALIFT_WARN_AFTER", "10")
    monkeypatch.setenv("SEALIFT_FAIL_AFTER", "15")
    code, out, _ = sealift_status()
    assert code == 38
    assert "warning: " in out
    assert sealift_status("--fail-after", 30)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--warn-after", 9, "--fail-after", 8],
        ["--expect", 0],
        ["--fail-after", -1],
        ["--metrics", "-", "--json"],
        ["--drop-folder", "."],
    ],
)
def test_a_wrong_call_is_one_line(arguments, sealift_status):
    code, out, err = sealift_status(*arguments)
    assert code == 2
    assert json.loads(out)["error"]["code"] == "usage" if "--json" in arguments else out == ""
    assert len(err.splitlines()) == 1


def test_a_clock_that_was_set_back_makes_nothing_younger(aged):
    instance = aged(100)
    then = datetime.now(UTC) - 90 * DAY
    found = status(instance.store, now=then)
    assert found.age_days == 100
    (line,) = found.warnings(Thresholds())
    assert line.startswith(f"the clock says {then:%Y-%m-%d}")
    assert status(instance.store).warnings(Thresholds()) == []


# --- left behind ------------------------------------------------------------------------------------


def test_a_node_that_was_left_behind(aged, sealift_status):
    aged(0)
    code, out, err = sealift_status("--expect", 7)
    assert code == BehindError.exit_code == 39
    assert err.startswith("sealift: this node was left behind: expected bundle 7, got 2; run `sealift install` here")
    assert "newest      bundle 2" in out
    code, out, _ = sealift_status("--expect", 2)
    assert code == 0
    assert "bundle 2 is as expected" in out
    code, out, _ = sealift_status("--expect", 1)
    assert code == 0
    assert "bundle 2 is newer than the expected 1" in out


def test_all_problems_are_printed_and_the_most_serious_decides(aged, sealift_status):
    instance = aged(100)
    code, out, _ = sealift_status("--expect", 9, "--fail-after", 10)
    assert code == 39
    assert [line.rpartition(" ")[2] for line in out.splitlines() if line.startswith("error: ")] == [
        "[behind]",
        "[stale]",
    ]
    damage(instance, "snapshot.json")
    code, out, err = sealift_status("--expect", 9, "--fail-after", 10, "--json")
    assert code == CorruptError.exit_code
    assert err.endswith("[corrupt]\n")
    document = json.loads(out)
    assert [problem["exit_code"] for problem in document["problems"]] == [33, 39, 38]
    assert document["models"] == {"alpha": "1.0.0"}


def damage(instance, name):
    path = instance.store.trust_state().current / name
    path.write_bytes(path.read_bytes()[:-20])


def test_what_the_next_install_would_stumble_over_is_told_now(aged, sealift_status, channel, tmp_path):
    instance = aged(0)
    damage(instance, "timestamp.json")
    code, out, _ = sealift_status()
    assert code == 33
    assert "error: the trust state's timestamp is missing or damaged" in out
    assert instance.store.load("alpha").version == "1.0.0"
    with pytest.raises(CorruptError):
        add(channel, instance, tmp_path)


# --- what else differs ------------------------------------------------------------------------------


def test_a_rollback_is_said_with_who_and_when(aged, channel, tmp_path, sealift_status):
    instance = aged(0)
    add(channel, instance, tmp_path)
    assert "differs" not in sealift_status()[1]
    rollback(instance.store, None, 1, datetime.now(UTC))
    code, out, _ = sealift_status()
    assert code == 0
    assert "differs     alpha: 1.0.0 is active, release 3 has 1.1.0\n" in out
    assert f"rolled back {datetime.now(UTC):%Y-%m-%d}" in out
    document = json.loads(sealift_status("--json")[1])
    assert document["differing"] == {"alpha": {"active": "1.0.0", "newest": "1.1.0"}}
    assert document["last_rollback"]["generation"] == 1
    assert document["last_install"]["generation"] == 2


def test_an_active_version_that_is_withdrawn_is_said(aged, channel, tmp_path, sealift_status):
    instance = aged(0)
    add(channel, instance, tmp_path)
    channel.withdraw(next(model for model in instance.store.release().models if str(model) == "alpha 1.1.0"), "biased")
    instance.install(channel.pack(tmp_path))
    # A crash between the switch of trust and that of the models leaves this.
    current = instance.store_path / "current"
    current.unlink()
    current.symlink_to("generations/2")
    code, out, _ = sealift_status()
    assert code == 0
    assert "warning: alpha 1.1.0 is active but withdrawn ('biased'); it is no longer loaded" in out
    assert json.loads(sealift_status("--json")[1])["active_but_withdrawn"] == ["alpha 1.1.0"]
    found = families(sealift_status("--metrics", "-")[1])
    assert found["withdrawn_active_models"] == [({}, 1)]
    assert found["model_info"] == [({"name": "alpha", "version": "1.1.0", "digest": ""}, 1)]


def test_days_until_metadata_expires(aged, sealift_status):
    instance = aged(0)
    _, out, _ = sealift_status()
    (line,) = (line for line in out.splitlines() if line.startswith("expires"))
    assert line.split()[1] == "timestamp"
    document = json.loads(sealift_status("--json")[1])
    assert {role: found["days_left"] for role, found in document["expires"].items()} == {
        "timestamp": 179,
        "snapshot": 364,
        "targets": 364,
        "root": 1094,
    }
    late = status(instance.store, now=datetime.now(UTC) + 200 * DAY)
    (line,) = late.warnings(Thresholds())
    assert line.startswith("timestamp metadata expired on ")
    assert instance.store.load("alpha").version == "1.0.0"


# --- metrics ----------------------------------------------------------------------------------------


def test_the_metrics_of_an_instance(aged, sealift_status, tmp_path):
    instance = aged(3)
    file = tmp_path / "sealift.prom"
    umask = os.umask(0o077)
    try:
        assert sealift_status("--metrics", file) == (0, "", "")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if ".prom" in path.name] == ["sealift.prom"]
    found = families(file.read_text())
    release = instance.store.release()
    assert found["up"] == [({}, 1)]
    assert found["bundle_number"] == [({"channel": "sim"}, 2)]
    assert found["bundle_release_timestamp_seconds"] == [({}, release.released.timestamp())]
    ((_, age),) = found["bundle_age_seconds"]
    assert abs(age - (3 * 86400 + 3600)) < 600
    assert found["generation"] == [({}, 1)]
    assert found["generation_bundle_number"] == [({}, 2)]
    (digest,) = (blob.digest for blob in release.models.values())
    assert found["model_info"] == [({"name": "alpha", "version": "1.0.0", "digest": digest}, 1)]
    assert {labels["role"] for labels, _ in found["metadata_expiry_timestamp_seconds"]} == {
        "root",
        "targets",
        "snapshot",
        "timestamp",
    }
    assert [labels for labels, _ in found["last_change_timestamp_seconds"]] == [{"action": "install"}]
    ((_, size),) = found["store_size_bytes"]
    assert size == sum(
        path.lstat().st_size
        for path in instance.store_path.rglob("*")
        if path.is_file() and not path.is_symlink() and "current" not in path.parts
    )
    assert found["store_free_bytes"][0][1] > 0
    assert found["clock_behind_seconds"] == [({}, 0)]
    assert not [name for name in found if name.startswith("watch")]


def test_a_damaged_store_is_written_down_as_well(aged, sealift_status, tmp_path):
    instance = aged(0)
    file = tmp_path / "sealift.prom"
    damage(instance, "targets.json")
    code, out, err = sealift_status("--metrics", file)
    assert (code, out) == (33, "")
    assert err.endswith("[corrupt]\n")
    assert families(file.read_text())["up"] == [({"code": "corrupt", "exit_code": "33"}, 0)]


def test_damage_that_stops_only_the_next_install_is_down_with_all_numbers(aged, sealift_status):
    damage(aged(0), "snapshot.json")
    code, out, _ = sealift_status("--metrics", "-")
    found = families(out)
    assert code == 33
    assert found["up"] == [({"code": "corrupt", "exit_code": "33"}, 0)]
    assert found["bundle_number"] == [({"channel": "sim"}, 2)]


@pytest.mark.parametrize("pinned", [False, True])
def test_an_empty_instance_is_written_down_as_well(pinned, channel, instance, sealift_status):
    if pinned:
        instance.pin(channel.root_bytes)
    code, out, _ = sealift_status("--metrics", "-")
    assert code == (31 if pinned else 30)
    assert families(out)["up"][0][0]["code"] == ("not-installed" if pinned else "no-trust")


def test_thresholds_decide_the_status_of_metrics_too(aged, sealift_status):
    aged(50)
    code, out, _ = sealift_status("--metrics", "-", "--fail-after", 30)
    assert code == 38
    assert families(out)["up"] == [({}, 1)]


def test_the_drop_folder_is_counted(aged, sealift_status, tmp_path):
    aged(0)
    folder = tmp_path / "drop"
    (folder / "refused").mkdir(parents=True)
    (folder / "done").mkdir()
    (folder / "done" / "sim-1.tar").touch()
    (folder / "sim-9.tar").touch()
    for number, day in ((1, "03"), (2, "04")):
        (folder / "refused" / f"{number}.tar").touch()
        reason = {"time": f"2026-02-{day}T00:00:00Z", "code": f"code-{number}", "exit_code": 20 + number}
        (folder / "refused" / f"{number}.tar.reason.json").write_text(json.dumps(reason))
    found = families(sealift_status("--metrics", "-", "--drop-folder", folder)[1])
    assert (found["watch_up"], found["watch_waiting_files"]) == ([({}, 1)], [({}, 1)])
    assert (found["watch_installed_files"], found["watch_refused_files"]) == ([({}, 1)], [({}, 2)])
    assert found["watch_last_refusal_timestamp_seconds"] == [
        ({"code": "code-2", "exit_code": "22"}, datetime(2026, 2, 4, tzinfo=UTC).timestamp())
    ]
    assert found["watch_oldest_waiting_timestamp_seconds"][0][1] > 0
    gone = families(sealift_status("--metrics", "-", "--drop-folder", tmp_path / "gone")[1])
    assert gone["watch_up"] == [({}, 0)]
    assert gone["up"] == [({}, 1)]


def test_labels_are_escaped():
    value = 'a "quoted" \\ back\nslash'
    text = Metric("x", "Says \\ and\nmore.", (({"name": value}, 1.5),)).text()
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"name": value}
    assert family.samples[0].value == 1.5
    assert family.documentation == "Says \\ and\nmore."


def test_every_metric_follows_the_naming_conventions(aged):
    instance = aged(1)
    folder = FolderState(readable=True, waiting=0, oldest=None, done=0, refused=0, last_refusal=None)
    found = families(render(status(instance.store), CorruptError("x"), folder))
    assert len(found) > 20
    for name in found:
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_days", "_minutes"))
        if "timestamp" in name or "age" in name:
            assert name.endswith("_seconds")


def test_metrics_into_a_folder_that_does_not_exist_are_one_line(aged, sealift_status, tmp_path):
    aged(0)
    code, _, err = sealift_status("--metrics", tmp_path / "none" / "sealift.prom")
    assert code == 2
    assert len(err.splitlines()) == 1
