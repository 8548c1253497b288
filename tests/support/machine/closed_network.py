"""A closed network for tests: a registry and nodes, each in a network namespace of its own, joined by a bridge.

Nothing leads out of it. The registry is Debian's docker-registry, with TLS of the network's own CA.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from support.servers.registry_server import RegistryServer, docker_registry, private_ca

HUB = "10.77.0.1"
PORT = 5000
WAIT_S = 30


@dataclass
class Node:
    """A machine: a namespace whose only way out is `eth0`."""

    namespace: str

    def command(self, *words: str) -> list[str]:
        """Return a command that runs on this node."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def received(self) -> int:
        """Return the bytes that came in by the cable so far."""
        shown = _ip("-n", self.namespace, "-j", "-s", "link", "show", "eth0")
        count: int = json.loads(shown)[0]["stats64"]["rx"]["bytes"]
        return count

    def unplug(self) -> None:
        """Pull the cable."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def lose_connections(self) -> None:
        """Break every connection for good, as a router does that forgets them."""
        subprocess.run(self.command("ss", "-K", "dst", HUB), check=True, capture_output=True)

    def plug(self) -> None:
        """Put the cable back."""
        _ip("-n", self.namespace, "link", "set", "eth0", "up")

    def slow_down(self, rate: str) -> None:
        """Let no more than `rate` come in, in the words of tc(8)."""
        bucket = ("tbf", "rate", rate, "burst", "64kb", "latency", "50ms")
        subprocess.run(
            ["ip", "netns", "exec", _hub(self.namespace), "tc", "qdisc", "add", "dev", self._port, "root", *bucket],
            check=True,
        )

    @property
    def _port(self) -> str:
        return "p" + self.namespace.rpartition("-")[2]


@dataclass
class ClosedNetwork:
    registry: RegistryServer
    ca_file: Path
    hub: Node
    nodes: list[Node]


@contextmanager
def closed_network(directory: Path, count: int) -> Iterator[ClosedNetwork]:
    """Make the network; it is gone at the end, and the registry is stopped by its process id."""
    assert os.geteuid() == 0, "only root can make network namespaces, so this test cannot say anything; run it as root"
    assert which("ip"), "ip is not installed, so this test cannot say anything; run .ci/debian-packages as root"
    name = f"sealift-{os.getpid()}"
    with ExitStack() as stack:
        hub = _namespace(stack, f"{name}-hub")
        _ip("-n", hub.namespace, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub.namespace, "address", "add", f"{HUB}/24", "dev", "bridge")
        _ip("-n", hub.namespace, "link", "set", "bridge", "up")
        nodes = [_node(stack, name, hub, number) for number in range(1, count + 1)]
        ca = private_ca(directory, f"IP:{HUB}")
        prefix = tuple(hub.command())
        registry = docker_registry(
            directory / "registry",
            certificate=(ca / "server.pem", ca / "server.key"),
            address=HUB,
            port=PORT,
            prefix=prefix,
        )
        server = stack.enter_context(registry)
        _wait_for(hub, server)
        yield ClosedNetwork(server, ca / "ca.pem", hub, nodes)


def _node(stack: ExitStack, name: str, hub: Node, number: int) -> Node:
    node = _namespace(stack, f"{name}-{number}")
    ends = (f"p{number}", "netns", hub.namespace, "type", "veth", "peer", "eth0", "netns", node.namespace)
    _ip("link", "add", *ends)
    _ip("-n", hub.namespace, "link", "set", f"p{number}", "master", "bridge", "up")
    _ip("-n", node.namespace, "address", "add", f"10.77.0.{10 + number}/24", "dev", "eth0")
    node.plug()
    return node


def _namespace(stack: ExitStack, name: str) -> Node:
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "delete", name)
    _ip("-n", name, "link", "set", "lo", "up")
    return Node(name)


def _hub(namespace: str) -> str:
    return namespace.rpartition("-")[0] + "-hub"


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


def _wait_for(hub: Node, server: RegistryServer) -> None:
    probe = hub.command("bash", "-c", f"exec 3<>/dev/tcp/{HUB}/{PORT}")
    end = time.monotonic() + WAIT_S
    while subprocess.run(probe, capture_output=True, check=False).returncode:
        assert time.monotonic() < end, f"docker-registry does not listen: {server.log.read_text()}"
        time.sleep(0.05)
