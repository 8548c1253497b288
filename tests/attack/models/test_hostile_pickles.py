"""Pickles of strangers: whatever they ask for is refused before it is called, and nothing is staged."""

import codecs
import io
import os
import pickle
import re
import shlex
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import skops.io
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from support.hostile import pickles
from support.hostile.pickles import MARKING, OTHERS, file_of, inner
from support.release.channel_simulator import ChannelSimulator

from sealift.errors import Error
from sealift_bundler import SourceError, UntrustedPickleError, convert
from sealift_bundler.cli.add import command
from sealift_bundler.proof import child, in_child
from sealift_bundler.proof.in_child import ChildLimits
from sealift_bundler.release.adding import add
from sealift_bundler.release.recipes.recipe import Recipe
from sealift_bundler.source.openers import open_model
from sealift_bundler.source.pickles import open_pickle
from sealift_bundler.source.unpickling.unpickler import Unpickler
from sealift_common import console
from sealift_keys.channel.directory import Channel

EVERY = {**MARKING, **OTHERS}


# Opened, and without the code that would read its state: then it is no model.
PASSED_OVER = "scipy.stats takes a state"


RECIPE = 'name = "m"\nversion = "1.0.0"\nsource = "{}"\nsamples = "rows.csv"\n'


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory):
    """Import once what a child imports."""
    path = tmp_path_factory.mktemp("good") / "m.joblib"
    joblib.dump(LogisticRegression().fit(pd.DataFrame({"a": [0.0, 1.0]}), [0, 1]), path)
    for data in (path.read_bytes(), pickle.dumps(pd.DataFrame({"a": ["x"]}))):
        path.write_bytes(data)
        open_pickle(path)
    assert all(module.__name__ for module in (Unpickler, skops.io))


@pytest.fixture
def forked(monkeypatch):
    """The child as it is, with its limits, started by fork: no second of imports for each of many pickles."""

    def run(work, *_):
        process = os.fork()
        if process == 0:
            code = 3
            try:
                os.chdir(work)
                code = child.main([str(work), str(os.getppid())])
            finally:
                os._exit(code)
        _, status = os.waitpid(process, 0)
        return subprocess.CompletedProcess([], os.waitstatus_to_exitcode(status), b"", b"")

    monkeypatch.setattr(in_child, "_run", run)


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    """One for all: nothing may change it."""
    return ChannelSimulator(tmp_path_factory.mktemp("one") / "channel")


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")

    def recipe(data, name="model.pkl"):
        (tmp_path / name).write_bytes(data)
        (tmp_path / "recipe.toml").write_text(RECIPE.format(name))
        return Recipe.load(tmp_path / "recipe.toml")

    return recipe


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_there_are_kinds_enough():
    assert len(MARKING) >= 45
    assert len(EVERY) >= 80


@pytest.mark.parametrize("kind", EVERY)
def test_refused_before_a_call(kind, channel, recipe, tmp_path, forked):
    mark = tmp_path / "marks" / "mark"
    mark.parent.mkdir()
    before = tree(channel.directory)
    loaded = recipe(EVERY[kind](mark))
    refusal: tuple = (UntrustedPickleError, r"^'.*model\.pkl' \w+")
    if kind == PASSED_OVER:
        refusal = (SourceError, "no converter knows a .*Distribution")
    with pytest.raises(refusal[0], match=refusal[1]) as refused:
        add(loaded, Channel.open(channel.directory))
    assert "\n" not in str(refused.value)
    assert not mark.exists()
    assert mark.parent.is_dir()
    assert tree(channel.directory) == before


