"""The questionnaire: for each class of risk the questions to answer and the roles that review. Schema /1. Pure.

A role is a name by the rule for models. A question is `table.key` of `review.toml`. Classes add up: `high` asks all
that `limited` and `minimal` ask. The digest of the file's bytes stands in each record, and later in the channel's root.
"""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from sealift_common.errors import ChannelError
from sealift_common.names import is_model_name

if TYPE_CHECKING:
    from sealift_common.parsing.strict_toml import StrictToml

FILE_NAME = "questionnaire.toml"
SCHEMA = "sealift.questionnaire/1"
# From the lightest on; each asks what those before it ask.
CLASSES = ("minimal", "limited", "high")
MAX_ROLES = 20
MAX_QUESTIONS = 200


class Question(NamedTuple):
    """A question: where `review.toml` answers it, how people read it, and the frameworks that ask for it."""

    key: str
    ask: str
    frameworks: tuple[str, ...]


class Demand(NamedTuple):
    """What a class of risk demands: roles in order, and keys of questions in order."""

    roles: tuple[str, ...]
    questions: tuple[str, ...]


class Questionnaire(NamedTuple):
    """A parsed questionnaire; `digest` is `sha256:<hex>` of its bytes."""

    digest: str
    classes: dict[str, Demand]
    personal_data: Demand
    questions: dict[str, Question]

    def demand(self, risk: str, *, personal_data: bool) -> Demand:
        """Return what is demanded of a version, each role and question once.

        Args:
            risk: one of `CLASSES`.
            personal_data: whether a data set holds any.
        """
        levels = [self.classes[name] for name in CLASSES[: CLASSES.index(risk) + 1]]
        levels += [self.personal_data] if personal_data else []
        roles = dict.fromkeys(role for level in levels for role in level.roles)
        questions = dict.fromkeys(key for level in levels for key in level.questions)
        return Demand(tuple(roles), tuple(questions))


def default_bytes() -> bytes:
    """Return the questionnaire that Sealift ships."""
    from importlib.resources import files

    return files(__package__).joinpath(FILE_NAME).read_bytes()


def parse_questionnaire(data: bytes, name: str = FILE_NAME) -> Questionnaire:
    """Parse a questionnaire.

    Args:
        name: how messages name the file.

    Raises:
        ChannelError: it is not of its form; the message names the line where that is known.
    """
    # Here, for commands that only read records need no TOML.
    from sealift_common.parsing.strict_toml import StrictToml, decoded

    text = decoded(data, f"questionnaire {name!r}", ChannelError)
    toml = StrictToml(text, name=name, what="questionnaire", error=ChannelError)
    toml.check_keys(toml.document, ("schema", "classes", "personal_data", "question"))
    if toml.document.get("schema") != SCHEMA:
        raise toml.error("schema", f"'schema' is {toml.document.get('schema')!r:.80}; this Sealift knows {SCHEMA!r}")
    questions = _questions(toml)
    classes = toml.table("classes")
    toml.check_keys(classes, CLASSES, "classes")
    missing = [one for one in CLASSES if one not in classes]
    if missing:
        raise toml.error("classes", f"class {missing[0]!r} is missing; write [classes.{missing[0]}]")
    demands = {one: _demand(toml, classes[one], f"classes.{one}", questions) for one in CLASSES}
    if not demands[CLASSES[0]].roles:
        raise toml.error("roles", "no role reviews the lightest class; name one", f"classes.{CLASSES[0]}")
    personal = _demand(toml, toml.table("personal_data"), "personal_data", questions)
    return Questionnaire("sha256:" + hashlib.sha256(data).hexdigest(), demands, personal, questions)


def _questions(toml: "StrictToml") -> dict[str, Question]:
    found: dict[str, Question] = {}
    entries = toml.tables("question")
    if len(entries) > MAX_QUESTIONS:
        raise toml.error("question", f"it asks {len(entries):,} questions; expected at most {MAX_QUESTIONS}")
    for entry in entries:
        toml.check_keys(entry, Question._fields, "question")
        key, ask = entry.get("key"), entry.get("ask")
        if not isinstance(key, str) or key.count(".") != 1 or key in found:
            raise toml.error("question", f"a question has the key {key!r:.80}; expected 'table.key', each once")
        if not isinstance(ask, str) or not ask.strip() or not ask.isprintable():
            raise toml.error("question", f"question {key!r} asks {ask!r:.80}; expected one line of text")
        found[key] = Question(key, ask, _texts(toml, entry, "frameworks", "question"))
    return found


def _demand(toml: "StrictToml", table: object, section: str, questions: dict[str, Question]) -> Demand:
    if not isinstance(table, dict):
        raise toml.error(section, f"{section!r} is not a table; write [{section}]")
    toml.check_keys(table, Demand._fields, section)
    roles = _texts(toml, table, "roles", section)
    for role in roles:
        if not is_model_name(role):
            raise toml.error("roles", f"role {role!r:.120} is not allowed; expected [a-z0-9][a-z0-9._-]*", section)
    if len(roles) > MAX_ROLES:
        raise toml.error("roles", f"it names {len(roles):,} roles; expected at most {MAX_ROLES}", section)
    keys = _texts(toml, table, "questions", section)
    for key in keys:
        if key not in questions:
            raise toml.error("questions", f"no [[question]] has the key {key!r:.120}; add one", section)
    return Demand(roles, keys)


def _texts(toml: "StrictToml", table: dict[str, object], key: str, section: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one.isprintable() for one in value):
        raise toml.error(key, f"{key!r} is {value!r:.120}; expected a list of texts", section)
    return tuple(value)
