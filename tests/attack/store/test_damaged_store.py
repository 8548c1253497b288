"""A store that is damaged or tampered with: every command refuses by class, or is provably unaffected."""

import os
import random
import shutil
import threading
from collections import Counter

import numpy as np
import pytest
from support.depth import DEPTH
from support.release.channel_simulator import renamed, toy_files

from sealift.cli import cli
from sealift.errors import CorruptError, Error, NotInstalledError
from sealift.store.upkeep.check import check
from sealift_common.console import run

pytestmark = pytest.mark.slow


ROWS = np.random.default_rng(7).normal(size=(16, 4)).astype(np.float32)


COMMANDS = (
    ["status"],
    ["list"],
    ["history"],
    ["show", "alpha"],
    ["path", "alpha"],
    ["trust", "show"],
    ["rollback", "--dry-run"],
    ["prune", "--dry-run", "--keep", "1"],
    ["check", "--json"],
)


class Verdicts:
    """Ask load, check and install about a damaged store, and hold each to the rule of this module."""

    def __init__(self, instance, bundle, monkeypatch, capsys):
        self.instance, self.bundle, self.capsys = instance, bundle, capsys
        instance.export(monkeypatch)
        self.good = self.answers()
        self.pristine = instance.directory / "pristine"
        shutil.copytree(instance.store_path, self.pristine, symlinks=True)
        self.classes = {"load": Counter(), "check": Counter(), "install": Counter()}

    def answers(self):
        models = [self.instance.store.load(name) for name in ("alpha", "gamma")]
        return [(model.version, model.digest, model.predict_proba(ROWS).tobytes()) for model in models]

    def restore(self):
        shutil.rmtree(self.instance.store_path)
        shutil.copytree(self.pristine, self.instance.store_path, symlinks=True)

    def ask(self, what, *, install=True):
        """Return whether check found something."""
        load = self._refusal("load", self._load)
        found = self._refusal("check", self._check)
        for command in COMMANDS:
            # A bug would leave `run` as an exception.
            assert run(cli, "sealift", command) != 1, (what, command)
        self.capsys.readouterr()
        assert "several lines" not in (load, found)
        # Whatever is wrong, there is a report of all of it.
        assert found in ("unaffected", "noted", "found"), (what, found)
        if not install:
            return found != "unaffected"
        install = self._refusal("install", self._install)
        if found == "unaffected":
            assert (load, install) == ("unaffected", "unaffected"), (what, load, install)
        return found != "unaffected"

    def _refusal(self, verb, call):
        try:
            outcome = call()
        except Error as error:
            outcome = type(error).__name__ if "\n" not in str(error) else "several lines"
        self.classes[verb][outcome] += 1
        return outcome

    def _load(self):
        assert self.answers() == self.good
        return "unaffected"

    def _check(self):
        report = check(self.instance.store)
        notes = [note for note in report.notes if "no longer listed" not in note[1]]
        return "found" if report.findings else "noted" if notes else "unaffected"

    def _install(self):
        report = self.instance.install(self.bundle)
        assert self.answers() == self.good
        assert not check(self.instance.store).damaged_models()
        return "repaired" if report.plan.new else "activated" if report.changed else "unaffected"

    def print(self, what):
        with self.capsys.disabled():
            print(f"\n{what}: " + "; ".join(f"{verb} {dict(counts)}" for verb, counts in self.classes.items()))


@pytest.fixture
def verdicts(instance, bundle, monkeypatch, capsys):
    return Verdicts(instance, bundle, monkeypatch, capsys)


def _files(directory):
    return sorted(
        path
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink() and "current" not in path.parts[:-1]
    )


def test_a_bit_flip_in_any_file(instance, verdicts):
    rng = random.Random(20261123)
    flipped = []
    paths = [path for path in _files(instance.store_path) if path.name != "lock"]
    for path in paths:
        relative = path.relative_to(instance.store_path)
        # Of each file one bit, or with DEPTH=3 of three bytes.
        for number in sorted({(len(flipped) + turn) % 3 for turn in range(DEPTH)}):
            data = bytearray(path.read_bytes())
            # The first byte, the last, and others by chance.
            position = [0, len(data) - 1][number] if number < 2 else rng.randrange(len(data))
            data[position] ^= 1 << rng.randrange(7)
            path.chmod(0o644)
            path.write_bytes(data)
            found = verdicts.ask((str(relative), position))
            signed = relative.parts[0] in ("models", "manifests") and "gamma/1.0.0" not in str(relative)
            assert found or not signed, relative
            verdicts.restore()
        flipped.append(relative)
    assert len(flipped) > 30
    verdicts.print(f"{len(flipped)} files of a store with a flipped bit")