@pytest.mark.parametrize("part", range(4))
def test_without_the_list_each_leaves_its_mark(part, tmp_path):
    """The files are what they claim to be: opened by joblib, they do it."""
    for number, (kind, make) in enumerate(list(MARKING.items())[part::4]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model.pkl").write_bytes(make(folder / "mark"))
        process = os.fork()
        if process == 0:
            try:
                nothing = os.open(os.devnull, os.O_RDWR)
                for standard in range(3):
                    os.dup2(nothing, standard)
                joblib.load(folder / "model.pkl")
            finally:
                os._exit(0)
        os.waitpid(process, 0)
        deadline = time.monotonic() + 30
        # Some start a process and do not wait for it.
        while not (folder / "mark").exists():
            assert time.monotonic() < deadline, kind
            time.sleep(0.005)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pickles.file_of(pickles.system(Path("mark"))), r"'os\.system', which no model needs"),
        (
            pickles.file_of(pickles.name("team.steps", "Step")),
            r"trust_globals = \['team\.steps\.Step'\] \(--trust-global",
        ),
        (pickles.file_of(pickles.name("__main__", "Step")), "code of a notebook or script; move that class"),
        (pickles.file_of(pickles.name("sklearn.os", "system")), r"'sklearn\.os\.system', which is not on the list"),
        (pickles.file_of(pickles.name("sklearn.base", "clone")), r"'sklearn\.base\.clone', which is not on the list"),
        (pickles.file_of(pickles.name("numpy", "f2py")), r"'numpy\.f2py', which is not on the list"),
        (pickles.PROTO + b"\x82\x01.", "holds the opcode EXT1, which no library writes"),
    ],
)
def test_the_refusal_names_what_was_asked_for(tmp_path, data, says):
    (tmp_path / "m.pkl").write_bytes(data)
    with pytest.raises(UntrustedPickleError, match=says):
        open_pickle(tmp_path / "m.pkl")


def test_nothing_that_is_refused_is_imported(tmp_path):
    for module in ("sealift_mark_of_an_import", "sklearn.sealift_mark", "numpy.f2py.__main__", "sklearn.conftest"):
        (tmp_path / "m.pkl").write_bytes(file_of(pickles.name(module, "x")))
        with pytest.raises(UntrustedPickleError):
            open_pickle(tmp_path / "m.pkl")
        assert module not in sys.modules


def test_the_command_ends_with_62_and_one_line(channel, recipe, tmp_path, capsys):
    """In the real child."""
    recipe(inner(tmp_path / "mark"))
    before = tree(channel.directory)
    given = [str(tmp_path / "recipe.toml"), "--channel", str(channel.directory)]
    assert console.run(command, "sealift-bundler add", given) == 62
    (line,) = capsys.readouterr().err.splitlines()
    assert "asks for 'os.system'" in line
    assert line.endswith("[untrusted]")
    assert not (tmp_path / "mark").exists()
    assert tree(channel.directory) == before


def test_pickles_in_other_files_are_not_opened(tmp_path, recipe, channel, forked):
    mark = tmp_path / "mark"
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("model/data.pkl", inner(mark))
    array = io.BytesIO()
    np.save(array, np.array([pickles.Hostile(mark)], dtype=object), allow_pickle=True)
    arrays = io.BytesIO()
    np.savez(arrays, a=np.array([pickles.Hostile(mark)], dtype=object))
    opened = Channel.open(channel.directory)
    before = tree(channel.directory)
    # A model saved by PyTorch is a ZIP with a pickle in it.
    for data, name, says in (
        (zipped.getvalue(), "model.pkl", "is a ZIP archive and not a pickle"),
        (zipped.getvalue(), "model.pt", "is a pickle of PyTorch"),
        (zipped.getvalue(), "model.skops", "cannot be opened"),
        (array.getvalue(), "model.pkl", "cannot be opened"),
        (b"", "model.h5", "layers as compiled code"),
        (b"ZF0x10", "model.joblib", r"joblib before 0\.10"),
        (b"\x04\x22\x4d\x18", "model.joblib", "compressed with LZ4"),
    ):
        with pytest.raises(SourceError, match=says):
            add(recipe(data, name), opened)
    # Rows are no way in either.
    joblib.dump({"a": 1}, tmp_path / "model.pkl")
    for data, name in ((array.getvalue(), "rows.npy"), (arrays.getvalue(), "rows.npz"), (inner(mark), "rows.pkl")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=r"not a readable|have the suffix"):
            convert(tmp_path / "model.pkl", tmp_path / name)
    assert not mark.exists()
    assert tree(channel.directory) == before


