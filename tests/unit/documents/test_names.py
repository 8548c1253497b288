import pytest

from sealift.errors import UsageError
from sealift.store.version_range import VersionRange
from sealift_common.names import ModelVersion, Version, is_model_name

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
