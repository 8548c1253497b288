"""The model server below a systemd that has booted: the page for admins typed, then what happens to the units.

Sealift comes from a kit with the extra `serve`, onto a Debian without a network. The tests follow each other.
"""

import json
import re
import textwrap
import time
from pathlib import Path

import pytest
from support.machine.bare_system import debian
from support.machine.booted_system import booted
from support.release.channel_simulator import ChannelSimulator

from sealift_bundler.cli import command
from sealift_common.console import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "deploy" / "run-the-model-server.md"
UNIT = "sealift-serve.service"
SOCKET = "/run/sealift/serve.sock"
MOST_SECONDS = 2.0
# Of `systemd-analyze security`: from 0, which is safe, to 10.
MOST_EXPOSURE = 1.0
ROWS = {"inputs": [{"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
# Sends the first part of a request, stops the service, and sends the rest.
IN_FLIGHT = f"""
import json, socket, subprocess, time
body = json.dumps({ROWS!r}).encode()
head = b"POST /v2/models/issue-triage/infer HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
with socket.socket(socket.AF_UNIX) as own:
    own.connect({SOCKET!r})
    own.sendall(head + body[:10])
    time.sleep(0.5)
    stop = subprocess.Popen(["systemctl", "stop", {UNIT!r}], stderr=subprocess.DEVNULL)
    time.sleep(1)
    show = ["systemctl", "show", "--property", "ActiveState", "--value", {UNIT!r}]
    print(subprocess.run(show, capture_output=True, text=True).stdout.strip())
    own.sendall(body[10:])
    print(own.recv(65536).split(b"\\r\\n")[0].decode())
    print(stop.wait())
"""


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """A kit, and the bundles of two releases and of one that takes the second version back."""
    folder = tmp_path_factory.mktemp("carried")
    channel = ChannelSimulator(folder / "channel", name="gitlab-models")
    for number, version in ((2, "1.3.0"), (3, "1.4.0")):
        model = channel.add("issue-triage", version)
        channel.release()
        channel.pack(folder / f"gitlab-models-{number}.tar")
    channel.withdraw(model)
    channel.pack(folder / "gitlab-models-4.tar")
    words = ["kit", "--platform", "linux-x86_64", "--python", "3.11", "--extra", "serve", "-o", str(folder / "kit.tar")]
    assert run(command, "sealift-bundler", [*words, "--channel", str(channel.directory)]) == 0
    return folder


@pytest.fixture(scope="module")
def system(carried, require_tool):
    # Short, and searchable by every user: it becomes the root of a system.
    with (
        debian(carried / "bare", "bookworm", require_tool, more=("systemd-sysv", "dbus", "curl")) as bare,
        booted(bare, require_tool) as system,
    ):
        for path in carried.glob("*.tar"):
            (system.root / "root" / path.name).write_bytes(path.read_bytes())
        system.run("mkdir /root/kit && tar -xf /root/kit.tar -C /root/kit --strip-components=1")
        system.run("cd /root/kit && python3 -I install.py --bin /usr/local/bin")
        system.run("sealift trust init /root/kit/1.root.json && sealift install /root/gitlab-models-2.tar")
        # As with Omnibus GitLab: the application's group, whose member owns the store.
        system.run("groupadd git && useradd -g git git && chown -R git:git /var/opt/gitlab/sealift")
        yield system


def ask(system, route, *options):
    """Status and document of an answer."""
    body, _, status = system.run(
        f"curl --silent --show-error --max-time 30 --unix-socket {SOCKET} --write-out '\\n%{{http_code}}' "
        f"http://localhost{route} {' '.join(options)}"
    ).rpartition("\n")
    return int(status), json.loads(body)


def infer(system):
    return ask(system, "/v2/models/issue-triage/infer", f"--data '{json.dumps(ROWS)}'")


def show(system, name):
    return system.run(f"systemctl show --property {name} --value {UNIT}")


def test_the_page_starts_the_server(system):
    part = PAGE.read_text("utf-8").partition("## Start it\n")[2].partition("\n## ")[0]
    typed = [
        textwrap.dedent(block) for block in re.findall(r"^ *```shell\n(.*?)^ *```$", part, re.DOTALL | re.MULTILINE)
    ]
    assert len(typed) == 4
    said = [system.run(f"set -e\n{one}") for one in typed]
    assert json.loads(said[-1]) == [{"name": "issue-triage", "version": "1.3.0", "state": "READY", "reason": ""}]
    assert show(system, "ActiveState") == "active"
    assert show(system, "StatusText") == "serving issue-triage"


def test_the_group_may_ask_and_others_may_not(system):
    asked = f"curl --silent --show-error --unix-socket {SOCKET} http://localhost/v2/health/live"
    assert system.run(f"setpriv --reuid git --regid git --clear-groups {asked}") == '{"live":true}'
    assert "connect" in system.run(f"setpriv --reuid nobody --regid nogroup --clear-groups {asked}", status=7)


def test_the_sandbox(system):
    verdict = system.run(f"systemd-analyze security --no-pager {UNIT}").splitlines()[-1]
    print(verdict)
    assert float(re.search(r"([0-9.]+) ", verdict)[1]) <= MOST_EXPOSURE, verdict
    pid = show(system, "MainPID")
    status = dict(line.split(":\t", 1) for line in system.run(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    owner = system.run("id --user sealift-serve")
    assert set(status["Uid"].split()) == {owner}
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    # A network of its own, with nothing but a loopback.
    assert system.run(f"readlink /proc/{pid}/ns/net") != system.run("readlink /proc/1/ns/net")
    assert [line.split(":")[0].strip() for line in system.run(f"cat /proc/{pid}/net/dev").splitlines()[2:]] == ["lo"]


def test_the_first_request_starts_it_and_is_answered(system):
    system.run(f"systemctl stop {UNIT}")
    assert show(system, "ActiveState") == "inactive"
    assert infer(system)[0] == 200
    assert show(system, "ActiveState") in ("activating", "active")


def test_a_killed_server_comes_back_and_the_next_request_is_answered(system):
    before = int(show(system, "NRestarts"))
    system.run(f"systemctl kill --signal KILL {UNIT}")
    assert infer(system)[0] == 200
    assert int(show(system, "NRestarts")) == before + 1


def test_a_server_that_hangs_is_killed_and_comes_back(system):
    system.run("mkdir -p /run/systemd/system/sealift-serve.service.d")
    system.run("printf '[Service]\\nWatchdogSec=2\\n' >/run/systemd/system/sealift-serve.service.d/soon.conf")
    system.run(f"systemctl daemon-reload && systemctl restart {UNIT}")
    before, pid = int(show(system, "NRestarts")), show(system, "MainPID")
    system.run(f"kill -STOP {pid}")
    assert infer(system)[0] == 200
    assert int(show(system, "NRestarts")) == before + 1
    assert show(system, "MainPID") != pid
    system.run(f"rm -r /run/systemd/system/{UNIT}.d && systemctl daemon-reload && systemctl restart {UNIT}")


def test_a_stop_lets_an_answer_finish(system):
    (system.root / "root" / "in_flight.py").write_text(IN_FLIGHT)
    assert infer(system)[0] == 200
    assert system.run("python3 /root/in_flight.py").splitlines() == ["deactivating", "HTTP/1.1 200 OK", "0"]
    assert (show(system, "ActiveState"), show(system, "Result")) == ("inactive", "success")


def test_an_install_answers_without_a_restart(system):
    assert infer(system)[1]["model_version"] == "1.3.0"
    pid = show(system, "MainPID")
    system.run("setpriv --reuid git --regid git --clear-groups sealift install /dev/stdin </root/gitlab-models-3.tar")
    ends = time.monotonic() + MOST_SECONDS
    while (said := infer(system))[1]["model_version"] != "1.4.0":
        assert said[0] == 200
        assert time.monotonic() < ends, said
    assert show(system, "MainPID") == pid
    assert "Job type reload is not applicable" in system.run(f"systemctl reload {UNIT}", status=3)


def test_a_withdrawn_version_is_gone_within_two_seconds(system):
    system.run("setpriv --reuid git --regid git --clear-groups sealift install /dev/stdin </root/gitlab-models-4.tar")
    ended = time.monotonic()
    while (said := ask(system, "/v2/models/issue-triage/versions/1.4.0"))[0] != 410:
        assert time.monotonic() < ended + MOST_SECONDS, said
    assert said[1]["code"] == "withdrawn"
    # The channel's release has the version before it, which answers again.
    assert infer(system)[1]["model_version"] == "1.3.0"


def test_both_units_together_leave_no_socket(system):
    system.run(f"systemctl stop sealift-serve.socket {UNIT}")
    assert system.run("ls /run/sealift") == ""
    system.run("systemctl start sealift-serve.socket")
    assert infer(system)[0] == 200