def _laughs():
    return pickles.PROTO + b"]" + b"\x94" + b"".join(b"](" + b"h%c" % n * 9 + b"e\x94" for n in range(60)) + b"."


@pytest.mark.parametrize("place", ["alone", "in a pipeline", "in an array", "hidden"])
def test_a_skops_file_is_looked_at_as_a_pickle_is(place, channel, recipe, tmp_path, forked):
    """Its classes are all known: it is scikit-learn that calls the method of the array with what the step before gives."""
    mark = tmp_path / "mark"
    final = LogisticRegression().fit([[0.0], [1.0]], ["a", "b"])
    made = StackingClassifier([("x", final)])
    made.estimators_, made.stack_method_ = [np.array([b"any bytes"])], ["tofile"]
    made.final_estimator_, made._label_encoder, made.classes_ = final, [], final.classes_
    if place == "hidden":
        made = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        made.predict = np.mean
    elif place == "in an array":
        made = Pipeline([("s", FunctionTransformer(kw_args={"a": np.array([[made]], dtype=object)}))])
    elif place == "in a pipeline":
        path = FunctionTransformer(np.max, kw_args={"where": False, "initial": str(mark)})
        made = Pipeline([("array", FunctionTransformer(np.asarray)), ("path", path), ("writes", made)])
        made[0].feature_names_in_, made[0].n_features_in_ = np.array(["a", "b"], dtype=object), 2
    before = tree(channel.directory)
    with pytest.raises(
        UntrustedPickleError, match=r"lets a StackingClassifier call 'tofile'|sets the attribute 'predict'"
    ):
        add(recipe(skops.io.dumps(made), "model.skops"), Channel.open(channel.directory))
    assert not mark.exists()
    assert tree(channel.directory) == before


@pytest.mark.parametrize(
    "called", [getattr, re._compile, codecs.encode, np.memmap, scipy.stats._continuous_distns.norm_gen]
)
def test_a_skops_file_gets_no_name_that_something_else_stands_for(called, tmp_path):
    """A pickle gets our own function or class there; skops would take the library's."""
    skops.io.dump(FunctionTransformer(called), tmp_path / "m.skops")
    with pytest.raises(UntrustedPickleError, match="which is not of a known library"):
        open_model(tmp_path / "m.skops")


def test_an_estimator_of_ones_own_is_looked_at_as_one_of_scikit_learn(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "teams_stack.py").write_text(
        "from sklearn.ensemble import StackingClassifier\nclass Stack(StackingClassifier): pass\n"
    )
    state = pickles.mapping(estimators_=pickles.of([1]), stack_method_=pickles.of(["tofile"]))
    (tmp_path / "m.pkl").write_bytes(file_of(pickles.estimator(state, "Stack", "teams_stack")))
    with pytest.raises(UntrustedPickleError, match="lets a Stack call 'tofile'"):
        open_pickle(tmp_path / "m.pkl", ["teams_stack.Stack"])


def test_an_array_of_names_is_no_way_around(tmp_path):
    """Compared with a list it says neither yes nor no."""
    (tmp_path / "m.pkl").write_bytes(file_of(pickles.stacking(pickles.of(np.array(["tofile"])))))
    with pytest.raises(UntrustedPickleError, match="lets a StackingClassifier call"):
        open_pickle(tmp_path / "m.pkl")


def test_the_refusal_of_a_long_name_is_short(tmp_path):
    (tmp_path / "m.pkl").write_bytes(file_of(pickles.name("x" * 1_000_000, "y")))
    with pytest.raises(UntrustedPickleError) as refused:
        open_pickle(tmp_path / "m.pkl")
    assert len(str(refused.value)) < 2000


def test_an_expression_may_not_print_itself(tmp_path):
    (tmp_path / "m.pkl").write_bytes(file_of(pickles.call("re", "_compile", pickles.of("a"), pickles.of(128))))
    with pytest.raises(UntrustedPickleError, match=r"calls 're\._compile' with these arguments"):
        open_pickle(tmp_path / "m.pkl")


