"""The data policy: what its file may say, and what it leaves of an event."""

import json
from importlib.resources import files

import pytest
from support.gitlab.events import KINDS, Events, person
from support.hostile.planted import ALL

from sealift.errors import KeyFileError, UnsupportedVersionError
from sealift_pipeline.data_policy.key_file import make_key, read_key
from sealift_pipeline.data_policy.paths import MissingPathError, find, parse
from sealift_pipeline.data_policy.policy import DataPolicy
from sealift_pipeline.data_policy.protection import PSEUDONYM, pseudonym, scrub
from sealift_pipeline.data_policy.record import Record, RejectedError, apply
from sealift_pipeline.data_policy.values import time_of
from sealift_pipeline.errors import DataPolicyError

KEY = bytes(range(32))
TEMPLATE = files("sealift_pipeline.settings").joinpath("templates", "data-policy.toml").read_text("utf-8")


def policy(tmp_path, text):
    path = tmp_path / "data-policy.toml"
    path.write_text(text)
    return DataPolicy.load(path)


def kept(policy, event):
    return apply(policy, event, key="k", received=1, secret=KEY)


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_of_init_takes_every_kind_of_event(tmp_path, kind):
    record = kept(policy(tmp_path, TEMPLATE), Events().make(kind))
    assert record.kind == kind
    assert record.columns
    assert record.subjects
    assert Record.of(json.loads(json.dumps(record.document()))) == record


def test_the_policy_of_init_explains_every_type():
    for word in ("int", "float", "bool", "time", "str", "list", "text", "person"):
        assert word in TEMPLATE.split("format = 1")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'format' is None"),
        ("format = 1\n", "names no kind"),
        ("format = 1\n[issue]\n", ":2: [issue] names no column"),
        ("format = 1\n[Issue]\nx = 1\n", ":2: 'Issue' is not a kind"),
        ("format = 1\n[erased]\nx = 1\n", "'erased' is not a kind"),
        ("format = 1\nissue = 3\n", "expected a table"),
        ("format = 1\n[issue]\nseq = { path = 'a', type = 'int' }\n", ":3: 'seq' cannot be a column"),
        ("format = 1\n[issue]\nx = 'a'\n", ":3: 'x' is 'a'"),
        ("format = 1\n[issue]\nx = { path = 'a', type = 'integer' }\n", ":3: type of 'x' is 'integer'"),
        ("format = 1\n[issue]\nx = { path = 'a', type = ['int'] }\n", "type of 'x' is ['int']"),
        ("format = 1\n[issue]\nx = { path = 'a..b', type = 'int' }\n", ":3: path of 'x' is 'a..b'"),
        ("format = 1\n[issue]\nx = { path = 'a[].b[]', type = 'list' }\n", "at most one"),
        ("format = 1\n[issue]\nx = { path = 3, type = 'int' }\n", "path of 'x' is 3"),
        ("format = 1\n[issue]\nx = { path = 'a', type = 'int', requird = true }\n", "unknown key 'requird'"),
        ("format = 1\n[issue]\nx = { path = 'a', type = 'int', required = 1 }\n", "required of 'x' is 1"),
        ("format = 1\n[issue]\nconfidential = 'yes'\n", ":3: 'confidential' is 'yes'"),
        ("format = 1\n[issue\n", "is not TOML"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(DataPolicyError) as caught:
        policy(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_newer_format_is_one_to_upgrade_for(tmp_path):
    with pytest.raises(UnsupportedVersionError, match="format is 2; this Sealift knows 1"):
        policy(tmp_path, "format = 2\n")


def test_the_digest_is_that_of_the_file(tmp_path):
    one, other = policy(tmp_path, TEMPLATE), policy(tmp_path, TEMPLATE + "\n")
    assert one.digest.startswith("sha256:")
    assert one.digest != other.digest


# --- paths --------------------------------------------------------------------------------------


def test_a_path_leads_through_objects_and_one_list():
    event = {"a": {"b": 3, "n": None}, "l": [{"t": "x"}, {"t": None}, None], "p": [1, 2]}
    assert find(event, parse("a.b")) == 3
    assert find(event, parse("l[].t")) == ["x", None, None]
    assert find(event, parse("p[]")) == [1, 2]
    # What is null may hold anything, and holds nothing.
    assert find(event, parse("a.n.c.d")) is None


@pytest.mark.parametrize("path", ["a.c", "a.b.c", "c", "a[].b", "l[].u"])
def test_a_path_that_is_not_there_is_missing(path):
    with pytest.raises(MissingPathError):
        find({"a": {"b": 3}, "l": [{"t": "x"}]}, parse(path))


# --- values -------------------------------------------------------------------------------------


def one_column(tmp_path, value, word, **more):
    rest = "".join(f", {name} = {json.dumps(given)}" for name, given in more.items())
    text = f'format = 1\n[issue]\nx = {{ path = "x", type = "{word}"{rest} }}\n'
    return kept(policy(tmp_path, text), {"object_kind": "issue", "x": value}).columns.get("x")


@pytest.mark.parametrize(
    ("word", "value", "wanted"),
    [
        ("int", 2**53 - 1, 2**53 - 1),
        ("float", 3, 3.0),
        ("float", 0.5, 0.5),
        ("bool", False, False),
        ("str", "@ann", "@ann"),
        ("text", "ask @ann", "ask <mention>"),
        ("list", ["a", "b"], ["a", "b"]),
        ("list", [], []),
        ("time", "2026-11-23 12:00:00 UTC", 1795435200000000),
        ("time", "2026-11-23T14:00:00.000001+02:00", 1795435200000001),
        ("time", "2026-11-23 14:00:00 +0200", 1795435200000000),
        ("time", None, None),
    ],
)
def test_a_value_becomes_what_the_type_says(tmp_path, word, value, wanted):
    found = one_column(tmp_path, value, word)
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("int", True),
        ("int", "3"),
        ("int", 2**53),
        ("int", 1.5),
        ("float", "1"),
        ("float", 10**400),
        ("bool", 0),
        ("str", 3),
        ("text", ["a"]),
        ("list", "a"),
        ("list", [3]),
        ("person", 1.5),
        ("person", True),
        ("time", "soon"),
        ("time", 1795435200),
        ("time", "99999-01-01"),
    ],
)
def test_a_value_of_another_type_rejects_the_event_and_names_the_path_alone(tmp_path, word, value):
    with pytest.raises(RejectedError) as caught:
        one_column(tmp_path, value, word)
    assert str(caught.value) == "x"


