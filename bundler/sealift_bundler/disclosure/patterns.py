r"""Kinds of values that must not leave unseen, one entry each: what they look like, and why they matter. Pure.

Expressions run over UTF-8 whose ASCII letters were made lower case, for vectorizers do that to what they are given; a
check then looks at the original. All of them start with something rare or with a bounded run, so the work is linear in
the bytes. None matches a line break: strings are searched many at a time, one a line.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

from sealift_bundler.disclosure.checksums import iban_at, is_address, is_card, is_national_phone, is_phone
from sealift_bundler.disclosure.randomness import looks_random

# Where a value lies, of the bytes that were searched; None where it is not one after all.
Span = tuple[int, int] | None
Check = Callable[[bytes, "re.Match[bytes]"], Span]


class Pattern(NamedTuple):
    """One kind of value.

    Attributes:
        kind: the word for it in messages, JSON and recipes.
        reason: why it must not leave, for the reference page.
        expressions: one of them matches where it begins, or what is in the middle of it.
        check: judges a match on the bytes as they were, and says where the value is.
        anchors: what one of them holds, in any case: where none is, no expression runs. Empty for none.
        raw: specific enough to be looked for in numbers and other bytes that are no text.
    """

    kind: str
    reason: str
    expressions: tuple[re.Pattern[bytes], ...]
    check: Check
    anchors: tuple[bytes, ...] = ()
    raw: bool = False


def _whole(_data: bytes, match: re.Match[bytes]) -> Span:
    return match.span()


def _token(data: bytes, match: re.Match[bytes]) -> Span:
    """A token's random part has digits or both cases, and many characters: "glpat-your-token-here" has not."""
    value = data[match.start("tail") : match.end("tail")]
    varied = any(48 <= byte <= 57 for byte in value) or not (value.islower() or value.isupper())
    return match.span() if varied and len(set(value.lower())) >= 6 else None


def _aws(data: bytes, match: re.Match[bytes]) -> Span:
    value = match.group()
    original = data[match.start() : match.end()]
    # In lower case, so many letters without a digit are a word such as a name of a region.
    return match.span() if original.isupper() or any(48 <= byte <= 57 for byte in value) else None


_LOCAL = bytes(byte for byte in range(256) if chr(byte).isalnum() or byte in b"._%+-'" or byte >= 128)
# Addresses of services, where the same name is everybody's.
_NOBODY = {b"git", b"hg", b"svn", b"noreply", b"no-reply", b"donotreply"}
# Of files: "icon@2x.png" and "left@1.0.js" are no addresses.
_SUFFIXES = frozenset(b"png jpg jpeg gif svg webp ico css js ts jsx tsx py md rst txt html json yml yaml toml".split())


# Domains for examples that no person has (RFC 2606).
_EXAMPLES = re.compile(rb"[@.]example\.(?:com|net|org)\Z|\.(?:invalid|test)\Z")
_PROSE = {
    b"at",
    b"my",
    b"a",
    b"the",
    b"via",
    b"on",
    b"in",
    b"from",
    b"your",
    b"use",
    b"and",
    b"or",
    b"to",
    b"for",
    b"of",
}


def _email(data: bytes, match: re.Match[bytes]) -> Span:
    window = data[max(0, match.start() - 64) : match.start()]
    local = window[len(window.rstrip(_LOCAL)) :].lstrip(b".'%+-")
    if not local or local.lower() in _NOBODY or match.group().rpartition(b".")[2] in _SUFFIXES:
        return None
    if _EXAMPLES.search(match.group()):
        return None
    if match.group()[:1] == b" " and (local.lower() in _PROSE or len(local) < 2):
        return None
    start = match.start() - len(local)
    # In an address of a server, a login stands before the "@".
    _, found, login = data[max(0, start - 200) : start].rpartition(b"://")
    return None if found and not _BESIDE_LOGIN.search(login) else (start, match.end())


_BESIDE_LOGIN = re.compile(rb"[\s/@\"'<>]")
_PLACEHOLDER = re.compile(
    rb"(?:my|your)?[-_]?(?:pass(?:word|wd|phrase)?|pwd|pw|secret|token|key|api[-_]?key|x+|\*+|\.+)|[$%{<\[].*",
    re.IGNORECASE,
)


def _url_password(data: bytes, match: re.Match[bytes]) -> Span:
    password = data[match.start("password") : match.end("password")]
    return None if _PLACEHOLDER.fullmatch(password) else (match.start(), match.end("password"))


def _iban(data: bytes, match: re.Match[bytes]) -> Span:
    size = iban_at(data[match.start() : match.start() + 48].decode("latin-1"))
    return (match.start(), match.start() + size) if size else None


