"""Code that a model's file brings runs in a child of ours: it finds no secret in its environment, and nothing open."""

import ast
import json
import os
from pathlib import Path

import pytest
from support.hostile.own_code import FULL, own_pickle

from sealift.child_environment import child_environment
from sealift.errors import Error
from sealift.model.documents.description import Requirements
from sealift.model.trial.process import SelfTestProcess
from sealift_bundler import convert
from sealift_bundler.kit import download as kit_download
from sealift_bundler.kit import own_wheel
from sealift_bundler.kit.target import Target

SECRETS = {
    "SEALIFT_PASSPHRASE": "hunter2",
    "SEALIFT_PASSPHRASE_BUILDER": "hunter2",
    "GITLAB_TOKEN": "hunter2",
    "CI_JOB_TOKEN": "hunter2",
    "SEALIFT_ID_TOKEN": "hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "VAULT_TOKEN": "hunter2",
    "PYKCS11PIN": "hunter2",
}
NEEDED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_TIME": "C.UTF-8", "LD_LIBRARY_PATH": "/nowhere"}
LOOK = """
import json, os
from pathlib import Path
links = {number: os.readlink(f'/proc/self/fd/{number}') for number in os.listdir('/proc/self/fd') if int(number) < 3}
found = {'environment': dict(os.environ), 'directory': os.getcwd(), 'open': sorted(map(int, os.listdir('/proc/self/fd')))}
Path(SEEN).write_text(json.dumps({**found, 'links': links}))
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch, tmp_path):
    for name, value in {**SECRETS, **NEEDED}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", f"modules:{os.pathsep}{tmp_path}")
    monkeypatch.chdir(tmp_path)


def holds_no_secret(environment, tmp_path):
    assert "hunter2" not in json.dumps(environment)
    assert not set(SECRETS) & set(environment)
    assert {name: environment.get(name) for name in NEEDED} == NEEDED
    # Absolute, because the child stands elsewhere; and nothing for an empty entry.
    assert environment["PYTHONPATH"].split(os.pathsep) == [str(tmp_path / "modules"), str(tmp_path)]


def test_a_pickle_sees_no_secret_and_nothing_of_ours_open(tmp_path, monkeypatch):
    """Even where the caller trusts what it calls."""
    body = LOOK.replace("SEEN", repr(str(tmp_path / "seen")))
    (tmp_path / "m.pkl").write_bytes(own_pickle(tmp_path, monkeypatch, body))
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    with (tmp_path / "secret").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        with pytest.raises(Error):
            convert(tmp_path / "m.pkl", tmp_path / "s.csv", name="m", version="1.0.0", trust_globals=[FULL])
    seen = json.loads((tmp_path / "seen").read_text())
    holds_no_secret(seen["environment"], tmp_path)
    assert seen["directory"] != str(tmp_path)
    assert not Path(seen["directory"]).exists()
    assert seen["links"]["0"] == os.devnull
    # Its own standard streams, the pickle, and the folder that it lists.
    assert len(seen["open"]) <= 5, seen


def test_the_child_of_the_self_test_sees_no_secret(tmp_path):
    with SelfTestProcess() as process:
        process.lacks(Requirements("", 1, {}), "nothing")
        own = Path(f"/proc/{process._child.pid}")
        variables = (own / "environ").read_bytes().decode().split("\0")
        holds_no_secret(dict(line.split("=", 1) for line in variables if line), tmp_path)
        assert os.readlink(own / "cwd") == "/"


def test_pip_and_the_build_see_no_secret_but_pip_sees_its_index(monkeypatch, tmp_path):
    given = []

    def run(_command, *, env, **_):
        given.append(env)
        raise InterruptedError

    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid")
    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(InterruptedError):
        kit_download.download([], Target("linux-x86_64", "3.12"), tmp_path)
    with pytest.raises(InterruptedError):
        own_wheel._build(tmp_path, tmp_path)
    for environment in given:
        holds_no_secret(environment, tmp_path)
    assert [environment.get("PIP_INDEX_URL") for environment in given] == ["http://index.invalid", None]


def test_every_child_in_the_tree_is_given_an_environment():
    """A new child process has to say what it may see."""
    found = 0
    for package in ("bundler", "loader", "keys"):
        for path in (Path(__file__).parents[3] / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    called = ast.unparse(node.func)
                    assert not called.startswith(("os.system", "os.popen", "os.spawn", "os.exec", "os.posix_spawn"))
                    if called.startswith("subprocess.") and called != "subprocess.CompletedProcess":
                        found += 1
                        assert "env" in {keyword.arg for keyword in node.keywords}, path
    assert found == 9


def test_what_no_list_names_does_not_pass():
    assert child_environment({"PATH": "/bin", "LC_ALL": "C", "OMPI": "x", "MY_TOKEN": "x"}) == {
        "PATH": "/bin",
        "LC_ALL": "C",
    }
