"""The table of promises, the page that `make bench` writes, and its plot."""

from html.parser import HTMLParser

import pytest
from bench import page
from bench.promises import COLLECTED, Promise, promise, read, table

SEEN = [
    Promise("verify 1 GB: sha256sum", 1.05, 1.15, 1.15),
    Promise("8 threads: session.run", 0.9, 0.97, 0.97, at_least=True),
]


@pytest.mark.parametrize(
    ("seen", "promised", "aim", "at_least", "kept", "loose"),
    [
        (1.2, 1.25, 1.0, False, True, False),
        (1.3, 1.25, 1.0, False, False, False),
        (1.2, 1.3, 1.0, False, True, True),
        (0.98, 0.97, 0.97, True, True, False),
        (0.96, 0.97, 0.97, True, False, False),
        (0.8, 0.7, 0.97, True, True, True),
    ],
)
def test_a_promise_is_kept_and_near_its_aim(seen, promised, aim, at_least, kept, loose):
    said = Promise("ours: theirs", seen, promised, aim, at_least)
    assert (said.kept, said.loose) == (kept, loose)
    assert ("BROKEN" in str(said), "LOOSE" in str(said)) == (not kept, loose)


def test_promises_of_several_processes_are_collected(tmp_path, monkeypatch):
    monkeypatch.setenv(COLLECTED, str(tmp_path / "collected"))
    assert promise("a: b", 1.1, 1.2)
    assert not promise("c: d", 1.1, 2.0, 1.0)
    assert read(tmp_path / "collected") == [Promise("a: b", 1.1, 1.2, 1.2), Promise("c: d", 1.1, 2.0, 1.0)]
    assert table(read(tmp_path / "collected")).count("\n") == 2


def test_the_page_is_written_between_its_marks_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "PLOT", tmp_path / "plot.svg")
    written = tmp_path / "page.md"
    written.write_text(page.PAGE.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(page, "PAGE", written)
    for _ in range(2):
        page.write(SEEN, "A machine", 7, 12.3)
    text = written.read_text("utf-8")
    assert text.count("| verify 1 GB: sha256sum | 1.05 | ≤ 1.15 | 1.15 |\n") == 1
    assert text.count("| 8 threads: session.run | 0.90 (missed) | ≥ 0.97 | 0.97 |\n") == 1
    assert "A machine. Medians of 7 rounds; the whole run took 12 minutes." in text
    assert "takes 1.05 times as long as `sha256sum`" in text
    assert text.index("1.05 times as long") < text.index("performance.svg") < text.index("## What we promise")


class Tags(HTMLParser):
    """The tags of a picture, each with its attributes, and how many are open."""

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_plot_is_a_picture_with_a_bar_for_each_side():
    drawn = Tags()
    drawn.feed(page.plot(SEEN))
    assert drawn.open == []
    assert drawn.found[0][0] == "svg"
    widths = [float(attributes["width"]) for tag, attributes in drawn.found if tag == "rect"][1:]
    assert widths == pytest.approx([1.05 * widths[1], widths[1]], abs=1)
