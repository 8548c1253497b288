"""Parsers of the pipeline: an event on its way to a row, the files of a pipeline's folder, and GitLab's answers."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from support.gitlab.api import issue_of
from support.gitlab.events import KINDS, Events

from sealift.errors import Error
from sealift_common.names import ModelVersion
from sealift_common.parsing import strict_json
from sealift_pipeline.backfill.filling import from_hook, from_issues
from sealift_pipeline.backfill.gitlab_api import GitlabProject
from sealift_pipeline.data_policy import keys_used
from sealift_pipeline.data_policy.policy import DataPolicy
from sealift_pipeline.data_policy.record import Record, RejectedError, apply
from sealift_pipeline.erasure import journal
from sealift_pipeline.errors import TableError
from sealift_pipeline.landing.state import State
from sealift_pipeline.log.base import Entry, EventLog, Rejection, read_back, written
from sealift_pipeline.receiver.intake import MOST_BODY_BYTES, Intake, key_of
from sealift_pipeline.runs.document import Run
from sealift_pipeline.settings.settings import FILE, POLICY_FILE, Settings
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.table.leaves import leaf
from sealift_pipeline.table.schema import columns_for, documents, to_table
from sealift_pipeline.training.project.settings import Project

if TYPE_CHECKING:
    from sealift.registry.session import Session

KEYS = (bytes(range(32)), bytes(range(32, 64)))
SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def event(data: bytes) -> None:
    """Take an event by way of the data policy and the log into a row, whose leaf must be that of what is read back."""
    found = strict_json.parse(data, "event", max_size_bytes=MOST_BODY_BYTES)
    if not isinstance(found, dict):
        return
    with contextlib.suppress(RejectedError):
        record = apply(_policy(), found, key=key_of(found, {}, data), received=1, secret=KEYS[0], former=KEYS[1:])
        if record is not None:
            _lands(record)


def _lands(record: Record) -> None:
    assert read_back(written(record)) == record
    kind = _policy().kinds[record.kind]
    try:
        rows = to_table(kind.name, [Entry(1, record)], columns_for(kind, None))
    except TableError as error:
        raise AssertionError("what was acknowledged can never be landed") from error
    (batch,) = rows.to_batches()
    ((seq, salt, stored, document),) = documents(kind.name, batch)
    assert seq == 1
    assert leaf(salt, document) == stored


@cache
def _policy() -> DataPolicy:
    with tempfile.TemporaryDirectory() as folder:
        return DataPolicy.load(_file(folder, POLICY_FILE, _template(POLICY_FILE)))


def _template(name: str) -> bytes:
    return files("sealift_pipeline.settings").joinpath("templates", name).read_bytes()


def _file(folder: str, name: str, data: bytes) -> Path:
    path = Path(folder, name)
    path.write_bytes(data)
    return path


def _load_policy(folder: str, data: bytes) -> None:
    DataPolicy.load(_file(folder, POLICY_FILE, data))


def _load_settings(folder: str, data: bytes) -> None:
    Settings.load(_file(folder, FILE, data).parent)


def _load_snapshot(_folder: str, data: bytes) -> None:
    assert Snapshot.parse(data).to_bytes() == data


def _load_state(folder: str, data: bytes) -> None:
    State.load(_file(folder, "landed.json", data).parent)


def _load_journal(folder: str, data: bytes) -> None:
    journal.interrupted(_file(folder, journal.JOURNAL_FILE, data).parent)


def _load_record(folder: str, data: bytes) -> None:
    journal.erased_automatically(_file(folder, journal.RECORD_FILE, data).parent, SINCE)


def _load_keys(folder: str, data: bytes) -> None:
    keys_used.used(_file(folder, keys_used.FILE, data).parent)


def _load_run(_folder: str, data: bytes) -> None:
    assert Run.parse(data).to_bytes() == data


def _load_project(folder: str, data: bytes) -> None:
    for name in ("triage.py", "requirements.lock"):
        _file(folder, name, b"")
    Project.load(_file(folder, "triage.toml", data))


_LOADERS = (
    *(_load_policy, _load_settings, _load_snapshot, _load_state, _load_journal, _load_record, _load_keys),
    *(_load_run, _load_project),
)


def pipeline_file(data: bytes) -> None:
    """Read one file of a pipeline's folder; the first byte says which."""
    with tempfile.TemporaryDirectory() as folder:
        _LOADERS[data[0] % len(_LOADERS) if data else 0](folder, data[1:])


