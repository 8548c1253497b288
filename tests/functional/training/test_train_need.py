"""`drift` and `retrain --if-needed`: what speaks for training again; and that nothing planted in events is released."""

import json
from pathlib import Path

import pytest
from support.gitlab.pipeline import rows
from support.gitlab.secrets import PLANTED
from support.gitlab.training import POLICY, TEXT_CODE, TOML, Training, here
from support.release.workbench import Workbench

from sealift_bundler.errors import DisclosureError
from sealift_pipeline.cli import command
from sealift_pipeline.erasure.erasing import erase
from sealift_pipeline.erasure.journal import Erasure
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.training.reproducing import read_given, reproduce

LENIENT = TOML + '[gate]\nrule = "no_worse"\nmargin = 0.2\n'
WHOLE_WORDS = TEXT_CODE.replace('"min_df": [1, 2]', '"min_df": [1]').replace(
    "min_df=params", 'lowercase=False, token_pattern=r"\\S+", min_df=params'
)


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    return Training(Workbench(tmp_path, monkeypatch), 560, toml=TOML + "[retrain]\nnew_rows = 300\n")


def drift(training, call):
    status, out, err = call(command, "drift", "triage.toml", "--json", "--pipeline", "events")
    assert status == 0, err
    return json.loads(out)


def test_rows_drift_and_an_erasure_speak_for_it(training, call) -> None:
    status, _, err = call(command, "drift", "triage.toml", "--pipeline", "events")
    assert (status, "no version of triage was trained before" in err) == (78, True)
    assert training.retrain(if_needed=True).outcome == "staged"
    training.release()
    assert training.retrain(if_needed=True).outcome == "unchanged"
    training.land(120)
    found = drift(training, call)
    assert (found["new_rows"], found["needed"], found["version"]) == (120, False, "1.0.0")
    assert {one["measure"] for one in found["measures"]} == {"psi", "ks", "labels"}
    status, out, _ = call(command, "retrain", "triage.toml", "--if-needed", "--pipeline", "events")
    assert (status, out) == (0, "not needed\n")
    status, out, _ = call(command, "drift", "triage.toml", "--pipeline", "events")
    assert out.splitlines()[0] == "120 new events since triage 1.0.0 (up to event 560)"
    assert out.splitlines()[-1] == "nothing speaks for training again"
    # Every label turned.
    training.land(150, rule=lambda weight, estimate: weight < 1)
    found = drift(training, call)
    assert [one.partition(" is ")[0] for one in found["reasons"]] == ["labels of label"]
    training.land(30)
    assert drift(training, call)["reasons"][0] == "300 new rows of at least 300"
    who = next(row["subjects"][0] for row in rows(training.settings) if row["subjects"] and row["seq"] < 500)
    with open_log(training.settings) as log:
        erase(training.settings, training.settings.data_policy(), log, Erasure("t", (who,)))
    assert any("that triage 1.0.0 saw" in one for one in drift(training, call)["reasons"])


def test_what_an_erasure_demands_is_not_stopped_by_the_gate(training, call, monkeypatch) -> None:
    """A model without the erased rows is not better: a timer would fail every night, and the rows stay in use."""
    monkeypatch.setattr("sealift_pipeline.training.search.workers.working", here)
    # Whose pseudonym comes first, the key decides: enough rows are left of anybody's, and room for what they change.
    training.land(240)
    training.write(toml=TOML + "[gate]\nmargin = 0.2\n")
    training.retrain()
    training.release()
    who = next(row["subjects"][0] for row in rows(training.settings) if row["subjects"])
    with open_log(training.settings) as log:
        erase(training.settings, training.settings.data_policy(), log, Erasure("t", (who,)))
    status, out, err = call(command, "retrain", "triage.toml", "--if-needed", "--pipeline", "events")
    assert status == 0, err
    assert out.startswith("staged triage 1.1.0 ")
    assert "  by the rule no_worse, for " in out
    assert "that the released version saw were erased" in out
    folder = training.settings.folder / "runs" / "triage"
    gate = json.loads((folder / "run.json").read_bytes())["gate"]
    assert gate["rule"] == "no_worse"
    assert gate["erased"] > 0
    assert (
        f"rule no_worse for {gate['erased']} rows that triage 1.0.0 saw are erased" in (folder / "run.html").read_text()
    )
    # And the same run again, byte by byte.
    given = read_given(folder / "run.json")
    reproduce(given, training.project, training.settings, open_workers=here)


def test_fifty_planted_strings_are_in_no_released_file(training) -> None:
    """A vocabulary of all that stands between spaces keeps what the data policy left of them."""
    assert len(set(PLANTED)) == 50
    training.write(code=WHOLE_WORDS, toml=LENIENT)
    training.land(300, secrets=PLANTED)
    assert training.retrain().outcome == "staged"
    everything = b"\n".join(training.bench.released())
    assert b"upgrade" in everything
    # A name is two words there; the keys of the channel begin as a planted one does.
    words = {max(one.split(), key=len) for one in PLANTED} - {"-----BEGIN"}
    assert [one for one in sorted(words) if one.encode() in everything] == []


def test_without_a_data_policy_they_are_refused(tmp_path, monkeypatch) -> None:
    """The control: kept as they are, they reach the vocabulary, and the disclosure scan stops them."""
    monkeypatch.setattr("support.gitlab.training.POLICY", POLICY.replace('type = "text"', 'type = "str"'))
    own = Training(Workbench(tmp_path, monkeypatch), 600, code=WHOLE_WORDS, toml=LENIENT, secrets=PLANTED)
    with pytest.raises(DisclosureError, match=r"would disclose .* and \d+ other findings; nothing was staged"):
        own.retrain()
    assert not own.channel.staged()
