"""Documents in TOML that nest without end, or whose keys have parts without end: one line, and soon."""

import pytest

from sealift.errors import LocalError
from sealift.policy.policy import parse_policy
from sealift_common.errors import Error, UsageError
from sealift_common.parsing.strict_toml import MAX_LEVELS, MAX_SIZE_BYTES, StrictToml
from sealift_common.review.questionnaire import default_bytes, parse_questionnaire

DEEP = {
    "a key of 500 parts": ".".join("a" * 500) + " = 1\n",
    "a table of 900 parts": "[" + ".".join("a" * 900) + "]\nx = 1\n",
    "parts of parts": "a = " + ("{" + ".".join("a" * 90) + " = ") * 9 + "1" + "}" * 9,
    "a key of half a million parts": (".".join("a" * 500_000) + " = 1\n")[-MAX_SIZE_BYTES:],
    "quoted parts": ".".join(['"a,"'] * 200_000) + " = 1\n",
    "lists": "a = " + "[" * 200 + "]" * 200,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=[name.replace(" ", "-") for name in DEEP])
@pytest.mark.parametrize("key", ["a", "other"])
def test_a_document_without_end_is_refused(text, key):
    with pytest.raises(UsageError, match=r"nests deeper than 64|very many dots|is not TOML") as caught:
        StrictToml(text, name="x.toml", what="recipe", error=UsageError).table(key)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", DEEP.values(), ids=[name.replace(" ", "-") for name in DEEP])
def test_the_policy_and_the_questionnaire_are_read_so(text):
    with pytest.raises(LocalError):
        parse_policy(b'schema = "sealift.policy/1"\n' + text.encode())
    with pytest.raises(Error):
        parse_questionnaire(b'schema = "sealift.questionnaire/1"\n' + text.encode())


def test_what_people_write_is_not_deep():
    parse_questionnaire(default_bytes())
    text = "a." * (MAX_LEVELS - 2) + "a = 1\nb = [" + "0.5, " * 900 + "]\n"
    assert StrictToml(text, name="x", what="recipe", error=UsageError).document["b"][0] == 0.5
