"""What every test may ask for."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click import Command
from hypothesis import HealthCheck, settings

from sealift.errors import Error
from sealift_common import advice

if TYPE_CHECKING:
    from support.release.channel_simulator import ChannelSimulator
    from support.release.instance import Instance


# One test a core: a library that starts a thread for each core in each of them would make all wait.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

# A shell starts what runs in its background deaf to Ctrl-C, and children inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# So is SIGHUP below `nohup`.
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No test cuts the power of the machine, so no test learns from waiting for its disk; what must be synced, and in which
# order, is asked of real commands under strace (test_power_cut), and these run in processes of their own.
os.fsync = lambda file: (os.fstat(file if isinstance(file, int) else file.fileno()), None)[1]

# How long an example takes says how busy the machine is, not whether we are right.
settings.register_profile("sealift", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sealift")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: at the end one of them would keep one process busy, and the others idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """Give the path of a tool on PATH; fail, never skip, when it is not there."""

    def require(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.fail(f"{name} is not installed, so this test cannot say anything; run .ci/debian-packages as root")
        return path

    return require


@pytest.fixture(autouse=True)
def on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Advise as on a machine of its own, also where the tests run in a container."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for mark in ("_DOCKER", "_PODMAN"):
        monkeypatch.setattr(advice, mark, Path("/no/such/mark"))


@pytest.fixture(autouse=True)
def no_syslog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write nothing of a test into the log of the machine that runs it."""
    monkeypatch.setenv("SEALIFT_SYSLOG", "none")


@pytest.fixture
def channel(tmp_path: Path) -> "ChannelSimulator":
    """A channel with one key per role and nothing added yet."""
    from support.release.channel_simulator import ChannelSimulator

    return ChannelSimulator(tmp_path / "channel")


@pytest.fixture
def instance(tmp_path: Path) -> "Instance":
    """An instance without a pinned root."""
    from support.release.instance import Instance

    return Instance(tmp_path / "instance")


@pytest.fixture
def no_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install without a child that replays golden examples; what it does is tested in test_install and elsewhere."""
    from support.release.self_test_stub import Passes

    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


@pytest.fixture
def opened_here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Open and convert files in this process, except in tests marked `own_process`; see test_convert_sources."""
    if request.node.get_closest_marker("own_process"):
        return
    from sealift_bundler.proof import child, in_child

    def run(work: Path, *_: object) -> subprocess.CompletedProcess[bytes]:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", None)
            patch.setattr(child, "die_with", lambda _: None)
            patch.setattr("resource.setrlimit", lambda *_: None)
            return subprocess.CompletedProcess([], child.main([str(work), str(os.getpid())]), b"", b"")

    monkeypatch.setattr(in_child, "_run", run)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command of a click group in this process; gives (status, stdout, stderr)."""
    from support.release.command_line import name_of

    from sealift_common.console import run

    def call(group: Command, *arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run(group, name_of(group), [str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def sealift_command(
    instance: "Instance", call: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run `sealift ARGS` on the instance, in this process; gives (status, stdout, stderr)."""
    from sealift.cli import cli

    instance.export(monkeypatch)
    return partial(call, cli)


@pytest.fixture
def refused(instance: "Instance") -> Callable[..., object]:
    """Assert that a block is refused with a class of error, and that the instance is byte for byte as before."""

    @contextmanager
    def refused(error: type[Error] | tuple[type[Error], ...], match: str = "") -> Iterator[None]:
        before = instance.snapshot()
        with pytest.raises(error, match=match or None) as caught:
            yield
        assert "\n" not in str(caught.value)
        after = instance.snapshot()
        # The first refused install may leave the empty store directory and its lock, nothing else.
        assert {name: value for name, value in after.items() if name != "store" or name in before} == before

    return refused
