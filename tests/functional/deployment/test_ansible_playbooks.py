"""The playbooks under deploy/ are played, on stores that stand for nodes."""

import re
import subprocess
import sys

import pytest
import yaml
from support.deployed import DEPLOY
from support.release.instance import Instance

pytestmark = pytest.mark.slow


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