def _card(_data: bytes, match: re.Match[bytes]) -> Span:
    return match.span() if is_card(re.sub(rb"\D", b"", match.group()).decode()) else None


def _ipv4(data: bytes, match: re.Match[bytes]) -> Span:
    before = data[max(0, match.start() - 16) : match.start()].rpartition(b"\n")[2].decode("latin-1").lower()
    return match.span() if is_address(match.group().decode(), before) else None


def _phone(_data: bytes, match: re.Match[bytes]) -> Span:
    text = match.group().decode()
    return match.span() if (is_phone if text[0] == "+" else is_national_phone)(text) else None


_DATA_CHARS = bytes(byte for byte in range(128) if chr(byte).isalnum() or byte in b"+/=")
_DATA_BYTES = 160


def _random(data: bytes, match: re.Match[bytes]) -> Span:
    if not looks_random(data[match.start() : match.end()].decode()):
        return None
    before = data[max(0, match.start() - _DATA_BYTES) : match.start()]
    # A domain of another alphabet (RFC 3492).
    if before[-4:].lower() == b"xn--":
        return None
    # A piece of a picture inside a page is no term.
    after = data[match.end() : match.end() + _DATA_BYTES]
    beside = len(before) - len(before.rstrip(_DATA_CHARS)) + len(after) - len(after.lstrip(_DATA_CHARS))
    return None if beside >= _DATA_BYTES else match.span()


def _jwt_starts() -> tuple[bytes, ...]:
    """How the header of a token starts, for the names that come first in it; eight characters stand for six bytes."""
    return tuple(b64encode(b'{"' + name + b'"').lower() for name in (b"alg", b"typ", b"kid", b"enc", b"cty", b"x5t"))


def _compile(*expressions: bytes) -> tuple[re.Pattern[bytes], ...]:
    return tuple(re.compile(expression) for expression in expressions)


