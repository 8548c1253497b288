"""The clients of "Serve models to Ruby, Go and Node" are run as the page has them, against a server that runs.

Go's compiler takes half a minute to install, so `make serve-clients` runs the program for it.
"""

import re
import subprocess
from pathlib import Path

import pytest
from support.servers.model_server import serving

from sealift.testing import ToyModel, toy_store

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "applications" / "serve-models-to-ruby-go-and-node.md"
SOCKET = "/run/sealift/serve.sock"
TRIAGE = ToyModel(
    columns={"title": "str", "comments": "int"},
    classes=("bug", "feature", "question"),
    answers={"Crash on start": "bug", "Add dark mode": "feature"},
    default="question",
)


@pytest.fixture(scope="module")
def client():
    with toy_store(models={"issue-triage": TRIAGE}) as toys, serving(toys.store) as client:
        yield client


def blocks(language):
    """The page's blocks of a language, and what the console block behind the first of them prints."""
    text = PAGE.read_text("utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    assert found
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def said(command):
    """What the page says that a command prints."""
    match = re.search(rf"^\$ {re.escape(command)}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert match
    return match[1]


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("language", "file", "tool"), [("ruby", "triage.rb", "ruby"), ("javascript", "triage.mjs", "node")]
)
def test_a_client_of_the_page(client, language, file, tool, tmp_path, require_tool):
    (program,) = blocks(language)
    (tmp_path / file).write_text(program.replace(SOCKET, str(client.path)))
    status, out, err = run([require_tool(tool), tmp_path / file])
    assert (status, out, err) == (0, said(f"{tool} {file}"), "")
    # What the server refuses, the client says.
    (tmp_path / file).write_text(program.replace(SOCKET, str(client.path)).replace('"comments"', '"other"'))
    status, out, err = run([tool, tmp_path / file])
    assert (status, out) == (1, "")
    assert "400 input: column 'comments' is missing" in err
    # And a server that is not there is an error of its own.
    (tmp_path / file).write_text(program.replace(SOCKET, str(tmp_path / "none")))
    status, out, err = run([tool, tmp_path / file])
    assert (status, out) == (1, "")
    assert "ENOENT" in err


def test_the_commands_of_the_page(client, require_tool):
    require_tool("curl")
    look, ask = blocks("shell")
    status, out, _ = run(["sh", "-c", look.replace(SOCKET, str(client.path))])
    assert status == 0
    assert '"classes":["bug","feature","question"]' in out
    status, out, _ = run(["sh", "-c", ask.replace(SOCKET, str(client.path))])
    assert (status, out.count('"data":["bug","feature"]')) == (0, 1)
    status, out, _ = run(["sh", "-c", ask.replace(SOCKET, str(client.path)).replace("[3, 0]", "[3]")])
    assert (status, '"code": "input"' in out) == (22, True)
