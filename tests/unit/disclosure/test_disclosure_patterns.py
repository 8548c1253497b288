"""Each pattern finds what it is for, in the forms that vectorizers leave, and nothing that only looks like it."""

import re
import string
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hostile.planted import PLANTED

from sealift_bundler.disclosure import findings_in, patterns
from sealift_bundler.disclosure.checksums import is_card
from sealift_bundler.disclosure.randomness import looks_random
from sealift_bundler.disclosure.search import search

_TAIL = "Inv3nted" + "N0tR3al" + "T0ken7Xy"
_LONG = "Inv3nted" + "N0tR3al" + "N0b0dys" + "T0ken7XyZ" + "9q8w7"
# How tables write a number.
FORMS = ("1,{},2", "{},2", "7;{}.0;1", "[1,{},2]", '"{}"', "{}.00")
# Each alternative of each expression, with the forms in lower case, in terms of several words, escaped and encoded.
SAMPLES: dict[str, tuple[str, ...]] = {
    **PLANTED,
    "gitlab-token": (
        *PLANTED["gitlab-token"],
        *(f"gl{name}-{_TAIL}" for name in ["oas", "rtr", "ptt", "ft", "imt", "agent", "ffct", "wt"]),
        f"glpat-{_TAIL}".lower(),
        f"glpat {_TAIL}".lower(),
        f"token=glpat-{_TAIL}.01.0a1b2c3d4",
    ),
    "github-token": (*PLANTED["github-token"], f"ghu_{_LONG}", f"ghr_{_LONG}", f"ghp_{_LONG}".lower()),
    "aws-key": (
        *PLANTED["aws-key"],
        "akiainventednotreal7",
        *(name + "INVENTEDNOTREAL7" for name in ["ABIA", "ACCA", "AIDA"]),
        "aws_secret_access_key = " + "Inv3nted/N0tR3al+N0b0dysT0ken7XyZ9q8w7ab",
    ),
    "slack-token": (
        *PLANTED["slack-token"],
        f"xoxb {_TAIL}".lower(),
        "https://hooks.slack.com/services/T0INVENTED/B0NOBODY1/" + _TAIL,
    ),
    "private-key": (
        *PLANTED["private-key"],
        "begin rsa private key",
        "AGE-SECRET-KEY-1" + "INVENTED" * 7,
        "PuTTY-User-Key-File-3: ssh-ed25519",
    ),
    "service-token": (
        "AIza" + "Inv3nted-N0tR3al_N0b0dysT0ken7XyZ9q",
        "sk-proj-" + _LONG,
        "sk-" + _LONG,
        "sk_live_" + _TAIL,
        "rk_test_" + _TAIL,
        "npm_" + _LONG,
        "dckr_pat_" + _TAIL,
        "glsa_" + _TAIL,
        "shpat_" + _TAIL,
        "dop_v1_" + _LONG,
        "hvs." + _TAIL,
        "pypi-AgEIc" + _LONG,
        "hf_" + _LONG,
        "SG.Inv3ntedN0tR3alT0ken7X.Inv3nted-N0tR3al_N0b0dysT0ken7XyZ9q8w7abcde",
    ),
    "jwt": (
        *PLANTED["jwt"],
        PLANTED["jwt"][0].lower().split(".")[0],
        *(
            urlsafe_b64encode(f'{{"{name}":"invented"}}'.encode()).decode()
            for name in ["alg", "typ", "kid", "enc", "cty", "x5t"]
        ),
    ),
    "e-mail": (
        *PLANTED["e-mail"],
        r"maria\u0040invented.example",
        "maria&#64;invented.example",
        "maria%40invented.example",
        "maria\N{FULLWIDTH COMMERCIAL AT}invented.example",
        *(
            f"kowalska {name} com"
            for name in ["gmail", "googlemail", "hotmail", "outlook", "yahoo", "gmx", "icloud", "protonmail"]
        ),
    ),
    "iban": (*PLANTED["iban"], "de89370400440532013000", "paid to BE68539007547034 today"),
    "card": (
        *PLANTED["card"],
        "3782 822463 10005",
        "2223003122003222",
        "4222222222222",
        *(form.format("4111111111111111") for form in FORMS),
    ),
    "ipv4": (*PLANTED["ipv4"], "http://10.20.30.40/x"),
    "phone": (*PLANTED["phone"], "415-555-0132", "tel:+442079460958"),
    "random-term": (
        "Inv3nt3dN0tR3alX9",
        "inv3nt3d9s3cr3t7xq2w",
        "zx9kqw3rtyu7polmnbvc",
        "9F2K7QXW3MZ8P4RT",
    ),
}
# What public texts and our own files are full of.
INNOCENT = (
    "glpat-your-token-here",
    "glpat-xxxxxxxxxxxxxxxxxxxx",
    "ghp_" + "X" * 36,
    "asiapacificeconomics",
    "task-management-for-everyone-2024",
    "begin private key exchange",
    "the public key: -----BEGIN PUBLIC KEY-----",
    "eyjafjallajokullvolcano",
    "https://user:password@host.example/",
    "https://$USER:$PASSWORD@host.example/",
    "https://host.example:8080/a@b",
    "git@github.com:group/project.git",
    "icon@2x.png",
    "jane@example.com",
    "jane@mail.example.org",
    "jane@host.invalid",
    "@property",
    "DE89370400440532013001",
    "in 2019 there were 12345678901234",
    "4111 1111 1111 1112",
    "1234567890123456",
    "0.4111111111111111",
    "4111111111111111.5",
    "5000000000000000.0",
    "https://host.example/10.20.30.40",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    "0, 4111, 1111, 1111, 1111",
    "version 10.20.30.40",
    "numpy==1.26.4.1",
    "1.2.3.4",
    "3.5.2.10",
    "127.0.0.1",
    "192.0.2.17",
    "2026-11-30 10:00:00 +0000 2026",
    "+3.14159265358979",
    "@@ -100,20 +1000,20 @@",
    "1e+1234567890",
    "frontend-float32",
    "ai.onnx.ml",
    "TreeEnsembleClassifier",
    "sha256:" + "0a1b2c3d" * 8,
    "3f2c9e1b" * 5,
    "0.000029802322387695312",
    "internationalization2024",
    "windows98secondedition",
    "OneHotEncoderOf20Newsgroups",
    "test_x86_64_linux_gnu_abi3_cp311",
    "3d1f0a52-6a0e-4d0c-9b5e-0c9de0f4a6b1",
)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in SAMPLES.items() for text in texts])
def test_a_sample_is_found_as_its_kind(kind: str, text: str) -> None:
    assert [hit.kind for hit in search([text])] == [kind]
    (found,) = findings_in(["fine", f"before {text} after", "fine"])
    assert (found.kind, found.count, found.place) == (kind, 1, "value 2 of 3")


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_it_is_not_found(text: str) -> None:
    assert [hit.kind for hit in search([text, text.lower()])] == []