# In the order of what counts where two overlap: the more specific first.
PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "private-key",
        "signs, decrypts or logs in as its owner",
        _compile(
            rb"-----begin [a-z0-9 ]{0,30}private key",
            # As terms of several words.
            rb"(?<![a-z0-9])begin (?:rsa|dsa|ec|openssh|encrypted|pgp) private key",
            rb"age-secret-key-1[a-z0-9]{50,80}",
            rb"putty-user-key-file-[0-9]",
        ),
        _whole,
        anchors=(b"private key", b"age-secret-key", b"putty-user-key"),
        raw=True,
    ),
    Pattern(
        "gitlab-token",
        "logs in to a GitLab instance: a personal, deploy, runner, job, trigger, feed, mail, cluster or SCIM token",
        _compile(
            # A space where a vectorizer joined two terms.
            rb"gl(?:pat|oas|dt|rtr|rt|cbt|ptt|ft|imt|agent|soat|ffct|wt)[- ](?P<tail>[a-z0-9_][a-z0-9_.\-]{15,300})",
            rb"gr1348941(?P<tail>[a-z0-9_\-]{20})",
        ),
        _token,
        anchors=(
            *(b"gl" + name for name in b"pat oas dt rt cbt ptt ft imt agent soat ffct wt".split()),
            b"gr1348941",
        ),
        raw=True,
    ),
    Pattern(
        "github-token",
        "logs in to GitHub",
        _compile(rb"gh[oprsu]_(?P<tail>[a-z0-9]{30,255})", rb"github_pat_(?P<tail>[a-z0-9_]{22,255})"),
        _token,
        anchors=(*(b"gh" + letter + b"_" for letter in b"o p r s u".split()), b"github_pat_"),
        raw=True,
    ),
    Pattern(
        "aws-key",
        "names or opens an account of Amazon Web Services",
        _compile(
            rb"(?<![a-z0-9])a(?:kia|sia|bia|cca|roa|ida)[a-z2-7]{16}(?![a-z0-9])",
            rb"aws.{0,3}secret.{0,3}(?:access.{0,3})?key[\"' :=>]{1,6}[a-z0-9/+]{40}(?![a-z0-9/+])",
        ),
        _aws,
        anchors=(b"akia", b"asia", b"abia", b"acca", b"aroa", b"aida", b"aws"),
        raw=True,
    ),
    Pattern(
        "slack-token",
        "reads or writes messages of a Slack workspace",
        _compile(
            rb"xox[abeoprs][- ](?P<tail>[a-z0-9][a-z0-9\-]{9,255})",
            rb"xapp-[0-9]-(?P<tail>[a-z0-9\-]{10,255})",
            rb"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<tail>[a-z0-9/_]{20,255})",
        ),
        _token,
        anchors=(b"xox", b"xapp-", b"hooks.slack.com"),
        raw=True,
    ),
    Pattern(
        "service-token",
        "logs in to a service: Anthropic, DigitalOcean, Docker Hub, Google, Grafana, Hugging Face, npm, OpenAI, PyPI, "
        "SendGrid, Shopify, Stripe, Vault",
        _compile(
            rb"(?<![a-z0-9])(?:aiza(?P<tail>[a-z0-9_\-]{35}))",
            rb"(?<![a-z0-9\-])(?:sk-(?:proj-|ant-)?(?P<tail>[a-z0-9_\-]{20,255}))",
            rb"(?<![a-z0-9])(?:[rs]k_(?:live|test)_|npm_|dckr_pat_|glsa_|shpat_|dop_v1_|hvs\.|pypi-ageic)(?P<tail>[a-z0-9_\-]{20,255})",
            rb"(?<![a-z0-9_])(?:hf_(?P<tail>[a-z0-9]{30,64}))(?![a-z0-9])",
            rb"(?<![a-z0-9])sg\.[a-z0-9_\-]{22}\.(?P<tail>[a-z0-9_\-]{43})",
        ),
        _token,
        anchors=(*b"aiza sk- k_live_ k_test_ npm_ dckr_pat_ glsa_ shpat_ dop_v1_ hvs. pypi-ageic hf_ sg.".split(),),
    ),
    Pattern(
        "jwt",
        "logs in as somebody until it expires, and says who that is (RFC 7519)",
        _compile(rb"(?:" + rb"|".join(_jwt_starts()) + rb")[a-z0-9_\-]{6,4096}(?:\.[a-z0-9_\-]{1,4096}){0,4}"),
        _whole,
        anchors=_jwt_starts(),
        raw=True,
    ),
    Pattern(
        "url-password",
        "a login inside an address",
        _compile(rb"://[^\s/:@\"'<>`]{0,64}:(?P<password>[^\s/@\"'<>`]{1,128})@[a-z0-9\[]"),
        _url_password,
        anchors=(b"://",),
    ),
    Pattern(
        "e-mail",
        "personal data: the address of somebody",
        _compile(
            rb"@[a-z0-9\x80-\xff\-]{1,63}(?:\.[a-z0-9\x80-\xff\-]{1,63}){0,8}\.[a-z\x80-\xff]{2,24}(?![a-z0-9\-@])",
            # As a term of three words.
            rb" (?:gmail|googlemail|hotmail|outlook|yahoo|gmx|icloud|protonmail) (?:com|net|de|fr|co|me)(?![a-z0-9])",
        ),
        _email,
        anchors=(b"@", *b"gmail |googlemail |hotmail |outlook |yahoo |gmx |icloud |protonmail ".split(b"|")),
    ),
    Pattern(
        "iban",
        "personal data: a bank account (ISO 13616)",
        _compile(rb"(?<![a-z0-9])[a-z]{2}[0-9]{2}(?= ?[a-z0-9]{4})"),
        _iban,
    ),
    Pattern(
        "card",
        "the number of a payment card (ISO/IEC 7812)",
        _compile(
            # Commas stand between columns; tables write whole numbers with a fraction of zero.
            rb"(?<![a-z0-9.])(?<![0-9]-)(?:[0-9]{13,19}|[0-9]{4}([ \-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}"
            rb"|3[0-9]{3}([ \-])[0-9]{6}\2[0-9]{5})(?![a-z0-9]|-[0-9]|\.(?!0{1,2}(?![0-9]))[0-9])"
        ),
        _card,
    ),
    Pattern(
        "ipv4",
        "the address of a host, often inside a closed network",
        _compile(rb"(?<![a-z0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![a-z0-9]|\.[0-9])"),
        _ipv4,
    ),
    Pattern(
        "phone",
        "personal data: a telephone number",
        _compile(
            rb"(?<![a-z0-9+])\+[0-9][0-9 ()/\-]{6,20}[0-9](?![0-9])",
            rb"(?<![a-z0-9.(\-])(?:\([0-9]{3}\) ?|[0-9]{3}-)[0-9]{3}-[0-9]{4}(?![a-z0-9\-])",
        ),
        _phone,
    ),
    Pattern(
        "random-term",
        "a long term of mixed letters and digits: a password, a key, a token of an unknown kind",
        _compile(rb"(?<![a-z0-9])[a-z0-9]{16,100}(?![a-z0-9])"),
        _random,
    ),
)

KINDS = tuple(pattern.kind for pattern in PATTERNS)
