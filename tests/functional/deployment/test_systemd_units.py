"""The units under deploy/ are run, not only read, with the tools that they are for."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.deployed import DEPLOY, INSTALLED_AS, SERVICES, UNITS, run_unit, service, settings
from support.servers.model_server import ModelClient

pytestmark = pytest.mark.slow

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1

every_service = pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)


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