class _Answers:
    """A session that gives one answer, then empty lists."""

    def __init__(self, data: bytes) -> None:
        self._waiting = [data]

    def request(self, *_arguments: object, **_options: object) -> "_Answers":
        return self

    def read(self, *_arguments: object) -> bytes:
        return self._waiting.pop() if self._waiting else b"[]"


class _Log:
    """A log that takes everything and keeps nothing."""

    def takes(self, _record: Record) -> bool:
        return True

    def append(self, records: Sequence[Record]) -> list[bool]:
        return [True] * len(records)

    def reject(self, _rejection: Rejection) -> None:
        """Forget it."""


@cache
def _intake() -> Intake:
    return Intake(cast("EventLog", _Log()), _policy(), KEYS)


@cache
def _settings() -> Settings:
    values = {b"@LISTEN@": b"127.0.0.1:0", b"@GITLAB@": b"https://x.invalid", b"@PROJECT@": b"7", b"@HOOK@": b"3"}
    text = _template(FILE)
    for mark, value in values.items():
        text = text.replace(mark, value)
    with tempfile.TemporaryDirectory() as folder:
        return Settings.load(_file(folder, FILE, text).parent)


def gitlab_answer(data: bytes) -> None:
    """Fill a gap from what GitLab answers, as a list of the hook and as one of issues."""

    def project() -> GitlabProject:
        return GitlabProject(cast("Session", _Answers(data)), _settings(), lambda _size: None)

    with contextlib.suppress(Error):
        from_hook(project(), _intake())
    from_issues(project(), _intake(), {}, SINCE)


def _snapshot() -> bytes:
    digest = "sha256:" + "0" * 64
    return Snapshot("table", "issue", 9, 4, digest, digest, 1).to_bytes()


_PROJECT = b"""format = 1
name = "triage"
kind = "issue"
code = "triage.py"
lock = "requirements.lock"
channel = "ch"
[split]
test = 0.2
[search]
trials = 4
[gate]
slices = ["label"]
margin = 0.01
[retrain]
psi = 0.25
"""


def _run() -> bytes:
    digest = "sha256:" + "0" * 64
    return Run(
        model=ModelVersion.parse("triage", "1.0.0"),
        inputs={**dict.fromkeys(("code", "data_snapshot", "lock", "project"), digest), "python": "3.11.7"},
        machine={"architecture": "x86_64"},
        split={"validation": 0.1, "test": 0.2, "rows": {"train": 7}},
        search={"trials": [{"number": 0, "params": {"C": 0.5}, "score": 0.75}]},
        params={"C": 0.5},
        gate={"passed": True},
        champion={},
        profile={"columns": {}, "labels": {"bug": 1.0}},
        files={"model.onnx": digest},
    ).to_bytes()


def _files() -> list[bytes]:
    """A good file for each loader, in their order."""
    good = [
        _template(POLICY_FILE),
        _template(FILE).replace(b"@LISTEN@", b"127.0.0.1:1").replace(b"@HOOK@", b"3"),
        _snapshot(),
        b'{"compacted": 5, "last": 9, "versions": {"issue": 3}}',
        b'{"automatic": true, "events": [3], "request": "T-1", "subjects": ["u_0"]}',
        b'{"at": "2026-11-23T12:00:00Z", "automatic": true, "events": [3], "request": "T-1", "rows": {}}\n',
        b'["0123456789abcdef"]',
        _run(),
        _PROJECT,
    ]
    return [bytes([place]) + data for place, data in enumerate(good)]


def _events() -> list[dict[str, Any]]:
    return Events(1, size=900).several(len(KINDS))


def _answers() -> list[bytes]:
    delivery = {"request_headers": {"Idempotency-Key": "k"}, "request_data": _events()[0]}
    return [json.dumps([delivery]).encode(), json.dumps([issue_of(Events(1, size=900).make("issue"))]).encode()]


# Each target, and good inputs for it, from which a fuzzer departs.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "event": (event, lambda: [json.dumps(one).encode() for one in _events()]),
    "pipeline_file": (pipeline_file, _files),
    "gitlab_answer": (gitlab_answer, _answers),
}
