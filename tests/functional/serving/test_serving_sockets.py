"""Where `sealift serve` listens: its own socket, TCP on request, systemd's sockets; and how it begins and ends."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from support.servers.model_server import ModelClient, until

from sealift.errors import LocalError, UnsafeStoreError, UsageError
from sealift.serving.listening import sockets
from sealift.serving.listening.service_manager import ServiceManager, passed_sockets
from sealift.serving.listening.sockets import UnixSocket, require_local, tcp_socket
from sealift.testing import ToyModel, toy_store

PATIENCE_S = 60
SEALIFT = [sys.executable, "-c", "from sealift.cli import main; main()"]


@pytest.fixture(scope="module")
def toys():
    with toy_store(models={"toy": ToyModel(texts=True, answers={"a": "yes"})}) as made:
        yield made


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o755)
    return tmp_path


def start(*arguments, environment=None, **options):
    command = [*SEALIFT, "serve", *map(str, arguments)]
    environment = {**os.environ, **(environment or {})}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


def wait_for(process, line):
    found = []
    while True:
        said = process.stdout.readline()
        assert said, (found, process.stderr.read())
        found.append(said.strip())
        if found[-1] == line:
            return found


def test_a_server_from_its_first_word_to_its_last(toys, folder):
    path = folder / "serve.sock"
    # What a killed server leaves behind.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    process = start("--socket", path)
    said = wait_for(process, "ready")
    assert said[0] == f"listening at {path}"
    assert said[1].startswith("toy: serving 1.0.0 sha256:")
    status = path.lstat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o660, os.geteuid(), os.getegid())
    assert os.listdir(folder) == ["serve.sock"]
    client = ModelClient(path)
    assert client.texts("toy", "a", "b").outputs()["predict"] == ["yes", "no"]
    second = subprocess.run(
        [*SEALIFT, "serve", "--socket", path], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert (second.returncode, second.stdout) == (3, "")
    assert (
        second.stderr == f"sealift: another server listens at {str(path)!r}; stop it, or name another socket [local]\n"
    )
    assert client.get("/v2/health/live").status == 200
    process.terminate()
    assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM
    assert process.stdout.read() == "stopped\n"
    assert not path.exists()


def test_a_killed_server_leaves_nothing_in_the_way(toys, folder):
    path = folder / "serve.sock"
    for _ in range(2):
        process = start("--socket", path)
        wait_for(process, "ready")
        process.kill()
        process.communicate()
        assert path.is_socket()


def pass_socket(listening):
    """Do in a child what systemd does: the socket is descriptor 3, and LISTEN_PID its own number."""
    program = (
        "import os, sys\n"
        f"os.dup2({listening.fileno()}, 3)\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        f"os.execv(sys.executable, [sys.executable, *{['-c', 'from sealift.cli import main; main()', 'serve']!r}])\n"
    )
    return [sys.executable, "-c", program]


def test_systemd_passes_a_socket_and_is_told_of_life(toys, folder):
    path, notify = folder / "passed.sock", folder / "notify"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        listening.bind(str(path))
        listening.listen()
        told.bind(str(notify))
        told.settimeout(PATIENCE_S)
        # A client that was there before the server waits for it, and for its model.
        early = ModelClient(path)
        environment = {**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "400000"}
        process = subprocess.Popen(pass_socket(listening), env=environment, pass_fds=[listening.fileno()])
        assert early.texts("toy", "a").outputs()["predict"] == ["yes"]
        messages = []
        while not {"READY=1\nSTATUS=serving toy", "WATCHDOG=1"} <= set(messages):
            messages.append(told.recv(4096).decode())
        process.terminate()
        assert process.wait(PATIENCE_S) == 143
        while messages[-1] != "STOPPING=1":
            messages.append(told.recv(4096).decode())
    # systemd's own socket stays, for the next start.
    assert path.is_socket()


@pytest.mark.parametrize(("address", "reached"), [("127.0.0.1", False), ("", True)])
def test_a_socket_of_systemd_that_other_machines_reach_needs_the_same_word(address, reached):
    with socket.create_server((address, 0)) as passed:
        require_local([passed], anywhere=True)
        refusal = pytest.raises(UsageError, match=r"^systemd's socket listens at 0\.0\.0\.0:\d+, which other machines")
        with refusal if reached else nullcontext():
            require_local([passed], anywhere=False)


def test_sockets_that_are_not_for_this_process_are_not_taken():
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}
    assert passed_sockets(environment) == []
    assert environment == {}
    assert passed_sockets({}) == []


def test_the_watchdog_hears_twice_as_often_as_it_asks(folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(folder / "notify"))
        told.setblocking(False)
        manager = ServiceManager({"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "10000000"})
        for now in (100.0, 104.9, 105.0, 107.0, 110.0):
            manager.alive(now)
        heard = [told.recv(100) for _ in range(3)]
        with pytest.raises(BlockingIOError):
            told.recv(100)
    assert heard == [b"WATCHDOG=1"] * 3
    other = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}
    ServiceManager(other).alive(100.0)
    # Nobody listens there any more, which ends nothing.
    manager.ready("x")


def test_tcp_only_on_this_machine_unless_told(toys):
    for address, message in (
        ("0.0.0.0:8000", "add --tcp-any"),
        ("[::]:8000", "add --tcp-any"),
        ("localhost:8000", "expected an address and a port"),
        ("127.0.0.1", "expected an address and a port"),
        ("127.0.0.1:99999", "port from 0 to 65535"),
    ):
        with pytest.raises(UsageError, match=message):
            tcp_socket(address, anywhere=False)
    tcp_socket("0.0.0.0:0", anywhere=True).close()
    with tcp_socket("127.0.0.1:0", anywhere=False) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match="in use"):
            tcp_socket(f"127.0.0.1:{port}", anywhere=False)


def test_an_obstacle_is_refused_and_left_as_it_is(folder):
    victim = folder / "victim"
    victim.write_text("precious")
    obstacles = {
        "link": lambda path: path.symlink_to(victim),
        "dangling": lambda path: path.symlink_to(folder / "made"),
        "file": lambda path: path.write_text("x"),
        "folder": lambda path: path.mkdir(),
        "pipe": os.mkfifo,
    }
    for name, make in obstacles.items():
        path = folder / name
        make(path)
        before = path.lstat()
        with pytest.raises(LocalError, match="is not a socket"):
            UnixSocket(path, None)
        assert os.path.samestat(before, path.lstat())
    assert victim.read_text() == "precious"
    assert sorted(os.listdir(folder)) == sorted([*obstacles, "victim"])


def test_a_folder_that_others_may_write_is_no_place_for_a_socket(folder):
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    with pytest.raises(UnsafeStoreError, match="writable by group or others"):
        UnixSocket(folder / "open" / "s", None)
    with pytest.raises(LocalError, match="too long for a socket"):
        UnixSocket(folder / ("x" * 120), None)
    with pytest.raises(LocalError, match="No such file"):
        UnixSocket(folder / "missing" / "s", None)
    with pytest.raises(UsageError, match="expected a group of this machine"):
        UnixSocket(folder / "s", "no-such-group")
    assert os.listdir(folder) == ["open"]


def test_the_file_of_another_server_is_not_removed(folder):
    old = UnixSocket(folder / "s", None)
    old.socket.close()
    new = UnixSocket(folder / "s", None)
    old.remove()
    assert (folder / "s").is_socket()
    new.remove()
    new.socket.close()
    assert os.listdir(folder) == []


def test_the_group_may_connect(folder):
    import grp

    group = grp.getgrgid(os.getegid()).gr_name
    made = UnixSocket(folder / "s", group)
    assert stat.S_IMODE((folder / "s").lstat().st_mode) == sockets.MODE
    made.socket.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--tcp-any"], "--tcp-any says where --tcp may listen"),
        (["serve", "A B"], "model name 'A B' is not allowed"),
        (["serve", "toy:x"], "version 'x' is not SemVer"),
        (["serve", "--tcp", "127.0.0.1:0", "--group", "root"], "--group is that of --socket"),
    ],
)
def test_a_wrong_command_line_starts_nothing(call, arguments, message):
    from sealift.cli import cli

    status, out, err = call(cli, *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_without_the_extra_the_message_names_it(call, folder, monkeypatch):
    from sealift.cli import cli

    for name in [name for name in sys.modules if name.startswith(("uvicorn", "sealift.serving.server"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, _, err = call(cli, "serve", "--socket", folder / "s")
    assert status == 3
    assert "install Sealift with its extra 'serve'" in err
    assert os.listdir(folder) == []


def test_json_lines_for_a_program(toys, folder):
    import json

    process = start("toy", "--socket", folder / "s", "--json")
    lines = []
    until(lambda: lines.append(json.loads(process.stdout.readline())) or lines[-1]["message"] == "ready")
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE_S) == 128 + signal.SIGHUP
    assert [line["model"] for line in lines] == ["", "toy", ""]
    assert time.strptime(lines[0]["time"], "%Y-%m-%dT%H:%M:%SZ")


def test_the_kernel_sees_no_internet_socket(toys, folder):
    """A filter kills the server, and all that it starts, at the first socket of the internet's families."""
    filtered = Path(__file__).parents[2] / "support" / "machine" / "no_internet.py"
    path = folder / "s"
    command = [sys.executable, filtered, *SEALIFT, "serve", "--socket", path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(process, "ready")
    client = ModelClient(path)
    assert client.texts("toy", "a").outputs()["predict"] == ["yes"]
    assert client.get("/metrics").status == 200
    process.terminate()
    assert process.wait(PATIENCE_S) == 143
    assert "interrupted" not in process.stderr.read(), "it ended as it was asked to"
    # It would have died.
    tcp = subprocess.run(
        [sys.executable, filtered, *SEALIFT, "serve", "--tcp", "127.0.0.1:0"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert tcp.returncode == -signal.SIGSYS
