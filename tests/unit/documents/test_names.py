import random
import re

import pytest

from sealift.errors import UsageError
from sealift.store.version_range import VersionRange
from sealift_common.blob import is_digest
from sealift_common.names import ModelVersion, Version, is_directory_number, is_model_name, is_version
from sealift_common.oci.layout import is_file_name, of_graph

# The order that semver.org, point 11, gives.
ORDER = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.2.0",
    "1.10.0",
    "2.0.0",
]


def test_versions_sort_by_precedence():
    assert [str(version) for version in sorted(map(Version.parse, reversed(ORDER)))] == ORDER


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1.0",
        "01.0.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0+",
        "v1.0.0",
        "1.0.0\n",
        "\N{ARABIC-INDIC DIGIT ONE}.0.0",
        "1.0.0/..",
        "9" * 101,
    ],
)
def test_not_semver(text):
    with pytest.raises(UsageError, match="SemVer"):
        Version.parse(text)


@pytest.mark.parametrize(
    "path",
    [
        "../../x",
        "/etc/passwd",
        "models/a/1.0.0/x",
        "models//1.0.0",
        "models/A/1.0.0",
        "models/.a/1.0.0",
        "models/a/1.0",
        "models/a\0/1.0.0",
        "models/a/1.0.0\n",
        "models/ä/1.0.0",
        "models/" + "a" * 101 + "/1.0.0",
        "x" * 10_000,
        "models/../1.0.0",
    ],
)
def test_no_other_target_path(path):
    with pytest.raises(UsageError):
        ModelVersion.from_target_path(path)


def test_target_path_round_trip():
    model = ModelVersion.parse("issue-triage", "1.4.0-rc.1+build.5")
    assert ModelVersion.from_target_path(model.target_path) == model


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "A", "a/b", "a\n"])
def test_not_a_name(name):
    assert not is_model_name(name)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.2,<2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0", "1.3.0-rc.1"]),
        ("1.4.0", ["1.4.0"], ["1.4.1"]),
        ("=1.4", ["1.4.0"], ["1.4.1"]),
        ("!=1.4.0", ["1.4.1"], ["1.4.0"]),
        (">=1.0.0-rc.1", ["1.0.0-rc.2", "1.0.0"], ["1.0.0-beta"]),
        (">=1.0.0-rc.1,<2", ["1.0.0-rc.2", "1.9.9"], ["2.0.0-rc.1", "2.0.0"]),
        (">=1.0.0,<2.0.0-rc.2", ["2.0.0-rc.1"], ["2.0.0-rc.2"]),
        (">1,<=1.5", ["1.0.1", "1.5.0"], ["1.0.0", "1.5.1"]),
        ("~=1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"]),
        ("~=1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
        ("~=1.2.3-rc.1", ["1.2.3-rc.1", "1.2.3"], ["1.2.3-beta", "1.3.0"]),
        ("==1.*", ["1.0.0", "1.9.9"], ["0.9.9", "2.0.0"]),
        ("1.2.*,!=1.2.3", ["1.2.0", "1.2.4"], ["1.2.3", "1.3.0"]),
    ],
)
def test_ranges(text, inside, outside):
    wanted = VersionRange.parse(text)
    assert all(wanted.contains(Version.parse(version)) for version in inside)
    assert not any(wanted.contains(Version.parse(version)) for version in outside)


@pytest.mark.parametrize(
    ("text", "written"), [("1", "'>=1.0.0,<2.0.0'"), ("1.4", "'>=1.4.0,<1.5.0'"), (">=1,2", "'>=2.0.0,<3.0.0'")]
)
def test_part_of_a_version_alone_may_mean_two_things(text, written):
    with pytest.raises(UsageError, match=f"is not whole; write {written}"):
        VersionRange.parse(text)


@pytest.mark.parametrize("text", ["", "latest", ">=", "~1.2", "~=1", "==1.2.3.*", ">=1.*", "1.2.3.4", ">=1.2,,<2"])
def test_not_a_range(text):
    with pytest.raises(UsageError, match=r"not understood|SemVer|one number"):
        VersionRange.parse(text)


