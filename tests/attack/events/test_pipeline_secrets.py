"""Fifty secrets in events: none is in the log, its journal, a table, the table's log or a snapshot; all are without protection."""

from pathlib import Path

from support.gitlab.pipeline import new_pipeline
from support.gitlab.secrets import PLANTED, carried, found, unprotected

from sealift_pipeline.log.opening import open_log

NUMBER = 250


def test_no_planted_secret_is_in_any_file(tmp_path):
    settings = new_pipeline(tmp_path / "p")
    assert carried(settings, NUMBER) == set()
    with open_log(settings) as log:
        assert log.position().waiting == NUMBER - NUMBER // 2
        assert found(settings.folder) == set()


def test_the_same_search_finds_all_of_them_where_the_policy_protects_nothing(tmp_path):
    settings = new_pipeline(tmp_path / "p")
    path = Path(settings.folder, "data-policy.toml")
    path.write_text(unprotected(path.read_text()))
    before = carried(settings, NUMBER)
    assert before == set(PLANTED)
    assert found(settings.folder / "table") == set(PLANTED)
