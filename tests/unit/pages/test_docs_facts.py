"""What the pages say of the code is so: every error they quote, and every command they describe."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_ERROR_HEADING = re.compile(r"^### `([^`]*)`(?: or `([^`]*)`)?$", re.MULTILINE)


@cache
def messages() -> list[str]:
    """Every string of the product's code, with `…` for each value that is put into it."""
    found = []
    for wing in ("bundler", "loader", "keys", "common"):
        for path in (ROOT / wing).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                    found.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").rglob("*.md")), ids=lambda page: page.name)
def test_every_error_under_troubleshooting_is_one_that_the_code_raises(page: Path) -> None:
    known = "\n".join(messages())
    headings = [text for match in _ERROR_HEADING.findall(page.read_text("utf-8")) for text in match if text]
    assert headings
    for heading in headings:
        # Values of an f-string, and those that repr() puts in quotes, are `…` on the page.
        for fragment in re.split(r"'?…'?", heading):
            assert fragment.strip(" ;,:()") in known, f"{page.name}: {heading}"


def anchors(page: Path) -> set[str]:
    """What a link into the page may name, as GitLab and GitHub make it from the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    assert len(pages) > 30
    broken = []
    for page in pages:
        prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", prose):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            found = "://" in link or (target.exists() and (not anchor or anchor in anchors(target)))
            if not found:
                broken.append(f"{page.name}: {link}")
    assert broken == []


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("*/**/*.md")]
    assert [page for page in pages if f"({page})" not in index] == []


@pytest.mark.parametrize("generator", ["generate_api.py", "generate_commands.py"])
def test_a_generated_page_is_up_to_date(generator: str) -> None:
    check = [sys.executable, str(ROOT / "docs" / generator), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
