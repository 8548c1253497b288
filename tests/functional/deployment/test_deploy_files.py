"""The files under deploy/ are run, not only read: units, alert rules and playbooks with the tools that they are for."""

import ctypes
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.release.instance import Instance
from support.servers.model_server import ModelClient

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
SEALIFT = [sys.executable, "-c", "from sealift.cli import main; main()"]
INSTALLED_AS = "/usr/local/bin/sealift"
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1

every_service = pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)


@pytest.fixture
def sealift_command(tmp_path):
    """`sealift` as one file, as an admin has it."""
    path = tmp_path / "sealift"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(SEALIFT)} "$@"\n')
    path.chmod(0o755)
    return path


def settings(unit):
    """Section to a list of (key, value); systemd allows a key several times, ConfigParser does not."""
    section, found = "", {}
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(section, []).append((key, value))
    return found


def service(unit):
    return dict(settings(unit)["Service"])


# --- systemd ----------------------------------------------------------------------------------------


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path, require_tool, sealift_command):
    analyze = require_tool("systemd-analyze")
    copies = []
    for unit in UNITS:
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(unit.read_text().replace(INSTALLED_AS, str(sealift_command)))
    verify = [analyze, "verify", "--man=no", *map(str, copies)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "sealift" in line]
    assert (done.returncode, said) == (0, [])
    # It would have said something.
    copies[0].write_text(copies[0].read_text() + "\n[Service]\nNoNewPrivilege=yes\n")
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert "NoNewPrivilege" in done.stdout + done.stderr


