"""The keys of `review.toml`, and what each takes. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sealift_common.blob import is_digest
from sealift_common.errors import ChannelError
from sealift_common.review.questionnaire import CLASSES, Questionnaire

SCHEMA = "sealift.review/1"
RISK = "risk"
DATASETS = "datasets"
# Questions of a channel's own.
OWN = "own"

# SPDX identifiers and expressions, `LicenseRef-…` among them; the list itself changes too often to be kept here.
SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", re.ASCII)
_ATLAS = re.compile(r"AML\.T[0-9]{4}(\.[0-9]{3})?", re.ASCII)
_MAX_CHARS = 4000
_MAX_ENTRIES = 200


class Kind(NamedTuple):
    """What a key takes: how messages say it, an example in TOML, and the check."""

    expected: str
    example: str
    fits: Callable[[Any], bool]


def _text(value: Any) -> bool:
    # A line of an answer may end; nothing in it may act on a terminal.
    return isinstance(value, str) and len(value) <= _MAX_CHARS and all(line.isprintable() for line in value.split("\n"))


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) <= _MAX_ENTRIES and all(map(fits, value))


def _choice(*values: str) -> Kind:
    listed = " or ".join(map(repr, values))
    return Kind(listed, f'"{values[0]}"', lambda value: isinstance(value, str) and value in values)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e15 < value < 1e15


def _metrics(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= _MAX_ENTRIES
        and all(_text(name) and _number(one) for name, one in value.items())
    )


def _slice(value: Any) -> bool:
    if not isinstance(value, dict) or not _text(value.get("name")):
        return False
    return _metrics({name: one for name, one in value.items() if name != "name"})


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


TEXT = Kind(f"a text of at most {_MAX_CHARS:,} characters", '""', _text)
TEXTS = Kind("a list of texts", "[]", _list_of(_text))
FLAG = Kind("true or false", "false", lambda value: isinstance(value, bool))
DIGEST = Kind("'sha256:' and 64 hexadecimal digits", '"sha256:…"', is_digest)
COUNT = Kind("a whole number from 0 on", "5", lambda value: type(value) is int and 0 <= value < 2**53)
LICENSE = Kind("an SPDX expression such as 'Apache-2.0'", '"MIT"', _matching(SPDX))
LICENSES = Kind("a list of SPDX expressions such as 'CC-BY-4.0'", '["CC-BY-4.0"]', _list_of(_matching(SPDX)))
ATLAS = Kind("a list of MITRE ATLAS techniques such as 'AML.T0015'", '["AML.T0015"]', _list_of(_matching(_ATLAS)))
METRICS = Kind("a table of numbers by name", "{accuracy = 0.93}", _metrics)
SLICES = Kind("a list of tables of a name and numbers", '[{name = "short texts", accuracy = 0.81}]', _list_of(_slice))

KEYS: Mapping[str, Mapping[str, Kind]] = {
    "use": {
        "purpose": TEXT,
        "users": TEXTS,
        "decision": _choice("advises", "decides"),
        "security_model": FLAG,
        "out_of_scope": TEXTS,
    },
    DATASETS: {
        "name": TEXT,
        "owner": TEXT,
        "sha256": DIGEST,
        "classification": TEXT,
        "personal_data": FLAG,
        "legal_basis": TEXT,
        "retention": TEXT,
        "dpia": TEXT,
        "license": LICENSE,
        "private_projects": FLAG,
    },
    "preprocessing": {"steps": TEXTS, "anonymization": TEXT, "min_document_frequency": COUNT},
    "licenses": {"model": LICENSE, "data": LICENSES},
    "export": {"control": TEXT},
    "evaluation": {"metrics": METRICS, "slices": SLICES},
    "abuse": {"atlas": ATLAS, "mitigation": TEXT},
    "limits": {"known": TEXTS},
    "golden": {"source": _choice("generated", "file", "samples", "none")},
}
RISKS = _choice(*CLASSES)


def keys_for(questionnaire: Questionnaire) -> Mapping[str, Mapping[str, Kind]]:
    """Return every table and key: ours, and under `own` what the questionnaire asks besides; these take texts.

    Raises:
        ChannelError: it asks for a key that no table has.
    """
    own = {}
    for question in questionnaire.questions:
        table, _, key = question.partition(".")
        if table == OWN:
            own[key] = TEXT
        elif key not in KEYS.get(table, {}):
            raise ChannelError(
                f"the questionnaire asks {question!r:.120}, which review.toml has no key for; "
                f"call a question of your own '{OWN}.…'"
            )
    return {**KEYS, OWN: own} if own else KEYS
