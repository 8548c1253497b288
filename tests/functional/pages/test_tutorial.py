"""The tutorials, typed into a shell: every command runs, every line that a page shows appears."""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from support.pages.page_shell import Shell, Typed, commands, missing
from support.servers.registry_server import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TUTORIALS = ROOT / "docs" / "tutorial"


@pytest.fixture
def shell(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    environment |= {key: value for key, value in os.environ.items() if key in ("TMPDIR", "COVERAGE_PROCESS_START")}
    shell = Shell(work, environment)
    yield shell
    shell.close()
    # A page that promises to leave nothing behind elsewhere.
    assert list(home.iterdir()) == []


def test_the_page_is_read_as_a_person_reads_it():
    page = "```console\n$ one \\\n>   two\nout …\n```\n```bash\nthree\n```\n```text\nfour\n```\n"
    assert commands(page) == [Typed("one \\\n  two", ["out …"]), Typed("three\n", [])]
    assert missing(["a…c", "d"], ["abc", "x", "d"]) is None
    assert missing(["d", "abc"], ["abc", "d"]) == "abc"


@pytest.mark.parametrize(
    ("name", "least"), [("carry-a-model.md", 40), ("from-events-to-a-data-snapshot.md", 15)], ids=["carry", "events"]
)
def test_every_command_of_a_tutorial_does_what_the_page_shows(shell, require_tool, name, least):
    require_tool("curl")
    # Where the page says `${PORT:=8417}`, for other tests may listen there.
    shell.type(f"PORT={free_port()} CHECKOUT={shlex.quote(str(ROOT))}")
    typed = commands((TUTORIALS / name).read_text("utf-8"))
    assert len(typed) > least
    for one in typed:
        output = shell.type(one.command)
        line = missing([line for line in one.shown if line != "…"], output)
        assert line is None, f"$ {one.command}\nthe page shows: {line}\nthe shell says:\n" + "\n".join(output)
        if not one.shown:
            assert [line for line in output if line] == [], f"$ {one.command}\nsays more than the page: {output}"


def test_the_notebook_is_one_and_holds_what_the_page_shows():
    """The page's test runs its cells; what the file holds of their output is the same."""
    notebook = json.loads((TUTORIALS / "read-events.ipynb").read_text("utf-8"))
    # As nbformat 4.5 has it: https://nbformat.readthedocs.io/en/latest/format_description.html
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [1, 2, 3]
    own = {"cell_type", "id", "metadata", "source"}
    for cell in notebook["cells"]:
        assert set(cell) == (own | {"execution_count", "outputs"} if cell in code else own)
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {(output["output_type"], output["name"]) for output in outputs} == {("stream", "stdout")}
    held = "".join(text for output in outputs for text in output["text"]).splitlines()
    page = commands((TUTORIALS / "from-events-to-a-data-snapshot.md").read_text("utf-8"))
    (shown,) = (one.shown for one in page if "read-events.ipynb" in one.command and one.shown)
    assert held == shown
