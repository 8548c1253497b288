import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift.errors import Error, LimitError, MalformedError
from sealift_common.parsing.strict_json import parse

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_agrees_with_the_standard_parser_on_good_json(value):
    for ascii_only in (True, False):
        assert parse(json.dumps(value, ensure_ascii=ascii_only).encode(), "x") == value


@given(st.binary(max_size=60))
def test_hostile_bytes_yield_only_our_errors(data):
    with suppress(Error):
        parse(data, "x")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b'{"a":1,"a":2}', MalformedError, "'a' twice"),
        (b'[{"b":{"a":1,"a":1}}]', MalformedError, "'a' twice"),
        (b"NaN", MalformedError, "NaN"),
        (b"[1,-Infinity]", MalformedError, "Infinity"),
        (b"[" * 65 + b"]" * 65, LimitError, "64 levels"),
        (b"[" * 1_000_000, LimitError, "64 levels"),
        (b'"\xff"', MalformedError, "UTF-8"),
        (b'"\\ud800"', MalformedError, "surrogate"),
        (b"9" * 5000, MalformedError, "not JSON"),
        (b"", MalformedError, "not JSON"),
        (b'{"a":1} x', MalformedError, "not JSON"),
    ],
)
def test_refuses_with_a_reason(data, error, message):
    with pytest.raises(error, match=message):
        parse(data, "index.json")


_NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,3}|[1-9][0-9]{150,330})(\.[0-9]{1,4})?([eE][-+]?0{0,3}[0-9]{1,4})?", fullmatch=True
)


@given(st.lists(_NUMBERS, min_size=1, max_size=8))
def test_a_number_beyond_a_double_is_refused_and_no_other(numbers):
    data = f"[{','.join(numbers)}]".encode()
    if any(abs(float(number)) == float("inf") for number in numbers if set(number) & set(".eE")):
        with pytest.raises(MalformedError, match="beyond a double"):
            parse(data, "x")
    else:
        assert parse(data, "x") == json.loads(data)


def test_brackets_in_strings_do_not_nest():
    assert parse(json.dumps("[" * 500 + '\\"' + "{" * 500).encode(), "x").startswith("[[")


def test_size_limit():
    with pytest.raises(LimitError, match="at most 4"):
        parse(b"12345", "x", max_size_bytes=4)