def test_anything_deleted(instance, verdicts):
    paths = sorted(path for path in instance.store_path.rglob("*") if path != instance.store_path / "lock")
    for path in paths:
        relative = path.relative_to(instance.store_path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        verdicts.ask(("deleted", str(relative)))
        verdicts.restore()
    verdicts.print(f"{len(paths)} files, folders and links of a store deleted")


def test_anything_replaced_by_something_of_another_kind(instance, verdicts):
    """A folder, a pipe that nobody writes, a link to a file outside: nothing waits, nothing follows."""
    outside = instance.directory / "outside"
    outside.write_text("{}")
    kinds = (lambda p: p.mkdir(), os.mkfifo, lambda p: p.symlink_to(outside), lambda p: p.symlink_to(p))
    count = 0
    # Each file becomes one of them, or with DEPTH=4 each of them.
    for number, path in enumerate(_files(instance.store_path)):
        for turn in sorted({(number + turn) % len(kinds) for turn in range(DEPTH)}):
            if path.name == "lock":
                continue
            path.unlink()
            kinds[turn](path)
            relative = path.relative_to(instance.store_path)
            found = verdicts.ask(("replaced", str(relative)))
            assert found or relative.parts[0] in ("trust", "models")
            verdicts.restore()
            count += 1
    assert outside.read_text() == "{}"
    verdicts.print(f"{count} replacements of files in a store")


@pytest.mark.parametrize("kind", ["outside", "dangling", "directory", "file", "generation outside", "link outside"])
def test_current_leads_elsewhere(kind, instance, verdicts, tmp_path):
    current = instance.store_path / "current"
    outside = tmp_path / "outside"
    shutil.copytree(instance.store_path / "generations/2", outside / "2", symlinks=True)
    if kind in ("outside", "dangling", "directory", "file"):
        current.unlink()
        if kind == "directory":
            shutil.copytree(outside / "2", current, symlinks=True)
        elif kind == "file":
            current.write_text("generations/2")
        else:
            current.symlink_to(outside / "2" if kind == "outside" else "generations/77")
    elif kind == "generation outside":
        shutil.rmtree(instance.store_path / "generations/2")
        (instance.store_path / "generations/2").symlink_to(outside / "2")
    else:
        (instance.store_path / "generations/2/alpha").unlink()
        (instance.store_path / "generations/2/alpha").symlink_to(outside)
    before = instance.snapshot()
    with pytest.raises((CorruptError, NotInstalledError)):
        instance.store.load("alpha")
    assert verdicts.ask(kind)
    assert {error.exit_code for error in [check(instance.store).worst()]} == {CorruptError.exit_code}
    assert instance.snapshot() == before


def test_a_file_replaced_between_opening_and_hashing(instance, bundle, monkeypatch):
    """What was opened is read, hashed and run; a name that leads elsewhere a moment later changes nothing."""
    path = instance.store_path / "models/alpha/1.1.0/model.onnx"
    good = instance.store.load("alpha").predict_proba(ROWS)
    evil = renamed(toy_files(1), "alpha", "1.1.0")["model.onnx"]
    original, replaced = os.open, []

    def swap(name, *args, **kwargs):
        descriptor = original(name, *args, **kwargs)
        if name == "model.onnx":
            (path.parent / "evil").write_bytes(evil)
            (path.parent / "evil").replace(path)
            replaced.append(name)
        return descriptor

    monkeypatch.setattr(os, "open", swap)
    assert (instance.store.load("alpha").predict_proba(ROWS) == good).all()
    monkeypatch.undo()
    assert replaced == ["model.onnx"]
    with pytest.raises(CorruptError):
        instance.store.load("alpha")


def test_a_file_replaced_in_a_loop_while_it_is_loaded(instance, bundle, capsys):
    path = instance.store_path / "models/alpha/1.1.0/model.onnx"
    good = instance.store.load("alpha").predict_proba(ROWS)
    contents = [renamed(toy_files(1), "alpha", "1.1.0")["model.onnx"], path.read_bytes()]
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            for content in contents:
                scratch = path.parent.parent / "scratch"
                scratch.write_bytes(content)
                scratch.replace(path)

    thread = threading.Thread(target=replace)
    thread.start()
    outcomes = Counter()
    try:
        while min(outcomes["loaded"], outcomes["refused"]) < 20:
            try:
                assert (instance.store.load("alpha").predict_proba(ROWS) == good).all()
                outcomes["loaded"] += 1
            except CorruptError:
                outcomes["refused"] += 1
    finally:
        stop.set()
        thread.join()
    with capsys.disabled():
        print(f"\nmodel.onnx replaced in a loop while it is loaded: {dict(outcomes)}, none with other answers")
