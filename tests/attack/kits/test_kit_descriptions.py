"""The description of a kit that is not as it should be: one line."""

import json

import pytest
from support.kits.small import PYTHON, describe, seal


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 10, "is not JSON"),
        ("\xff", 10, "is not JSON"),
        ("[" * 30_000, 10, "is not JSON"),
        ("[]", 40, "is not of the form"),
        ("{}", 40, "is not of the form"),
        (json.dumps(describe(schema="sealift.kit/2")), 40, "is not of the form"),
        (json.dumps(describe())[:-1] + ', "pip": "evil.whl"}', 10, "a name stands twice"),
        (json.dumps(describe(unpacked_bytes=float("nan"))), 10, "it holds NaN"),
        (json.dumps(describe()).replace("1000", "9" * 5000), 10, "kit.json"),
        (" " * 70_000, 10, "more than 65,536 bytes"),
        *[
            (json.dumps(describe(**change)), 10, f"an impossible value of {next(iter(change))!r}")
            for change in (
                {"version": "../../../etc"},
                {"version": "1\n2"},
                {"version": None},
                {"machine": 7},
                {"machine": "x" * 1000},
                {"glibc": [2]},
                {"glibc": [2, True]},
                {"glibc": [2, 17.5]},
                {"glibc": "2.17"},
                {"glibc": [-1, 10**30]},
                {"pythons": {}},
                {"pythons": [PYTHON]},
                {"pythons": {"cp311/../..": "x"}},
                {"pythons": {PYTHON: "\x1b[2J"}},
                {"pythons": {f"cp{n}": "x" for n in range(100, 200)}},
                {"pip": "../evil.whl"},
                {"pip": ["pip.whl"]},
                {"unpacked_bytes": -1},
                {"unpacked_bytes": True},
                {"unpacked_bytes": "1000"},
                {"unpacked_bytes": 2**60},
                {"unpacked_bytes": 1.5},
            )
        ],
        (json.dumps(describe(extra=1)), 10, "has an unknown field 'extra'"),
        (json.dumps({**describe(), "\x1b" * 5000: 1}), 10, "has an unknown field"),
        (json.dumps({k: v for k, v in describe().items() if k != "pip"}), 10, "lacks the field 'pip'"),
        (json.dumps(describe(pip="other.whl")), 10, "lists no 'wheels/other.whl'"),
        (json.dumps(describe(pythons={PYTHON: "x", "cp99": "y"})), 10, "lists no 'requirements/cp99.txt'"),
    ],
)
def test_a_description_that_is_not_as_it_should_be_is_one_line(kit, attempt, text, status, said):
    (kit / "kit.json").write_text(text, "latin-1")
    seal(kit)
    got, line = attempt(kit)
    assert got == status
    assert said in line