@every_service
def test_a_service_is_exposed_as_little_as_the_documentation_says(unit, require_tool):
    analyze = [require_tool("systemd-analyze"), "security", "--no-pager", "--offline=yes"]
    # 10 is a service without any protection; the page says 0.5. The option counts in tenths.
    done = subprocess.run([*analyze, "--threshold=9", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
    done = subprocess.run([*analyze, "--threshold=1", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 1


def test_all_services_are_protected_in_the_same_way():
    known = {
        "Type",
        "User",
        "Group",
        "ExecStart",
        "KillMode",
        "TimeoutStopSec",
        "Restart",
        "RestartSec",
        "SuccessExitStatus",
        # Of the server alone.
        "WatchdogSec",
        "MemoryMax",
        "LimitNOFILE",
    }
    rest = [
        [entry for entry in settings(unit)["Service"] if entry[0] not in {*known, "ReadWritePaths"}]
        for unit in SERVICES
    ]
    assert len(rest) == 4
    assert rest[0] == rest[1] == rest[2] == rest[3]
    assert len(rest[0]) > 25


def test_no_service_may_write_where_the_root_is_pinned():
    for unit in SERVICES:
        assert service(unit)["ProtectSystem"] == "strict"
        assert not [path for path in service(unit).get("ReadWritePaths", "").split() if path.startswith("/etc")]
    assert "ReadWritePaths" not in service(DEPLOY / "systemd" / "sealift-serve.service")


def syscall_groups(analyze):
    """Group of system calls to its members, expanded; `systemd-analyze syscall-filter` prints one level."""
    listed, name = {}, ""
    for line in subprocess.run(
        [analyze, "syscall-filter"], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        word = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if word.startswith("@"):
            name = word.strip()
            listed[name] = []
        elif name and word.startswith("    ") and not word.strip().startswith("#"):
            listed[name].append(word.strip())

    def members(group):
        return {call for entry in listed[group] for call in (members(entry) if entry.startswith("@") else {entry})}

    return {group: members(group) for group in listed}


def run_unit(unit, instance, folder, *, prefix=(), **options):
    """Run a unit's command line on a test's store and folder."""
    command = shlex.split(service(unit)["ExecStart"])
    assert command[0] == INSTALLED_AS
    paths = {
        "/srv/sealift/drop": str(folder),
        "/var/lib/prometheus/node-exporter/sealift.prom": str(folder.parent / "sealift.prom"),
    }
    arguments = [paths.get(word, word) for word in command[1:]]
    return subprocess.run(
        [*prefix, *SEALIFT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=instance.environment,
        **options,
    )


def no_executable_memory():
    """Do to a process what MemoryDenyWriteExecute= does."""
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        raise OSError("this kernel cannot refuse executable memory (Linux 6.3 or newer can)")


def test_the_services_work_within_what_the_units_allow(channel, instance, tmp_path, require_tool):
    """Every system call of a whole install is among those that the filter lets through, without executable memory."""
    strace, analyze = require_tool("strace"), require_tool("systemd-analyze")
    channel.add("alpha", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    folder = tmp_path / "drop"
    folder.mkdir(mode=0o755)
    channel.pack(folder)
    groups = syscall_groups(analyze)
    allowed = groups["@system-service"] - groups["@privileged"]
    used = set()
    for name in ("sealift-watch-once.service", "sealift-metrics.service"):
        unit = DEPLOY / "systemd" / name
        filters = [value for key, value in settings(unit)["Service"] if key == "SystemCallFilter"]
        assert filters == ["@system-service", "~@privileged"]
        counts = tmp_path / "counts"
        prefix = [strace, "-f", "-c", "-U", "name", "-o", str(counts)]
        quick = run_unit(unit, instance, folder, prefix=prefix, preexec_fn=no_executable_memory, timeout=120)
        assert quick.returncode == 0, quick.stderr
        used |= {line.strip() for line in counts.read_text().splitlines() if re.fullmatch(r"[a-z0-9_]+", line.strip())}
    assert instance.store.release().number == 2
    assert "bundle_number" in (tmp_path / "sealift.prom").read_text()
    used -= {"syscall", "total"}
    assert len(used) > 50
    assert used - allowed == set()


def test_the_server_works_within_what_its_unit_allows(channel, instance, tmp_path, require_tool):
    """Started as systemd starts it, with its socket; every system call of loading, answering and ending passes."""
    strace, analyze = require_tool("strace"), require_tool("systemd-analyze")
    channel.add("alpha", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path))
    assert service(DEPLOY / "systemd" / "sealift-serve.service")["ExecStart"] == f"{INSTALLED_AS} serve"
    started_by_systemd = "import os; os.dup2(int(os.environ['PASSED']), 3); os.environ['LISTEN_PID'] = str(os.getpid())"
    program = f"{started_by_systemd}; from sealift.cli import main; main()"
    counts, path = tmp_path / "counts", tmp_path / "serve.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        process = subprocess.Popen(
            [strace, "-f", "-c", "-U", "name", "-o", counts, sys.executable, "-c", program, "serve"],
            env={**instance.environment, "LISTEN_FDS": "1", "PASSED": str(listening.fileno())},
            pass_fds=[listening.fileno()],
            preexec_fn=no_executable_memory,  # noqa: PLW1509 - no thread runs here
            stdout=subprocess.PIPE,
            text=True,
        )
    lines = [process.stdout.readline().strip() for _ in range(3)]
    assert lines[0] == f"listening at {path}"
    assert lines[2] == "ready"
    rows = {"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    client = ModelClient(path)
    assert client.infer("alpha", {"inputs": [rows]}).status == 200
    client.close()
    # To the server itself, and not to strace, which would drop its counts.
    (server,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(server), signal.SIGTERM)
    assert process.wait(60) == 143
    used = {line.strip() for line in counts.read_text().splitlines() if re.fullmatch(r"[a-z0-9_]+", line.strip())}
    groups = syscall_groups(analyze)
    used -= {"syscall", "total"}
    assert {"accept4", "epoll_wait"} <= used
    assert used - (groups["@system-service"] - groups["@privileged"]) == set()


# --- Prometheus -------------------------------------------------------------------------------------


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


# --- Ansible ----------------------------------------------------------------------------------------


@pytest.fixture
def nodes(tmp_path, channel, sealift_command):
    """Two stores that stand for two nodes, and the inventory that reaches them."""
    found = [Instance(tmp_path / f"node-{number}") for number in (1, 2)]
    hosts = {}
    for number, node in enumerate(found, 1):
        node.pin(channel.root_bytes)
        hosts[f"node-{number}"] = {"sealift_store": str(node.store_path), "sealift_trust": str(node.trust_path)}
    example = yaml.safe_load((DEPLOY / "ansible" / "inventory.example.yml").read_text())
    variables = example["sealift_nodes"]["vars"] | {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "sealift_become": False,
        "sealift_command": str(sealift_command),
        "sealift_incoming": str(tmp_path / "incoming"),
    }
    for name in ("sealift_store", "sealift_trust"):
        del variables[name]
    (tmp_path / "incoming").mkdir()
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"sealift_nodes": {"hosts": hosts, "vars": variables}}))
    return found, inventory


def playbook(name, inventory, *options):
    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        "-i",
        str(inventory),
        str(DEPLOY / "ansible" / name),
        *options,
    ]
    environment = {
        "ANSIBLE_HOME": str(inventory.parent / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(inventory.parent / "ansible" / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "HOME": str(inventory.parent),
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("name", ["install.yml", "check.yml"])
def test_the_playbooks_are_understood(name):
    done = playbook(name, DEPLOY / "ansible" / "inventory.example.yml", "--syntax-check")
    assert done.returncode == 0, done.stderr


def test_a_bundle_reaches_every_node_and_a_node_left_behind_is_found(channel, tmp_path, nodes):
    instances, inventory = nodes
    channel.add("alpha", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path)
    # It was carried to the first node by hand already.
    instances[0].install(bundle)
    done = playbook("install.yml", inventory, "-e", f"sealift_bundle={bundle}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [node.store.release().number for node in instances] == [2, 2]
    assert list((tmp_path / "incoming").iterdir()) == []
    changed = re.findall(r"(node-\d) +: ok=\d+ +changed=(\d)", done.stdout)
    assert changed == [("node-1", "0"), ("node-2", "1")]

    # One node is forgotten.
    channel.add("alpha", "1.1.0")
    channel.release()
    newer = channel.pack(tmp_path)
    instances[0].install(newer)
    done = playbook("check.yml", inventory, "-e", "sealift_expect=3")
    assert done.returncode == 2
    assert re.findall(r"(node-\d) .*failed=(\d)", done.stdout) == [("node-1", "0"), ("node-2", "1")]
    assert "this node was left behind: expected bundle 3, got 2" in done.stdout


def test_a_refusal_on_the_first_node_stops_before_the_second(channel, tmp_path, nodes):
    instances, inventory = nodes
    channel.add("alpha", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path)
    damaged = bytearray(bundle.read_bytes())
    damaged[-2000] ^= 1
    bundle.write_bytes(damaged)
    before = [node.snapshot() for node in instances]
    done = playbook("install.yml", inventory, "-e", f"sealift_bundle={bundle}")
    assert done.returncode == 2
    assert "[digest]" in done.stdout
    assert "node-2" not in done.stdout.partition("PLAY RECAP")[0].replace(str(tmp_path), "")
    assert [node.snapshot() for node in instances] == before
    assert list((tmp_path / "incoming").iterdir()) == []


def test_the_example_inventory_names_what_the_playbooks_use():
    used = set()
    for name in ("install.yml", "check.yml"):
        used |= set(re.findall(r"\{\{ (sealift_[a-z]+)", (DEPLOY / "ansible" / name).read_text()))
    given = set(yaml.safe_load((DEPLOY / "ansible" / "inventory.example.yml").read_text())["sealift_nodes"]["vars"])
    assert used - given == {"sealift_bundle", "sealift_expect", "sealift_folder", "sealift_status"}
    assert given <= used
