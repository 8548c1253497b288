"""The report of a conversion: one page, everything in it, nothing from elsewhere."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from sealift_bundler import convert
from sealift_bundler.cli.convert import command
from sealift_bundler.proof.pages.conversion_page import report_html
from sealift_common import console

pytestmark = pytest.mark.usefixtures("opened_here")

GENERATOR = np.random.default_rng(0)
FRAME = pd.DataFrame({"<b>&price": GENERATOR.normal(size=60), "count": GENERATOR.integers(0, 9, 60)})


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.links = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "action")]


@pytest.fixture(scope="module")
def conversion():
    return convert(LogisticRegression().fit(FRAME, np.where(FRAME["count"] > 4, "high", "low")), FRAME, name="shop")


def test_the_page_shows_the_proof(conversion):
    page = report_html(conversion)
    parity = conversion.parity
    for shown in ("shop 0.0.0", f"{parity['rows']:,}", "float32", "proven", *parity["edge_rows"], "MatMul"):
        assert shown in page
    circles = page.count("<circle")
    assert circles == 3 * len(parse_rows(conversion))  # two probabilities and a score for each recorded row


def parse_rows(conversion):
    from sealift.model.documents.golden import parse

    return parse(conversion.files["golden.json"])[0].outputs["predict"]


def test_nothing_comes_from_elsewhere_and_names_are_escaped(conversion):
    text = report_html(conversion)
    page = Page(text)
    assert page.links == []
    assert "script" not in page.tags
    assert "b" not in page.tags[page.tags.index("table") :]
    assert "url(" not in text
    assert "@import" not in text
    assert not re.findall(r"https?://", text)
    assert "default-src 'none'" in text
    assert "&lt;b&gt;&amp;price" in text


def test_the_page_does_not_change_from_run_to_run(conversion):
    assert report_html(conversion) == report_html(conversion)


def test_worst_rows_have_columns_for_answers_only_where_these_are_recorded(conversion):
    worst = '<th>answer</th>{}<th class="number">error</th>'
    answers = '<th class="number">original</th><th class="number">converted</th>'
    recorded = [row for row in conversion.parity["worst_rows"] if "got" in row]
    assert worst.format(answers if recorded else "") in report_html(conversion)
    assert "caller" not in report_html(conversion)
    texts = ["it crashes", "please add a button"] * 20
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, ["bug", "wish"] * 20)
    assert worst.format("") in report_html(convert(model, texts))


def test_the_command_writes_it(tmp_path, capsys):
    import joblib

    joblib.dump(LinearRegression().fit(FRAME, FRAME["count"] * 2.0), tmp_path / "model.joblib")
    FRAME.to_json(tmp_path / "rows.json", orient="records")
    arguments = [str(tmp_path / "model.joblib"), "--samples", str(tmp_path / "rows.json"), "-o", str(tmp_path / "out")]
    assert (
        console.run(command, "sealift-bundler convert", [*arguments, "--report", str(tmp_path / "no" / "r.html")]) == 2
    )
    assert console.run(command, "sealift-bundler convert", [*arguments, "--report", str(tmp_path / "r.html")]) == 0
    assert "<svg" in (tmp_path / "r.html").read_text("utf-8")
    assert "report in" in capsys.readouterr().out