def test_a_path_need_not_be_there_where_the_policy_says_so(tmp_path):
    text = 'format = 1\n[issue]\nx = { path = "x", type = "int", required = false }\n'
    assert kept(policy(tmp_path, text), {"object_kind": "issue"}).columns == {}


# --- protection ---------------------------------------------------------------------------------


def test_a_pseudonym_is_the_same_for_a_person_and_for_nobody_else():
    assert PSEUDONYM.fullmatch(pseudonym(42, KEY))
    assert pseudonym("Ann@Invented.example ", KEY) == pseudonym("ann@invented.example", KEY)
    other = KEY[::-1]
    assert len({pseudonym(42, KEY), pseudonym(43, KEY), pseudonym("42", KEY), pseudonym(42, other)}) == 4
    with pytest.raises(ValueError, match="expected 32"):
        pseudonym(42, b"short")


@pytest.mark.parametrize("secret", ALL)
def test_no_planted_secret_is_left_in_a_text(secret):
    assert secret not in scrub(f"see {secret} and\nnext line {secret}")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mail x@example.com", "mail <e-mail>"),
        ("at 10.0.0.1, ::1 and fe80::1%eth0", "at <ipv4>, <ipv6> and <ipv6>%eth0"),
        ("version 17.4.1 at 12:30:45 in std::vector", "version 17.4.1 at 12:30:45 in std::vector"),
        ("cc @group/team.one, a@b", "cc <mention>, a@b"),
        ("glpat-aaaaaaaaaaaaaaaaaaaa", "<gitlab-token>"),
        ("globally-distributed", "globally-distributed"),
        ("-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- x", "<private-key> x"),
        ("from ADA INVENTED3, ada", "from <person>, ada"),
        ("", ""),
    ],
)
def test_what_has_the_form_of_a_secret_becomes_a_constant(text, left):
    assert scrub(text, ["Ada Invented3"]) == left


def test_what_is_hidden_in_base64_goes_too():
    import base64

    hidden = base64.b64encode(b"mail maria.kowalska@invented-bank.example now").decode()
    assert hidden not in scrub(f"see {hidden} there")


