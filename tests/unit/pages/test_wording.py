"""Words that people read."""

from sealift_common.wording import counted, spaced


def test_one_and_many():
    assert [counted(number, "blob") for number in (0, 1, 2, 1200)] == ["0 blobs", "1 blob", "2 blobs", "1,200 blobs"]
    assert [counted(number, "process", "processes") for number in (1, 2)] == ["1 process", "2 processes"]


def test_a_model_and_its_version():
    assert spaced("issue-triage:1.4.0") == "issue-triage 1.4.0"