def test_what_a_child_says_and_starts_ends_with_it(tmp_path, monkeypatch):
    """It prints more than is kept, leaves a process behind that holds its standard error, and ends."""
    script = (
        "import os, subprocess, sys; os.write(1, b'o' * 1_000_000); os.write(2, b'e' * 1_000_000 + b'last words');"
        "sleeper = subprocess.Popen(['sleep', '60']); open(sys.argv[4] + '/sleeper', 'w').write(str(sleeper.pid))"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{script}" "$@"\n')
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    ended = in_child._run(tmp_path, tmp_path, ChildLimits())
    assert ended.returncode == 0
    assert ended.stderr.endswith(b"last words")
    assert len(ended.stderr) <= 4096
    sleeper = Path("/proc") / (tmp_path / "sleeper").read_text()
    deadline = time.monotonic() + 30
    while sleeper.exists() and "Z" not in (sleeper / "stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_file_starts_no_processes(tmp_path, monkeypatch):
    """`n_jobs` is its own number; the limit of memory holds for each process."""
    monkeypatch.setattr("sealift_bundler.proof.ladder.convert_object", lambda *_: joblib.effective_n_jobs(5000))
    joblib.dump(LogisticRegression(n_jobs=5000), tmp_path / "m.joblib")
    asked = {"name": "m", "version": "1.0.0", "tolerance": [0, 0], "imports": [], "trust_globals": [], "probe": False}
    asked |= {"model": str(tmp_path / "m.joblib"), "samples": None, "golden": None, "holdout": None, "frontend": None}
    assert child._convert(asked) == 1
    assert joblib.effective_n_jobs(2) == 2


GREEDY = {
    "a billion laughs": _laughs(),
    "lists in lists": pickles.PROTO + b"]" * 50_000 + b"a" * 49_999 + b".",
    "tuples in tuples": pickles.PROTO + b")" + b"\x85" * 50_000 + b".",
    "a text of a terabyte": pickles.PROTO + b"\x8d" + (1 << 40).to_bytes(8, "little") + b"x.",
    "bytes of a terabyte": pickles.PROTO + b"\x96" + (1 << 40).to_bytes(8, "little") + b"x.",
    "a memo of large numbers": pickles.PROTO
    + b"N"
    + b"".join(b"r" + n.to_bytes(4, "little") for n in range(0, 1 << 32, 1 << 26))
    + b".",
    "an array of a terabyte": None,
    "zlib of zeros": None,
}


def _greedy(kind):
    if kind == "an array of a terabyte":
        buffer = io.BytesIO()
        joblib.dump(np.zeros(77), buffer)
        return buffer.getvalue().replace(b"K\x4d", b"\x8a\x06" + (1 << 40).to_bytes(6, "little"), 1)
    if kind == "zlib of zeros":
        import zlib

        packer = zlib.compressobj(1)
        return b"".join(packer.compress(bytes(1 << 24)) for _ in range(6)) + packer.flush()
    return GREEDY[kind]


@pytest.mark.parametrize("kind", GREEDY)
def test_greedy_pickles_end_at_the_limits_of_the_child(kind, tmp_path, forked, monkeypatch):
    monkeypatch.setattr("sealift_bundler.source.pickles._MOST_EXPANDED_BYTES", 1 << 26)
    (tmp_path / "model.pkl").write_bytes(_greedy(kind))
    with pytest.raises((SourceError, UntrustedPickleError)) as refused:
        convert(tmp_path / "model.pkl", np.zeros((3, 2)), limits=ChildLimits(memory_bytes=16 << 30))
    assert len(str(refused.value)) < 2000


def test_damaged_pickles_are_refused_in_one_line(tmp_path):
    good = pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    for length in range(0, len(good), 7):
        (tmp_path / "m.pkl").write_bytes(good[:length])
        with pytest.raises(Error) as refused:
            open_pickle(tmp_path / "m.pkl")
        assert "\n" not in str(refused.value)