def test_every_pattern_has_samples_a_reason_and_a_line_in_the_reference() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "disclosure.md").read_text("utf-8")
    page = page.partition("## Kinds")[2].partition("## A finding")[0]
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE) == [*patterns.KINDS, "unreadable"]
    assert set(SAMPLES) == set(patterns.KINDS)
    assert all(pattern.reason for pattern in patterns.PATTERNS)


@pytest.mark.parametrize("kind", patterns.KINDS)
def test_without_its_pattern_a_sample_is_missed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry of the table, and every expression of it, is needed."""
    whole = patterns.PATTERNS
    monkeypatch.setattr(patterns, "PATTERNS", tuple(pattern for pattern in whole if pattern.kind != kind))
    assert [text for text in SAMPLES[kind] if kind in {hit.kind for hit in search([text])}] == []
    (pattern,) = (pattern for pattern in whole if pattern.kind == kind)
    for expression in pattern.expressions:
        others = tuple(other for other in pattern.expressions if other is not expression)
        monkeypatch.setattr(patterns, "PATTERNS", (pattern._replace(expressions=others),))
        assert any(not list(search([text])) for text in SAMPLES[kind]), expression.pattern


@pytest.mark.parametrize("kind", patterns.KINDS)
def test_every_anchor_is_needed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (pattern,) = (pattern for pattern in patterns.PATTERNS if pattern.kind == kind)
    for anchor in pattern.anchors:
        others = tuple(other for other in pattern.anchors if other != anchor) or (b"never",)
        monkeypatch.setattr(patterns, "PATTERNS", (pattern._replace(anchors=others),))
        missed = [text for text in SAMPLES[kind] if not list(search([text]))]
        assert missed or any(other in anchor for other in others), anchor


ALPHABET = string.ascii_letters + string.digits


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["L", "N"], exclude_characters="_@.+-/:%&\\\n"), max_size=20
    ),
    st.text(
        st.characters(codec="utf-8", exclude_categories=["L", "N"], exclude_characters="_@.+-/:%&\\\n"), max_size=20
    ),
    st.text(ALPHABET, min_size=20, max_size=20).filter(lambda tail: not tail.isalpha() and len(set(tail.lower())) > 5),
)
def test_a_token_is_found_between_any_marks(before: str, after: str, tail: str) -> None:
    found = findings_in(["", before + "glpat-" + tail + after])
    assert [(one.kind, one.place) for one in found] == [("gitlab-token", "value 2 of 2")]
    assert tail not in repr(found)


@given(st.integers(10**14, 10**15 - 1))
def test_of_ten_last_digits_one_makes_a_card(body: int) -> None:
    numbers = [f"4{body}"[:15] + str(digit) for digit in range(10)]
    assert sum(map(is_card, numbers)) == 1


@given(st.text("0123456789abcdef", min_size=16, max_size=80))
def test_digests_are_not_random_terms(digits: str) -> None:
    assert not looks_random(digits)
    assert not looks_random(digits.upper())


@settings(max_examples=50)
@given(st.lists(st.text(max_size=40), max_size=10))
def test_any_strings_can_be_searched(strings: list[str]) -> None:
    for hit in search(strings):
        assert 0 <= hit.line < len(strings)


WORST = (
    *("a", "1", "a1", "@", "a@", "@a.", ".", "1.", "+1 ", "-", "://", "://a:", "eyJhbGci", "glpat-", "(123) 123-"),
    *("4111 4111 ", "DE89 ", "AKIA", "Z2xwYXQt", "%41", r"\u0041", "&#64;", "a gmail com", "xoxb-", "-----begin "),
)


@pytest.mark.parametrize("piece", WORST)
def test_the_worst_texts_end(piece: str) -> None:
    """An expression that backtracks would go on for hours; tests/bench says how long these take."""
    text = piece * (200_000 // len(piece))
    assert sum(1 for _ in search([text])) < len(text)
