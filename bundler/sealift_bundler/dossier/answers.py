"""The author's answers, as a section: each under its question, with the frameworks that ask it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sealift_bundler.dossier.gathering import Version
from sealift_bundler.proof.pages.table import shown, table
from sealift_bundler.review.keys import DATASETS, KEYS
from sealift_common.review.questionnaire import Question


def answers_section(version: Version) -> Iterator[str]:
    """Write every answer of the record; none for a version without one."""
    yield "<h2>Answers</h2>"
    record = version.contents.record
    if record is None:
        yield '<p class="soft">Nobody answered a questionnaire about this version.</p>'
        return
    personal = "personal data" if record.personal_data else "no personal data"
    yield f"<p>Class of risk: <b>{shown(record.risk)}</b>; {personal}.</p>"
    if version.questions is None:
        yield (
            '<p class="bad">The questionnaire that it answers is not in this copy of the channel, so questions are '
            f"shown by their keys: <code>{shown(record.questionnaire)}</code></p>"
        )
    else:
        yield f'<p class="soft">Questionnaire <code>{shown(record.questionnaire)}</code></p>'
    questions = version.questions or {}
    for name, answers in _sorted(record.answers, [*KEYS]):
        if name == DATASETS and isinstance(answers, list):
            for number, dataset in enumerate(answers, 1):
                yield f"<h3>Data set {number} of {len(answers)}</h3>"
                yield _table(name, dataset, questions)
        else:
            yield f"<h3>{shown(name.capitalize())}</h3>"
            yield _table(name, answers, questions)


def said(value: Any) -> str:
    """Write one answer for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(map(said, value))
    if isinstance(value, Mapping):
        # A slice is told by its name.
        named = [f"{value['name']}:"] if "name" in value else []
        return " ".join([*named, ", ".join(f"{key} {said(one)}" for key, one in value.items() if key != "name")])
    return str(value)


def _sorted(table: Mapping[str, Any], order: Sequence[str]) -> list[tuple[str, Any]]:
    """Bring keys, which a record has in the order of the alphabet, into that of the file that people filled in."""
    return sorted(table.items(), key=lambda item: (order.index(item[0]) if item[0] in order else len(order), item[0]))


def _table(name: str, answers: Any, questions: Mapping[str, Question]) -> str:
    if not isinstance(answers, Mapping):
        return table(("answer",), [(said(answers),)])
    rows = []
    for key, value in _sorted(answers, [*KEYS.get(name, ())]):
        question = questions.get(f"{name}.{key}")
        frameworks = "" if question is None else ", ".join(question.frameworks)
        rows.append((f"{name}.{key}" if question is None else question.ask, said(value), frameworks))
    return table(("question", "answer", "asked by"), rows, even=True)
