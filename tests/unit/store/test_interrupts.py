"""A signal is heard once, late at most, and never lost to an error of the cleaning up."""

import os
import signal
import sys

import click
import pytest

from sealift.errors import NoSpaceError
from sealift_common import console, interrupts
from sealift_common.console import entry, run


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in interrupts.ENDING}
    interrupts.raise_on_signals()
    yield
    interrupts._State.heard = interrupts._State.waiting = None
    for number, handler in before.items():
        signal.signal(number, handler)


def _end():
    os.kill(os.getpid(), signal.SIGTERM)


def test_it_waits_for_the_end_of_what_belongs_together():
    done = []

    def switch():
        with interrupts.postponed():
            _end()
            done.append(1)

    with pytest.raises(interrupts.Interrupted):
        switch()
    assert done == [1]


def test_it_is_not_lost_when_what_belongs_together_fails():

    def switch():
        with interrupts.postponed():
            _end()
            raise NoSpaceError("full")

    with pytest.raises(NoSpaceError):
        switch()
    with pytest.raises(interrupts.Interrupted):
        interrupts.raise_if_heard()


@pytest.mark.parametrize("error", [OSError(9, "Bad file descriptor"), NoSpaceError("full")])
def test_an_error_of_the_cleaning_up_does_not_hide_it(error, capsys):
    @click.command()
    def command():
        try:
            _end()
        finally:
            raise error

    assert run(command, "x", []) == 143
    assert capsys.readouterr().err == "x: interrupted; nothing half-done is left active\n"


def test_a_second_one_is_no_traceback(monkeypatch, capsys):
    """`timeout` sends two: one to the process, one to its group."""
    monkeypatch.setattr(console, "_let_go_of_stdout", _end)
    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit) as ended:
        entry(click.command()(_end), "x")()
    assert ended.value.code == 143
    assert capsys.readouterr().err == "x: interrupted; nothing half-done is left active\n"
