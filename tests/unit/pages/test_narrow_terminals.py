"""Tables on terminals of 80 and of 40 columns, and where there is no terminal."""

import sys

import pytest

from sealift_common.columns import drawn_over, styled_table, table

HEADS = ["model", "version", "size", "state"]
ROWS = [
    [
        "issue-triage-of-a-group",
        "1.4.0",
        "",
        "withdrawn: answers wrongly, and nobody knows for how long it has done so",
    ],
    ["toy", "1.10.0", "15.4 kB", "active"],
]


@pytest.fixture
def terminal(monkeypatch):
    def of(columns):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))

    return of


def test_no_terminal_gets_a_line_for_each_row(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert len(table(ROWS, HEADS).split("\n")) == 3
    assert "\x1b" not in styled_table(ROWS, HEADS)


def test_what_fits_is_as_elsewhere(terminal, monkeypatch):
    elsewhere = table(ROWS, HEADS)
    terminal(200)
    assert table(ROWS, HEADS) == elsewhere
    monkeypatch.setenv("NO_COLOR", "1")
    assert styled_table(ROWS, HEADS) == elsewhere


def test_the_last_column_is_wrapped_below_itself(terminal):
    terminal(80)
    assert table(ROWS, HEADS).split("\n") == [
        "model                    version  size     state",
        "issue-triage-of-a-group  1.4.0             withdrawn: answers wrongly, and",
        "                                           nobody knows for how long it has done",
        "                                           so",
        "toy                      1.10.0   15.4 kB  active",
    ]
    assert "\x1b[32m" in styled_table(ROWS, HEADS)


def test_where_columns_do_not_fit_a_row_is_a_block(terminal):
    terminal(40)
    assert table(ROWS, HEADS).split("\n") == [
        "model    issue-triage-of-a-group",
        "version  1.4.0",
        "state    withdrawn: answers wrongly, and",
        "         nobody knows for how long it",
        "         has done so",
        "",
        "model    toy",
        "version  1.10.0",
        "size     15.4 kB",
        "state    active",
    ]


def test_a_digest_stays_in_one_piece(terminal):
    terminal(40)
    digest = "sha256:" + "a" * 64
    assert digest in table([["toy", digest]], ["model", "digest"])


def test_a_table_without_rows_is_its_head(terminal):
    terminal(40)
    assert table([], ["model", "state"]) == "model  state"
    assert table([["x" * 60]], ["model"]) == "model\n" + "x" * 60


def test_a_line_that_is_drawn_over_never_wraps(terminal):
    terminal(40)
    assert drawn_over("x" * 39) == "x" * 39
    assert drawn_over("x" * 40) == "x" * 38 + "…"
