"""The pages for people in Chromium: on A4, on a narrow screen, and what they fetch. Run by `make pages`."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from support.gitlab.training import TOML, Training
from support.pages.dossiers import HOSTILE, PAIR, ROWS, TRIAGE, WEIGHTS, Dossiers
from support.release.workbench import Workbench

from sealift_bundler.kit import carried
from sealift_bundler.kit.pages.html import html_pages
from sealift_pipeline.runs.document import Run
from sealift_pipeline.runs.handed_over import trained_in
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.training.drift.measuring import Measured
from sealift_pipeline.training.page import run_html

NARROW_PX = 360
# Paper of A4 in points, and the margin that the page asks for: 14 mm.
A4_POINTS = (595, 842)
MARGIN_POINTS = 39
PAGES = [
    *(f"pages/{model.name}@{model.version}.html" for model in (ROWS, PAIR, WEIGHTS, *TRIAGE)),
    "release/index.html",
    "preview.html",
    "report.html",
    "run-first.html",
    "run.html",
    "run-hostile.html",
]
_WIDTH = """<!doctype html><title>waits</title><iframe id="page" style="width:{px}px;height:800px;border:0"
src="{url}"></iframe><script>page.onload = () => {{ const root = page.contentDocument.documentElement;
document.title = `${{root.scrollWidth}} of ${{root.clientWidth}}`; }}</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every page that there is."""
    with pytest.MonkeyPatch.context() as patch:
        world = Dossiers(tmp_path_factory.mktemp("world"), patch)
        for words in (
            ["dossier", "ch", *(model.reference for model in (ROWS, PAIR, WEIGHTS, *TRIAGE)), "-o", "pages"],
            ["dossier", "ch", "-o", "release"],
            ["preview", "--channel", "ch", "--html", "preview.html"],
            ["add", "recipe.toml", "--channel", "ch", "--report", "report.html"],
        ):
            status, _, err = world.bundler(*words)
            assert status == 0, err
        for name, page in pages_of_runs(tmp_path_factory.mktemp("trained"), patch):
            (world.folder / name).write_text(page, "utf-8")
        yield world.folder


def pages_of_runs(folder, patch):
    """The page of a first run, of one with a champion, slices and drift, and of one whose names a browser would obey."""
    training = Training(Workbench(folder, patch))
    yield "run-first.html", training.retrain().page.read_text("utf-8")
    training.release()
    training.write(toml=TOML.replace("trials = 4", "trials = 24") + '[gate]\nslices = ["label"]\n')
    training.land(1_500, rule=lambda weight, _estimate: weight <= 4)
    page = training.retrain().page
    yield "run.html", page.read_text("utf-8")
    run, snapshot = (
        Run.parse((page.parent / "run.json").read_bytes()),
        Snapshot.parse((page.parent / "data-snapshot.json").read_bytes()),
    )
    (champion,) = (one for one in trained_in(training.channel) if one.released)
    slices = [{**one, "value": HOSTILE} for one in run.gate["slices"]]
    hostile = replace(
        run,
        gate={**run.gate, "slices": slices, "reasons": [f"worse where label is {HOSTILE}"], "passed": False},
        params={HOSTILE: "x" * 300},
        search={**run.search, "metric": HOSTILE},
        files={HOSTILE: "sha256:" + "a" * 64},
    )
    yield "run-hostile.html", run_html(hostile, snapshot, champion, [Measured(HOSTILE, "psi", 0.5, 0.25)])


@pytest.fixture
def browser(require_tool, tmp_path):
    """Run Chromium without a window on a file; it finds no other host."""

    def run(*options: str) -> str:
        command = [
            require_tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000", *options,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_a4(folder, browser, tmp_path, require_tool, name):
    pdf, words = tmp_path / "page.pdf", tmp_path / "words.html"
    browser("--no-pdf-header-footer", f"--print-to-pdf={pdf}", (folder / name).as_uri())
    subprocess.run([require_tool("pdftotext"), "-bbox", pdf, words], check=True)
    found = words.read_text("utf-8")
    sizes = {tuple(round(float(one)) for one in pair) for pair in re.findall(r'width="(.*?)" height="(.*?)"', found)}
    assert sizes == {A4_POINTS}
    ends = [float(end) for end in re.findall(r'xMax="(.*?)"', found)]
    assert len(ends) > 20
    assert max(ends) <= A4_POINTS[0] - MARGIN_POINTS + 1


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_screen_need_not_be_scrolled_sideways(folder, browser, tmp_path, name):
    frame = tmp_path / "frame.html"
    frame.write_text(_WIDTH.format(px=NARROW_PX, url=(folder / name).as_uri()))
    shown = browser("--allow-file-access-from-files", "--dump-dom", frame.as_uri())
    (wide, seen) = re.findall(r"<title>(\d+) of (\d+)</title>", shown)[0]
    assert int(wide) <= int(seen)


@pytest.mark.parametrize("name", PAGES)
def test_a_browser_asks_nobody_for_anything_and_runs_nothing(folder, browser, tmp_path, name):
    log = tmp_path / "net.json"
    shown = browser(f"--log-net-log={log}", "--dump-dom", (folder / name).as_uri())
    # The hostile texts name this host in an image, beside a script.
    assert "evil.test" not in log.read_text("utf-8")
    assert not re.search(r"<(script|img|link|iframe)\b", shown)


@pytest.fixture(scope="module")
def documentation(tmp_path_factory):
    """Every page of the documentation, as a kit carries them."""
    folder = tmp_path_factory.mktemp("documentation")
    for name, page in html_pages(
        {name: file.read_text("utf-8") for name, file in carried.pages().items()}, "1"
    ).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(page)
    return folder


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("ROLL back release", "how-to/instance/roll-back-a-release.html"),
        ("no-such-word-anywhere", None),
    ],
)
def test_the_search_finds_sections_from_files_and_may_fetch_nothing(documentation, browser, words, first):
    shown = browser("--dump-dom", f"{(documentation / 'search.html').as_uri()}?q={quote(words)}")
    assert "default-src 'none'" in shown
    found = re.findall(r'<li><a href="([^"#]+)', shown)
    assert ("0 sections" in shown) == (not found)
    if first is not None:
        assert found[0].endswith(first)
    for one in found:
        assert (documentation / one).is_file()


def test_the_browser_would_notice(browser, tmp_path):
    """The same text as markup: the tests above can fail."""
    page, log = tmp_path / "page.html", tmp_path / "net.json"
    page.write_text("<!doctype html><img src=http://evil.test/x><pre style='width:900px'>wide</pre>")
    assert "<img" in browser(f"--log-net-log={log}", "--dump-dom", page.as_uri())
    assert "evil.test" in Path(log).read_text("utf-8")
