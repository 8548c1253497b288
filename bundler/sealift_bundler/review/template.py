"""A `review.toml` to fill in: every question of a questionnaire, with what asks for it. Pure."""

from collections.abc import Iterator

from sealift_bundler.review.keys import DATASETS, RISK, RISKS, SCHEMA, Kind, keys_for
from sealift_common.review.questionnaire import CLASSES, Questionnaire

_HEAD = """\
# The review of {name}: answers that travel with the model, and that people approve.
#
# Fill in what your class of risk asks, and remove the rest or leave it commented out. `sealift-bundler add` names every
# question that is still open. Write no secrets and no names of persons here: the answers leave the company.
# The recipe names this file: review = "review.toml"
"""


def template(name: str, questionnaire: Questionnaire) -> str:
    """Return the file for a model.

    Args:
        name: of the model.
    """
    return "\n".join(_lines(name, questionnaire)) + "\n"


def _lines(name: str, questionnaire: Questionnaire) -> Iterator[str]:
    yield _HEAD.format(name=name)
    yield f'schema = "{SCHEMA}"'
    yield ""
    yield f"# One of {RISKS.expected}. Who reviews it:"
    for one in CLASSES:
        yield f"#   {one}: {', '.join(questionnaire.demand(one, personal_data=False).roles)}"
    if questionnaire.personal_data.roles:
        yield f"#   and with personal data: {', '.join(questionnaire.personal_data.roles)}"
    yield f'{RISK} = "{CLASSES[1]}"'
    for table, keys in keys_for(questionnaire).items():
        yield ""
        yield f"[[{table}]]" if table == DATASETS else f"[{table}]"
        if table == DATASETS:
            yield "# One for each data set that it was trained on."
        for key, kind in keys.items():
            yield from _question(f"{table}.{key}", kind, questionnaire)
    yield ""
    yield "# A finding of the disclosure scan that may leave, as `add` printed it, and why. Every reviewer sees it."
    yield "# [[accepted]]"
    yield '# kind = "e-mail"'
    yield '# file = "CARD.md"'
    yield '# fingerprint = "…"'
    yield '# reason = "…"'


def _question(key: str, kind: Kind, questionnaire: Questionnaire) -> Iterator[str]:
    question = questionnaire.questions.get(key)
    if question is not None:
        yield f"# {question.ask}"
        asked = ", ".join(_askers(key, questionnaire))
        also = f"; {', '.join(question.frameworks)}" if question.frameworks else ""
        yield f"#   asked of: {asked}{also}"
    yield f"#   {kind.expected}"
    yield f"# {key.partition('.')[2]} = {kind.example}"


def _askers(key: str, questionnaire: Questionnaire) -> Iterator[str]:
    first = next((one for one in CLASSES if key in questionnaire.classes[one].questions), None)
    if first is not None:
        yield "all" if first == CLASSES[0] else " and ".join(CLASSES[CLASSES.index(first) :])
    if key in questionnaire.personal_data.questions and first != CLASSES[0]:
        yield "personal data"
    if first is None and key not in questionnaire.personal_data.questions:
        yield "nobody"
