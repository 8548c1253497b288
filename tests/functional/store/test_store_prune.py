"""`sealift prune` and `rollback` as an admin runs them, and completion of what they take."""

import gc
import json
import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from support.hostile.damage import NOW, flip_a_bit, models_of

from sealift.cli import cli
from sealift.errors import CorruptError, NotInstalledError, UsageError, WithdrawnError
from sealift.store.contents import generations, history
from sealift.store.upkeep.prune import prune


def test_prune(release, instance, sealift_command):
    for minor in range(6):
        release("alpha", f"1.{minor}.0")
    before = instance.snapshot()
    status, out, _ = sealift_command("prune", "--dry-run", "--json")
    assert status == 0
    planned = json.loads(out)
    assert instance.snapshot() == before
    sizes = {
        name: sum(path.stat().st_size for path in (instance.store_path / "models/alpha" / name).iterdir())
        for name in ("1.0.0", "1.1.0", "1.2.0")
    }
    assert {r["name"].split()[1]: r["bytes"] for r in planned["removed"] if r["kind"] == "model"} == sizes
    assert [r["name"] for r in planned["removed"] if r["kind"] == "generation"] == ["1", "2", "3"]
    assert sum(r["kind"] == "manifest" for r in planned["removed"]) == 6
    assert planned["kept_generations"] == [4, 5, 6]

    status, out, _ = sealift_command("prune", "--json")
    assert status == 0
    done = json.loads(out)
    assert (done["bytes"], done["removed"]) == (planned["bytes"], planned["removed"])
    assert models_of(instance) == ["alpha/1.3.0", "alpha/1.4.0", "alpha/1.5.0"]
    assert len(list((instance.store_path / "manifests").iterdir())) == 6
    assert not (instance.store_path / "staging").exists()
    assert sealift_command("check")[0] == 0
    entry = history.read(instance.store.layout.history)[-1]
    assert (entry["action"], entry["generations"], entry["bytes"]) == ("prune", [1, 2, 3], done["bytes"])
    assert entry["removed"] == ["alpha 1.0.0", "alpha 1.1.0", "alpha 1.2.0"]
    assert "removed: alpha 1.0.0" in sealift_command("history")[1]

    # A second run has nothing to do, and writes nothing.
    before = instance.snapshot()
    status, out, _ = sealift_command("prune")
    assert (status, out) == (0, "freed 0 B; generations kept: 4, 5, 6\n")
    assert {n: v for n, v in instance.snapshot().items() if n != "store/staging"} == before

    status, _, err = sealift_command("rollback", "--to", "2")
    assert status == NotInstalledError.exit_code
    assert "generation 2 was pruned; the store still has 4, 5, 6" in err
    # Numbers go on, whatever was pruned.
    prune(instance.store, 1, NOW)
    release("alpha", "2.0.0")
    assert generations.numbers(instance.store.layout) == [5, 6, 7]


def test_prune_keeps_what_is_active_what_a_rollback_needs_and_what_the_next_install_builds_on(
    release, channel, instance, sealift_command, tmp_path
):
    for minor in range(6):
        release("alpha", f"1.{minor}.0")
    sealift_command("rollback", "--to", "3")
    _, out, _ = sealift_command("prune", "--keep", "1", "--json")
    assert json.loads(out)["kept_generations"] == [2, 3, 6]
    assert models_of(instance) == ["alpha/1.1.0", "alpha/1.2.0", "alpha/1.5.0"]
    assert sealift_command("rollback")[0] == 0
    assert instance.store.load("alpha").version == "1.1.0"
    # Two rollbacks of single models: no kept generation links to the newest alpha any longer.
    release("beta", "1.0.0")
    release("beta", "1.1.0")
    assert sealift_command("rollback", "alpha")[0] == 0
    assert sealift_command("rollback", "beta")[0] == 0
    sealift_command("prune", "--keep", "1")
    assert "alpha/1.5.0" in models_of(instance)
    channel.add("beta", "1.2.0")
    channel.release()
    assert instance.install(channel.pack(tmp_path / "last.tar")).generation == 11


def test_prune_removes_withdrawn_versions_and_leftovers(release, channel, instance, sealift_command, tmp_path):
    old, _ = release("alpha", "1.0.0")
    for minor in range(1, 4):
        channel.add("alpha", f"1.{minor}.0")
        channel.release()
        if minor == 1:
            channel.withdraw(old, "it was wrong")
        instance.install(channel.pack(tmp_path / f"{minor}.tar"))
    (instance.store_path / "staging/99999/models/x").mkdir(parents=True)
    (instance.store_path / "staging/99999/models/x/y").write_bytes(b"12345")
    (instance.store_path / ".current.99999.new").symlink_to("generations/9")
    (instance.store_path / ".lock.new").touch(0o600)
    (instance.store_path / "models/alpha/tmp").mkdir()
    status, out, _ = sealift_command("prune", "--json")
    assert status == 0
    removed = json.loads(out)["removed"]
    assert {(r["kind"], r["name"]) for r in removed if r["kind"] != "manifest"} == {
        ("leftover", "staging/99999"),
        ("leftover", ".current.99999.new"),
        ("leftover", ".lock.new"),
        ("generation", "1"),
        ("model", "alpha 1.0.0"),
    }
    assert [r["bytes"] for r in removed if r["name"] == "staging/99999"] == [5]
    assert models_of(instance) == ["alpha/1.1.0", "alpha/1.2.0", "alpha/1.3.0", "alpha/tmp"]


