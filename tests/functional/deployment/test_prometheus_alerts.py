"""The alert rules under deploy/ are tried on what a node really writes, with Prometheus's own tool."""

import re
import subprocess

import pytest
import yaml
from support.deployed import DEPLOY, ROOT, run_unit

pytestmark = pytest.mark.slow


def promtool_test(promtool, tmp_path, tests):
    document = {"rule_files": [str(DEPLOY / "prometheus-alerts.yml")], "evaluation_interval": "1h", "tests": tests}
    file = tmp_path / "rules.test.yml"
    file.write_text(yaml.safe_dump(document))
    return subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)


def silent(series, names, time):
    """A test of promtool that passes where none of these alerts fires at that time."""
    return {
        "interval": "1h",
        "input_series": series,
        "alert_rule_test": [{"eval_time": time, "alertname": name, "exp_alerts": []} for name in names],
    }


def alert_names():
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"][0]["rules"]
    return [rule["alert"] for rule in rules]


def written_series(channel, instance, tmp_path):
    """What a node with a healthy store really writes, as input of promtool; the clock of promtool starts at 0."""
    from prometheus_client.parser import text_string_to_metric_families

    channel.add("alpha", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path))
    folder = tmp_path / "drop"
    folder.mkdir()
    unit = DEPLOY / "systemd" / "sealift-metrics.service"
    assert run_unit(unit, instance, folder).returncode == 0
    found = {}
    for family in text_string_to_metric_families((tmp_path / "sealift.prom").read_text()):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in [*sample.labels.items(), ("instance", "a")])
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_no_alert_fires_for_a_healthy_node_and_each_fires_for_its_reason(channel, instance, tmp_path, require_tool):
    promtool = require_tool("promtool")
    check = subprocess.run(
        [promtool, "check", "rules", str(DEPLOY / "prometheus-alerts.yml")], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr
    healthy = written_series(channel, instance, tmp_path)
    long = "x336"  # two weeks of hours
    # The clock of promtool starts at 1970.
    shifted = {
        name: 40 * 86400 if "expiry" in name else 0 if "_timestamp_" in name else value
        for name, value in healthy.items()
    }
    series = [{"series": name, "values": f"{value:.0f}+0{long}"} for name, value in shifted.items()]
    written = 'node_textfile_mtime_seconds{file="/x/sealift.prom",instance="a"}'
    series.append({"series": written, "values": f"0+3600{long}"})
    done = promtool_test(promtool, tmp_path, [silent(series, alert_names(), "8d")])
    assert done.returncode == 0, done.stdout + done.stderr

    def one(series, value):
        return {"series": series, "values": f"{value}+0{long}"}

    digest = 'sealift_watch_last_refusal_timestamp_seconds{code="digest",exit_code="26",instance="a"}'
    torn = 'sealift_watch_last_refusal_timestamp_seconds{code="malformed",exit_code="10",instance="a"}'
    cases = {
        "SealiftStoreUnusable": (one('sealift_up{instance="a",code="corrupt",exit_code="33"}', 0), 'code="corrupt"'),
        "SealiftMetricsNotWritten": (one(written, 0), 'instance="a"'),
        "SealiftBundleOld": (
            one('sealift_bundle_release_timestamp_seconds{instance="a"}', -100 * 86400),
            'instance="a"',
        ),
        "SealiftNodeLeftBehind": (one('sealift_bundle_number{channel="sim",instance="b"}', 1), 'instance="b"'),
        "SealiftModelsDiffer": (one('sealift_differing_models{instance="a"}', 1), 'severity="info"'),
        "SealiftWithdrawnModelActive": (one('sealift_withdrawn_active_models{instance="a"}', 2), 'severity="critical"'),
        "SealiftMetadataExpires": (
            one('sealift_metadata_expiry_timestamp_seconds{role="targets",instance="a"}', 20 * 86400),
            'role="targets"',
        ),
        "SealiftClockBehind": (one('sealift_clock_behind_seconds{instance="a"}', 400), 'instance="a"'),
        "SealiftBundleRefusedByTrust": (one(digest, int(8.5 * 86400)), 'code="digest"'),
        "SealiftBundleRefused": (one(torn, int(8.5 * 86400)), 'code="malformed"'),
        "SealiftDropFolderUnreadable": (one('sealift_watch_up{instance="a"}', 0), 'instance="a"'),
        "SealiftBundleWaits": (
            one('sealift_watch_oldest_waiting_timestamp_seconds{instance="a"}', 8 * 86400),
            'instance="a"',
        ),
        "SealiftStoreFull": (one('sealift_store_free_bytes{instance="a"}', 1000), 'instance="a"'),
    }
    assert list(cases) == alert_names()
    # Each test says that its alert does not fire, and so has to fail for exactly that alert.
    tests = []
    for name, (bad, _) in cases.items():
        kept = [entry for entry in series if entry["series"] != bad["series"]]
        if name == "SealiftStoreUnusable":
            kept = [entry for entry in kept if not entry["series"].startswith("sealift_up")]
        tests.append(silent([*kept, bad], [name], "9d"))
    done = promtool_test(promtool, tmp_path, tests)
    said = (done.stdout + done.stderr).split("alertname:")[1:]
    assert done.returncode == 1
    assert [text.split(",")[0].strip() for text in said] == list(cases)
    for text, (_, label) in zip(said, cases.values(), strict=True):
        assert label in text


def test_every_metric_of_the_alerts_is_one_that_is_written():
    source = (ROOT / "loader" / "sealift" / "status" / "metrics.py").read_text()
    named = set(re.findall(r"\bsealift_([a-z_]+)", (DEPLOY / "prometheus-alerts.yml").read_text()))
    assert len(named) > 10
    assert {name for name in named if f'"{name}"' not in source} == set()
