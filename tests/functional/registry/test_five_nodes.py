"""Five nodes, five network namespaces, one registry: all arrive at the same generation, whatever happens to one."""

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine.closed_network import ClosedNetwork, Node, closed_network
from support.release import big_model
from support.release.channel_simulator import ChannelSimulator
from support.release.instance import Instance

from sealift.status.status import status

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs/how-to/instance/install-on-several-nodes.md"
COUNT = 5
BIG_BYTES = 12 * 1024 * 1024
# The big model takes two seconds over this cable, so that there is a middle of the pull.
RATE = "50mbit"
SOME_BYTES = 2 * 1024 * 1024
# TLS, one manifest and the signed metadata.
HEAD_BYTES = 64 * 1024
WAIT_S = 60


class Fleet:
    """Nodes with a store each, which ask the registry as their cron jobs would."""

    def __init__(self, network: ClosedNetwork, directory: Path, channel: ChannelSimulator) -> None:
        self.network = network
        self._directory, self._channel = directory, channel
        self.newest = 0
        self.address = f"oci://{network.registry.host}/models/{directory.name}"
        self.instances = [Instance(directory / f"node-{number}") for number in range(COUNT)]
        for instance in self.instances:
            instance.pin(channel.root_bytes)

    def push(self, name: str) -> None:
        """Push the channel's release from the registry's own machine."""
        bundle = self._channel.pack(self._directory / f"{name}.tar")
        words = ("sealift", "push", str(bundle), self.address, "--ca-file", str(self.network.ca_file))
        finish(_start(self.network.hub.command(*words)))

    def push_big(self, version: str) -> None:
        """Push a release with a big model."""
        files = big_model.write(self._directory / version, "big", version, BIG_BYTES)
        self._channel.add("big", version, {name: path.read_bytes() for name, path in files.items()})
        self.newest = self._channel.release()
        self.push(version)

    def start(self, number: int) -> subprocess.Popen[str]:
        """Start what cron runs on one node, by the page."""
        here = {"/usr/local/bin/sealift": "sealift", "/etc/ssl/registry-ca.pem": str(self.network.ca_file)}
        return self._run(number, *(here.get(word, word) for word in cron_command()[:-1]), self.address)

    def begin(self) -> None:
        """Install on one node; the others begin with what it has then."""
        finish(self.start(0))
        first, *others = self.instances
        for other in others:
            shutil.copytree(first.store_path, other.store_path, symlinks=True)

    def install_everywhere(self, but: int | None = None) -> None:
        """Run on all nodes at once, and expect that each succeeds."""
        running = [self.start(number) for number in range(COUNT) if number != but]
        for process in running:
            finish(process)

    def generations(self) -> set[tuple[int, int, str]]:
        """Look at every store, which a node is for `status`; return the different ones: release, generation, digests."""
        found = set()
        for instance in self.instances:
            seen = status(instance.store)
            assert not seen.damage
            found.add((seen.generation.release, seen.generation.number, json.dumps(dict(seen.digests), sort_keys=True)))
        return found

    def _run(self, number: int, *words: str) -> subprocess.Popen[str]:
        return _start(self.network.nodes[number].command(*words), self.instances[number].environment)


def _start(command: list[str], environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def cron_command() -> list[str]:
    """The words of the page's cron job after its pause; the last one is the address."""
    (line,) = re.findall(
        r"^ *17 (?:\* ){4}sealift sleep \$\(shuf -n 1 -i 0-600\) && (.*)$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    words = shlex.split(line)
    assert words[-1].startswith("oci://")
    return words


def finish(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, error
    return out


def cut_in_the_middle(node: Node, process: subprocess.Popen[str]) -> None:
    """Pull the node's cable when a part of the big model is there."""
    before = node.received()
    end = time.monotonic() + WAIT_S
    while node.received() < before + SOME_BYTES:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing arrives"
        time.sleep(0.01)
    node.unplug()
    assert process.poll() is None, "the pull was over before the cable was pulled"


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Iterator[ClosedNetwork]:
    with closed_network(tmp_path_factory.mktemp("network"), COUNT) as made:
        yield made


@pytest.fixture(scope="module")
def fleet(network, tmp_path_factory) -> Fleet:
    """Five nodes with the first release, and a second one with a big model in the registry."""
    directory = tmp_path_factory.mktemp("fleet")
    channel = ChannelSimulator(directory / "channel")
    channel.add("toy", "1.0.0")
    channel.release()
    fleet = Fleet(network, directory, channel)
    fleet.push("first")
    fleet.begin()
    assert len(fleet.generations()) == 1
    fleet.push_big("1.0.0")
    return fleet


def test_one_of_five_nodes_is_cut_off_in_the_middle_of_a_pull(fleet, network):
    cut, its_instance = network.nodes[2], fleet.instances[2]
    before = its_instance.store.active()
    cut.slow_down(RATE)
    process = fleet.start(2)
    cut_in_the_middle(cut, process)

    fleet.install_everywhere(but=2)
    assert its_instance.store.active() == before, "nothing is switched on half a pull"
    assert len(fleet.generations()) == 2
    cut.lose_connections()
    network.registry.forget()
    cut.plug()
    assert "is active as generation" in finish(process)
    assert 206 in {status for _, _, status in network.registry.requests()}, "it goes on where it was cut off"

    assert len(fleet.generations()) == 1
    assert its_instance.store.load("big").version == "1.0.0"


def test_nodes_that_have_everything_fetch_nothing_but_the_signed_head(fleet, network):
    if {release for release, _, _ in fleet.generations()} != {fleet.newest}:
        fleet.install_everywhere()
    network.registry.forget()
    before = [node.received() for node in network.nodes]
    fleet.install_everywhere()
    asked = [path for _, path, _ in network.registry.requests()]
    assert sum("/manifests/" in path for path in asked) == COUNT
    arrived = [node.received() - count for node, count in zip(network.nodes, before, strict=True)]
    assert max(arrived) < HEAD_BYTES, arrived


def test_a_node_that_dies_while_it_is_cut_off_recovers_at_the_next_run(fleet, network):
    fleet.push_big("1.1.0")
    cut, its_instance = network.nodes[3], fleet.instances[3]
    cut.slow_down(RATE)
    process = fleet.start(3)
    cut_in_the_middle(cut, process)
    process.kill()
    process.communicate()
    cut.plug()

    fleet.install_everywhere(but=3)
    assert its_instance.store.load("toy").version == "1.0.0", "what was installed before goes on to answer"
    fleet.push_big("1.2.0")
    # It missed one release, and takes the next.
    fleet.install_everywhere()
    releases = {release for release, _, _ in fleet.generations()}
    assert len(releases) == 1
    for instance in fleet.instances:
        assert instance.store.load("big").version == "1.2.0"
    assert not (its_instance.store_path / "staging").exists(), "what was half there is cleaned up"