def test_an_event_names_its_persons_and_none_of_them_is_in_its_record(tmp_path):
    events, template = Events(seed=3), policy(tmp_path, TEMPLATE)
    for kind in ("issue", "note", "merge_request"):
        event = events.make(kind)
        names = [event["user"][key] for key in ("name", "username", "email")]
        attributes = event["object_attributes"]
        attributes["note" if kind == "note" else "description"] = f"as {', '.join(names)} said"
        written = json.dumps(kept(template, event).document())
        assert not [name for name in names if name in written]
        assert pseudonym(event["user"]["id"], KEY) in written


def test_everybody_whom_an_event_is_about_is_a_subject(tmp_path):
    event = Events().make("merge_request", author_id=11, assignee_ids=[12], reviewer_ids=[13], last_edited_by_id=14)
    event |= {"user": person(15), "assignees": [person(16)], "reviewers": [person(17)]}
    record = kept(policy(tmp_path, TEMPLATE), event)
    assert set(record.subjects) == {pseudonym(number, KEY) for number in range(11, 18)}


# --- what is left out ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{"event_type": "confidential_issue"}, {"object_attributes": {"confidential": True}}],
    ids=["by its type", "by its attribute"],
)
def test_confidential_issues_are_taken_only_where_the_policy_says_so(tmp_path, change):
    event = Events().make("issue")
    event = {**event, **change, "object_attributes": event["object_attributes"] | change.get("object_attributes", {})}
    assert kept(policy(tmp_path, TEMPLATE), event) is None
    allowed = TEMPLATE.replace("[issue]\n", "[issue]\nconfidential = true\n")
    assert kept(policy(tmp_path, allowed), event) is not None


def test_a_note_of_a_confidential_issue_is_confidential(tmp_path):
    event = Events().make("note")
    event["issue"]["confidential"] = True
    assert kept(policy(tmp_path, TEMPLATE), event) is None


def test_a_kind_that_nobody_named_leaves_nothing(tmp_path):
    assert kept(policy(tmp_path, TEMPLATE), {"object_kind": "deployment", "user": person(1)}) is None


# --- the key file -------------------------------------------------------------------------------


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "pseudonym.key"
    make_key(path)
    assert len(read_key(path)) == 32
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="mode 0644, others may read it; run: chmod 600"):
        read_key(path)


def test_a_key_file_with_something_else_in_it_is_refused(tmp_path):
    path = tmp_path / "pseudonym.key"
    path.touch(0o600)
    with pytest.raises(KeyFileError, match="does not hold 1 to 32 lines of 64 hexadecimal digits"):
        read_key(path)


def test_every_name_of_an_event_with_many_persons_is_replaced_in_little_time():
    """One expression of all names would be tried at each word, so that GitLab would wait in vain."""
    names = [f"Ada Invented{number}" for number in range(3_000)]
    text = " ".join([*names, "Ada", "ADA invented7,"] * 20)
    done = scrub(text, names)
    assert "Invented" not in done
    assert done.count("<person>") == 20 * 3_001
    assert done.count("Ada") == 20


@pytest.mark.parametrize(
    ("text", "names", "wanted"),
    [
        ("Ada Lovelace and Ada", ["Ada", "Ada Lovelace"], "<person> and <person>"),
        ("Adas Ada_ xAda Ada's", ["Ada"], "Adas Ada_ xAda <person>'s"),
        ("a-ada -ada", ["-ada"], "a-ada <person>"),
        ("STRASSE, straße", ["Straße"], "STRASSE, <person>"),
        ("Élise ÉLISE elise", ["élise"], "<person> <person> elise"),
        ("李小龙 was here", ["李小龙"], "<person> was here"),
        ("Ann A", ["A", "", "  "], "Ann A"),
    ],
)
def test_names_are_replaced_as_whole_words(text, names, wanted):
    assert scrub(text, names) == wanted


@pytest.mark.parametrize("year", ["1013", "0001", "9999"])
def test_a_time_that_no_leaf_can_hold_is_refused(year):
    """Canonical JSON ends at 53 bits: an event with such a time could never be landed, and none after it."""
    with pytest.raises(ValueError, match=r"^$"):
        time_of(f"{year}-06-01T00:00:00Z")


def test_names_of_one_first_word_and_many_lengths_go_word_by_word_and_in_bounded_work():
    """Each place of the word would be compared with each length: 21 s of a text of 1.2 MB."""
    names = [f"Ada {'x' * length}" for length in range(1, 300)]
    cleaned = scrub("ada " * 300_000 + "met Ada Xxxx, and no adam", names)
    assert cleaned.endswith("<person> met <person> <person>, and no adam")
    assert "ada " not in cleaned
