"""The alert rules of the model server: each fires for its reason, and none for a server that is well."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from support.servers.model_server import serving

from sealift.testing import ToyModel, toy_store

RULES = Path(__file__).parents[3] / "deploy" / "prometheus-serve-alerts.yml"
# Alert to a series that makes it fire; "+1x60" counts up every minute.
REASONS = {
    "SealiftServeDown": ('up{job="sealift-serve",instance="a"}', "0x60"),
    "SealiftServeStoreUnreadable": ('sealift_serve_store_up{instance="a"}', "0x60"),
    "SealiftServeModelDown": ('sealift_serve_model_up{model="toy",wanted="",code="corrupt",instance="a"}', "0x60"),
    "SealiftServeModelStuck": ('sealift_serve_model_stuck{model="toy",wanted="",instance="a"}', "1x60"),
    "SealiftServeRefusesForLoad": (
        'sealift_serve_requests_total{model="toy",status="503",code="busy",instance="a"}',
        "0+60x60",
    ),
    "SealiftServeFails": (
        'sealift_serve_requests_total{model="toy",status="500",code="internal",instance="a"}',
        "0+1x60",
    ),
    "SealiftServeQueueLong": ('sealift_serve_waiting_requests{instance="a"}', "200x60"),
    "SealiftServeConnectionsFull": ('sealift_serve_connections{instance="a"}', "500x60"),
}


def names():
    return [rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]


def silent(promtool, tmp_path, series, alerts):
    """Ask promtool whether these alerts stay silent for an hour."""
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in one.items()],
            "alert_rule_test": [{"eval_time": "50m", "alertname": alert, "exp_alerts": []}],
        }
        for one, alert in zip(series, alerts, strict=True)
    ]
    file = tmp_path / "rules.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    return subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def metrics():
    """What a server that is well writes, after a request that was refused for its rows."""
    with toy_store(models={"toy": ToyModel(texts=True)}) as toys, serving(toys.store) as client:
        assert client.texts("toy", "a").status == 200
        assert client.infer("toy", {}).status == 400
        assert client.get("/v2/models/other").status == 404
        return client.get("/metrics").body.decode()


def test_a_stock_parser_reads_what_the_server_counts(metrics):
    from prometheus_client.parser import text_string_to_metric_families

    families = {family.name: family for family in text_string_to_metric_families(metrics)}
    assert families["sealift_serve_requests"].type == "counter"
    counted = {
        (sample.labels["model"], sample.labels["status"], sample.labels["code"]): sample.value
        for sample in families["sealift_serve_requests"].samples
    }
    # The word of a client is not a label.
    assert counted[("toy", "200", "")] == 1
    assert counted[("toy", "400", "input")] == 1
    assert counted[("", "404", "not-installed")] == 1
    histogram = families["sealift_serve_request_seconds"]
    assert histogram.type == "histogram"
    assert {sample.value for sample in histogram.samples if sample.labels == {"model": "toy"}} >= {2}


def test_each_alert_fires_for_its_reason_and_none_for_a_server_that_is_well(metrics, tmp_path, require_tool):
    promtool = require_tool("promtool")
    done = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(REASONS) == names()
    lines = [line.rpartition(" ") for line in metrics.splitlines() if not line.startswith("#")]
    well = {
        (f'{name[:-1]},instance="a"}}' if name.endswith("}") else f'{name}{{instance="a"}}'): f"{value}x60"
        for name, _, value in lines
    }
    well['up{job="sealift-serve",instance="a"}'] = "1x60"
    done = silent(promtool, tmp_path, [well] * len(names()), names())
    assert done.returncode == 0, done.stdout + done.stderr
    done = silent(promtool, tmp_path, [{**well, name: values} for name, values in REASONS.values()], names())
    assert done.returncode == 1
    said = re.findall(r"alertname: ?([A-Za-z]+)", done.stdout + done.stderr)
    assert said == names()


def test_every_metric_of_the_alerts_is_one_that_is_written(metrics):
    named = set(re.findall(r"\bsealift_serve_[a-z_]+", RULES.read_text()))
    assert len(named) > 5
    assert {name for name in named if name not in metrics} == set()
