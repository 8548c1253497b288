"""The pure parts of a kit: locks, tags, manual pages, HTML; and that its script can be read by an old Python."""

import ast
import json
import re
from datetime import date
from pathlib import Path

import click
import pytest

from sealift_bundler.errors import GateError
from sealift_bundler.kit import carried
from sealift_bundler.kit.lock import parse_lock
from sealift_bundler.kit.pages.html import html_pages
from sealift_bundler.kit.pages.man import man_page
from sealift_bundler.kit.pages.roff import escape, sentence
from sealift_bundler.kit.target import PLATFORMS, PYTHONS, Target

ONE, TWO = "1" * 64, "2" * 64


def test_markers_of_a_lock_are_those_of_the_target_and_not_of_this_machine():
    text = (
        f"# a comment\nall==1.0 \\\n    --hash=sha256:{ONE} \\\n    --hash=sha256:{TWO}\n"
        f"arm==2.0 ; platform_machine == 'aarch64' --hash=sha256:{ONE}\n"
        f"old==3.0 ; python_full_version < '3.12' and sys_platform == 'linux' --hash=sha256:{ONE}\n"
        f"never==4.0 ; sys_platform == 'win32' --hash=sha256:{ONE}\n"
    )
    names = {
        str(target): [pin.name for pin in parse_lock(text, target)]
        for target in (Target("linux-aarch64", "3.11"), Target("linux-x86_64", "3.13"))
    }
    assert names == {
        "linux-aarch64, Python 3.11": ["all", "arm", "old"],
        "linux-x86_64, Python 3.13": ["all"],
    }
    (pin,) = parse_lock(text, Target("linux-x86_64", "3.13"))
    assert pin.requirement() == f"all==1.0 --hash=sha256:{ONE} --hash=sha256:{TWO}"


def test_a_kit_carries_what_its_python_lacks():
    """Compressed blobs: a package until Python 3.13, the standard library from then on; all else is the same."""
    lock = (Path(__file__).parents[3] / "requirements" / "base.lock").read_text("utf-8")
    names = {python: {pin.name for pin in parse_lock(lock, Target("linux-aarch64", python))} for python in PYTHONS}
    assert names["3.14"] == names["3.13"] - {"backports-zstd"} != names["3.13"]
    assert names["3.11"] == names["3.12"] == names["3.13"]


@pytest.mark.parametrize(
    "line",
    [
        "click==8.0",
        f"click>=8.0 --hash=sha256:{ONE}",
        f"click --hash=sha256:{ONE}",
        "click==8.0 --hash=md5:00",
        f"click==8.0 --hash=sha256:{ONE[:-1]}",
        f"--index-url x --hash=sha256:{ONE}",
    ],
)
def test_a_line_without_version_or_sha256_is_refused(line):
    with pytest.raises(GateError, match="make lock"):
        parse_lock(line + "\n", Target("linux-x86_64", "3.11"))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_newer_systems_come_first_among_the_tags(platform):
    tags = list(map(str, Target(platform, "3.12").tags()))
    machine = PLATFORMS[platform]
    ordered = [
        f"cp312-cp312-manylinux_2_28_{machine}",
        f"cp312-cp312-manylinux_2_17_{machine}",
        f"cp312-cp312-manylinux2014_{machine}",
        f"cp39-abi3-manylinux_2_28_{machine}",
        "py3-none-any",
    ]
    assert [tags.index(tag) for tag in ordered] == sorted(tags.index(tag) for tag in ordered)
    # What an older glibc cannot run, another machine's, another Python's.
    assert not [tag for tag in tags if "manylinux_2_29" in tag or "cp313" in tag]
    assert {tag.rsplit("-", 1)[1].removeprefix("manylinux_2_28_") for tag in tags if "2_28" in tag} == {machine}


def test_both_lock_files_hold_something_for_every_target():
    for platform in PLATFORMS:
        for python in PYTHONS:
            for name, wanted in (("base.lock", "onnxruntime"), ("kit.lock", "pip")):
                pins = parse_lock(carried.lock(name).read_text("utf-8"), Target(platform, python))
                assert wanted in {pin.name for pin in pins}


