"""The page about retraining on a schedule, typed into a shell; tests/tuning types the one about several machines."""

from pathlib import Path

import pytest
from support.gitlab.training import Training
from support.pages.admin_page import Page
from support.release.workbench import Workbench

pytestmark = pytest.mark.slow
# What the project of the page learns from.
TITLES = {
    "type::bug": ["The search fails after the upgrade", "The editor shows an error", "The runner loses a line"],
    "type::feature": [
        "The search should support dark mode",
        "The editor needs a shortcut",
        "The runner should list owners",
    ],
}


def test_retrain_on_a_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(tmp_path)
    Training(Workbench(page.work, monkeypatch), 560, titles=TITLES)
    page.set(SEALIFT_PASSPHRASE="correct horse")
    page.follow("retrain-on-a-schedule.md")