# The rules once more, as patterns: what is read by hand must take the same texts, and no others.
_NUMBER = "(?:0|[1-9][0-9]*)"
_PRERELEASE = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_IDENTIFIER = "[0-9A-Za-z-]+"
PATTERNS = [
    (is_model_name, "[a-z0-9][a-z0-9._-]{0,99}", "a0z9._-AZ/ ä\n"),
    (
        is_version,
        (
            rf"(?=(?s:.{{0,100}})\Z){_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRERELEASE}(?:\.{_PRERELEASE})*)?"
            rf"(?:\+{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?"
        ),
        "0019.-+aZ\n\N{ARABIC-INDIC DIGIT ONE}",
    ),
    (is_directory_number, "[1-9][0-9]{0,8}", "019-+. \n\N{ARABIC-INDIC DIGIT ONE}"),
    (
        is_file_name,
        r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z))[A-Za-z0-9_](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?",
        "con.COM1lpt9_+-é/ \n",
    ),
]
SEEDS = ["1.0.0", "1.2.3-rc.1+build.5", "con", "com1.txt", "LPT9", "nul.", "model.onnx", "10", "999999999", ""]


@pytest.mark.parametrize(("accepts", "pattern", "letters"), PATTERNS, ids=[rule[0].__name__ for rule in PATTERNS])
def test_a_name_is_what_its_pattern_says(accepts, pattern, letters):
    generator = random.Random(0)
    known = re.compile(pattern, re.ASCII)
    seen = set()
    for turn in range(4000):
        text = list(generator.choice(SEEDS) if turn % 2 else "")
        for _ in range(generator.randrange(1, 6)):
            place = generator.randrange(len(text) + 1)
            text[place : place + generator.randrange(2)] = generator.choice(letters)
        name = "".join(text)
        expected = known.fullmatch(name) is not None
        assert accepts(name) is expected, name
        seen.add(expected)
    assert seen == {True, False}


@pytest.mark.parametrize("length", [99, 100, 101])
def test_the_longest_name_is_what_its_pattern_says(length):
    assert is_model_name("a" * length) is (length <= 100)
    assert is_version(f"1.0.0-{'a' * (length - 6)}") is (length <= 100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sha256:" + "0af9" * 16, True),
        ("sha256:" + "0aF9" * 16, False),
        ("sha256:" + "0af9" * 16 + "\n", False),
        ("sha256:" + "0af" * 21, False),
        ("sha512:" + "0af9" * 16, False),
        ("sha256:" + "0af " * 16, False),
        ("0af9" * 16, False),
        (b"sha256:" + b"0af9" * 16, False),
        (None, False),
    ],
    ids=lambda value: str(value)[:12] + str(value)[-2:].strip() if not isinstance(value, bool) else "",
)
def test_digests(text, expected):
    assert is_digest(text) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.onnx", ("", "model.onnx")),
        ("model.onnx.data", ("", "model.onnx.data")),
        ("model.onnx.data.12", ("", "model.onnx.data.12")),
        ("model.onnx.data.0", None),
        ("model.onnx.dat", None),
        ("encoder.model.json", ("encoder", "model.json")),
        ("en_c-1.model.onnx.data.1", ("en_c-1", "model.onnx.data.1")),
        ("En.model.json", None),
        ("tokenizer.json", None),
        ("CARD.md", None),
        ("model.onnx\n", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_own_names_with_and_without_a_graph(name, expected):
    assert of_graph(name) == expected


def test_versions_compare_in_all_ways_and_do_not_change():
    older, newer, built = (Version.parse(text) for text in ("1.0.0-rc.1", "1.0.0", "1.0.0+a"))
    assert older < newer < built
    assert older <= newer >= older
    assert not older > newer
    assert newer <= Version.parse("1.0.0")
    assert newer >= Version.parse("1.0.0")
    assert newer == Version.parse("1.0.0")
    assert hash(newer) == hash(Version.parse("1.0.0"))
    assert newer != built
    with pytest.raises(AttributeError):
        newer.suffix = "x"
