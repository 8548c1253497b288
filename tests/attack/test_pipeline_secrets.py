"""Fifty secrets in events: none is in the log, its journal, a table, the table's log or a snapshot; all are without protection."""

from pathlib import Path

from support.gitlab.pipeline import land, new_pipeline, put
from support.gitlab.secrets import PLANTED, found, planted_events

from sealift_pipeline.cli import command
from sealift_pipeline.log.opening import open_log

NUMBER = 250


def unprotected(text):
    """The data policy of `init` with every text and person kept as it is, and the names of persons in addition."""
    text = text.replace('type = "text"', 'type = "str"')
    lines = [line for line in text.splitlines() if 'type = "person"' not in line]
    names = {"[push]": "user_name", "[pipeline]": "user.name", "[issue]": "user.name", "[note]": "user.name"}
    return (
        "\n".join(
            f'{line}\nwho = {{ path = "{names[line]}", type = "str" }}' if line in names else line
            for line in lines
            if line != "[user_destroy]"
        )
        + "\n"
    )


def carried(settings, call):
    """Land half of the events and leave half in the log, and cite what was landed."""
    events = planted_events(NUMBER)
    put(settings, events[: NUMBER // 2])
    before = found(settings.folder)
    land(settings)
    assert call(command, "snapshot", "issue", "--pipeline", settings.folder)[0] == 0
    put(settings, events[NUMBER // 2 :], first=NUMBER)
    return before


def test_no_planted_secret_is_in_any_file(tmp_path, call):
    settings = new_pipeline(tmp_path / "p")
    assert carried(settings, call) == set()
    with open_log(settings) as log:
        assert log.position().waiting == NUMBER - NUMBER // 2
        assert found(settings.folder) == set()


def test_the_same_search_finds_all_of_them_where_the_policy_protects_nothing(tmp_path, call):
    settings = new_pipeline(tmp_path / "p")
    path = Path(settings.folder, "data-policy.toml")
    path.write_text(unprotected(path.read_text()))
    before = carried(settings, call)
    assert before == set(PLANTED)
    assert found(settings.folder / "table") == set(PLANTED)