def test_nothing_in_a_text_is_an_instruction_to_the_formatter():
    assert escape(".SH no heading") == "\\&.SH no heading"
    assert escape("'tis a --flag\\fB") == "\\&'tis a \\-\\-flag\\efB"
    assert escape("1 … 2") == "1 \\[u2026] 2"
    assert sentence("run `a -b` now") == "run \\fBa \\-b\\fR now"
    # A line that is broken before a dot.
    lines = sentence("x" * 76 + " .so /etc/passwd").splitlines()
    assert lines[1] == "\\&.so /etc/passwd"


def test_a_manual_page_says_all_that_help_says():
    @click.group(epilog="\b\nkept\n  as it is")
    def group() -> None:
        """Do things."""

    @group.command()
    @click.argument("name")
    @click.option("--store", envvar="STORE", default="/var", show_default=True, help="Where.")
    @click.option("--twice", multiple=True, required=True, help="More.")
    def go(name: str, store: str, twice: tuple[str, ...]) -> None:
        """Go there."""

    page = man_page("tool", group, version="1.0", day=date(2026, 1, 2), see_also=["other"])
    assert page.startswith('.TH TOOL 1 2026-01-02 "Sealift 1.0" "Sealift"\n.SH NAME\ntool \\- do things\n')
    assert "\\fBtool go\\fR \\fI[OPTIONS]\\fR \\fINAME\\fR" in page
    assert "\\fB\\-\\-store\\fR \\fITEXT\\fR\nWhere. Default: \\fB/var\\fR." in page
    assert "More. Required. May be given several times." in page
    assert ".SH ENVIRONMENT\n.TP\n\\fBSTORE\\fR\nWhere." in page
    assert ".nf\nkept\n  as it is\n.fi" in page


def test_pages_link_to_each_other_as_html():
    pages = {
        "index.md": "# Start\n\n[a](how-to/a.md#two-words) [out](https://example.org/x.md)\n",
        "how-to/a.md": "<!-- made -->\n\n# A & B\n\n## Two words!\n\n[back](../index.md) `[no](../index.md)`\n\n|a|\n|-|\n|b|\n",
    }
    made = {name: data.decode() for name, data in html_pages(pages, "1.0").items()}
    assert set(made) == {"index.html", "how-to/a.html", "search.html"}
    assert 'href="how-to/a.html#two-words"' in made["index.html"]
    assert 'href="https://example.org/x.md"' in made["index.html"]
    assert '<h2 id="two-words">' in made["how-to/a.html"]
    assert "<title>A &amp; B</title>" in made["how-to/a.html"]
    assert made["how-to/a.html"].count('href="../index.html"') == 2
    assert '<form action="../search.html">' in made["how-to/a.html"]
    assert "<td>b</td>" in made["how-to/a.html"]


def test_the_search_has_every_section_and_a_text_cannot_end_it():
    text = (
        "# A\n\nFirst `code`.\n\n## Two words!\n\n```shell\nsealift </script><b>\n```\n\n|a|b|\n|-|-|\n|c|[d](b.md)|\n"
    )
    page = html_pages({"how-to/a.md": text}, "1.0")["search.html"].decode()
    (data,) = re.findall(r'<script type="application/json" id="sections">(.*)</script>', page)
    assert json.loads(data) == [
        {"href": "how-to/a.html", "title": "A", "heading": "", "text": "First code."},
        {
            "href": "how-to/a.html#two-words",
            "title": "A",
            "heading": "Two words!",
            "text": "sealift </script><b> a b c d",
        },
    ]
    assert page.count("</script>") == 2


@pytest.mark.parametrize("script", carried.INSTALL_SCRIPTS, ids=lambda script: script.name)
def test_an_old_python_can_read_the_scripts_and_say_that_it_is_too_old(script):
    ast.parse(script.read_text("utf-8"), feature_version=(3, 7))