@pytest.mark.parametrize("keep", ["0", "-1", "x"])
def test_prune_keeps_at_least_one(keep, release, instance, sealift_command):
    release("alpha", "1.0.0")
    assert sealift_command("prune", "--keep", keep)[0] == UsageError.exit_code
    with pytest.raises(UsageError):
        prune(instance.store, 0, NOW)


def test_a_loaded_model_is_not_pruned(release, instance, sealift_command):
    for minor in range(5):
        release("alpha", f"1.{minor}.0")
    model = instance.store.load("alpha", "1.0.0")
    status, out, _ = sealift_command("prune", "--keep", "1")
    assert status == 0
    assert f"kept alpha 1.0.0: it is in use by process {os.getpid()}" in out
    assert models_of(instance) == ["alpha/1.0.0", "alpha/1.3.0", "alpha/1.4.0"]
    assert instance.store.load("alpha", "1.0.0").version == model.version
    assert sealift_command("check")[0] == 0
    del model
    gc.collect()
    sealift_command("prune", "--keep", "1")
    assert models_of(instance) == ["alpha/1.3.0", "alpha/1.4.0"]


def test_a_forked_worker_keeps_the_model_of_its_parent(release, instance):
    for minor in range(4):
        release("alpha", f"1.{minor}.0")
    code = (
        "import os, sys, sealift\n"
        "model = sealift.load('alpha', '1.0.0')\n"
        "pid = os.fork()\n"
        "if pid: print(pid, flush=True); os._exit(0)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=instance.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        worker = int(child.stdout.readline())
        assert child.wait() == 0
        report = prune(instance.store, 1, NOW)
        assert [(str(held.model), held.processes) for held in report.in_use] == [("alpha 1.0.0", (worker,))]
        child.stdin.close()
        while os.path.exists(f"/proc/{worker}/fd/0"):
            pass
    assert [r.name for r in prune(instance.store, 1, NOW).removed if r.kind == "model"] == ["alpha 1.0.0"]


@pytest.mark.parametrize("how", ["open", "mapped"])
def test_a_reader_of_the_bare_path_is_seen(how, release, instance):
    for minor in range(4):
        release("alpha", f"1.{minor}.0")
    path = instance.store_path / "models/alpha/1.0.0/model.onnx"
    code = "import mmap, sys\nfile = open(sys.argv[1], 'rb')\n" + (
        "map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\nfile.close()\n" if how == "mapped" else ""
    )
    # Ruby, Go and Node know nothing of locks; this child stands for them.
    with subprocess.Popen(
        [sys.executable, "-c", code + "print(flush=True)\nsys.stdin.read()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        child.stdout.readline()
        report = prune(instance.store, 1, NOW)
        assert [(str(held.model), held.processes) for held in report.in_use] == [("alpha 1.0.0", (child.pid,))]
        assert path.exists()
        child.stdin.close()
    assert not prune(instance.store, 1, NOW).in_use
    assert not path.exists()


def test_rollback_dry_run_and_reason(release, instance, sealift_command):
    release("alpha", "1.0.0")
    release("alpha", "1.1.0")
    before = instance.snapshot()
    status, out, _ = sealift_command("rollback", "--dry-run")
    assert status == 0
    assert "would activate alpha 1.0.0" in out
    status, out, _ = sealift_command("rollback", "alpha", "--dry-run", "--json")
    assert json.loads(out) == {
        "before": {"alpha": "1.1.0"},
        "dry_run": True,
        "generation": 3,
        "release": 3,
        "models": {"alpha": "1.0.0"},
    }
    assert instance.snapshot() == before
    assert sealift_command("rollback", "--reason", "two\nlines")[0] == UsageError.exit_code
    assert sealift_command("rollback", "--reason", "false alarms")[0] == 0
    assert history.read(instance.store.layout.history)[-1]["reason"] == "false alarms"
    assert "reason: 'false alarms'" in sealift_command("history")[1]


def test_rollback_dry_run_refuses_what_a_rollback_refuses(release, channel, instance, sealift_command, tmp_path):
    old, _ = release("alpha", "1.0.0")
    release("alpha", "1.1.0")
    flip_a_bit(instance.store_path / "models/alpha/1.0.0/model.onnx")
    before = instance.snapshot()
    assert sealift_command("rollback", "--dry-run")[0] == CorruptError.exit_code
    channel.withdraw(old, "it was wrong")
    instance.install(channel.pack(tmp_path / "next.tar"))
    before = instance.snapshot()
    assert sealift_command("rollback", "--to", "1", "--dry-run")[0] == WithdrawnError.exit_code
    assert sealift_command("rollback", "--to", "1")[0] == WithdrawnError.exit_code
    assert instance.snapshot() == before


def test_completion_of_versions(release, instance, sealift_command):
    release("alpha", "1.0.0")
    release("alpha", "1.10.0")
    complete = ShellComplete(cli, {}, "sealift", "_SEALIFT_COMPLETE")

    def values(*arguments):
        return [item.value for item in complete.get_completions([*arguments, "--version"], "")]

    for command in ("show", "bench", "predict"):
        assert values(command, "alpha") == ["1.10.0", "1.0.0"]
        assert values(command, "beta") == values(command, "../models/alpha") == values(command) == []


def test_completion_of_generations(release, instance, sealift_command):
    release("alpha", "1.0.0")
    release("alpha", "1.1.0")
    complete = ShellComplete(cli, {}, "sealift", "_SEALIFT_COMPLETE")
    items = complete.get_completions(["rollback", "--to"], "")
    assert [(item.value, item.help) for item in items] == [("2", "alpha 1.1.0"), ("1", "alpha 1.0.0")]
