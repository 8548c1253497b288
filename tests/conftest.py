"""What every test may ask for."""

import shutil
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


# How long an example takes says how busy the machine is, not whether we are right.
settings.register_profile("sealift", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sealift")


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
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command of a click group in this process; gives (status, stdout, stderr)."""
    from sealift_common.console import run

    names = {"sealift": "sealift", "sealift_bundler": "sealift-bundler", "sealift_keys": "sealift-keys"}

    def call(group: Command, *arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        name = names[group.callback.__module__.partition(".")[0]]
        status = run(group, name, [str(argument) for argument in arguments])
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
