"""What the pages say of the code is so: every error they quote, and every command they describe."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ERROR_HEADING = re.compile(r"^### `([^`]*)`(?: or `([^`]*)`)?$", re.MULTILINE)


def messages() -> list[str]:
    """Every string of the product's code, with `…` for each value that is put into it."""
    found = []
    for wing in ("bundler", "loader", "keys"):
        for path in (ROOT / wing).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                    found.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").glob("*.md")), ids=lambda page: page.name)
def test_every_error_under_troubleshooting_is_one_that_the_code_raises(page: Path) -> None:
    known = "\n".join(messages())
    headings = [text for match in _ERROR_HEADING.findall(page.read_text("utf-8")) for text in match if text]
    assert headings
    for heading in headings:
        # Values of an f-string, and those that repr() puts in quotes, are `…` on the page.
        for fragment in re.split(r"'?…'?", heading):
            assert fragment.strip(" ;,:()") in known, f"{page.name}: {heading}"


@pytest.mark.parametrize("generator", ["generate_api.py", "generate_commands.py"])
def test_a_generated_page_is_up_to_date(generator: str) -> None:
    check = [sys.executable, str(ROOT / "docs" / generator), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
