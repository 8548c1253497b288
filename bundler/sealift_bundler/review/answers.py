"""Read `review.toml`: strict keys, and every question of the questionnaire that it leaves open, named at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sealift_bundler.disclosure.judgement import Acceptance
from sealift_bundler.errors import RecipeError
from sealift_bundler.review.keys import DATASETS, RISK, RISKS, SCHEMA, Kind, keys_for
from sealift_common.parsing.strict_toml import StrictToml, read_text
from sealift_common.review.questionnaire import Demand, Questionnaire

ACCEPTED_KEYS = Acceptance._fields


class Answers(NamedTuple):
    """The answers about one model version.

    Attributes:
        path: of the file.
        risk: the class of risk that the author gives it.
        tables: all answers, by table and key; `datasets` is a list of tables.
        accepted: findings of the disclosure scan that may leave.
    """

    path: Path
    risk: str
    tables: Mapping[str, Any]
    accepted: tuple[Acceptance, ...]

    @property
    def personal_data(self) -> bool:
        """Whether a data set holds data about persons."""
        return any(dataset.get("personal_data", False) for dataset in self.datasets)

    @property
    def datasets(self) -> Sequence[Mapping[str, Any]]:
        """The data sets."""
        found: Sequence[Mapping[str, Any]] = self.tables.get(DATASETS, [])
        return found

    def demand(self, questionnaire: Questionnaire) -> Demand:
        """Return what a questionnaire demands of these answers."""
        return questionnaire.demand(self.risk, personal_data=self.personal_data)

    def require_complete(self, questionnaire: Questionnaire) -> None:
        """Check that every question that the class of risk asks is answered.

        Raises:
            RecipeError: some are not; the message names them all.
        """
        missing = [key for key in self.demand(questionnaire).questions if not self._answered(key)]
        if missing:
            asked = "; ".join(f"{key} ({questionnaire.questions[key].ask})" for key in missing)
            raise RecipeError(f"{self.path}: {len(missing)} questions of class {self.risk!r} are not answered: {asked}")

    def _answered(self, question: str) -> bool:
        table, _, key = question.partition(".")
        if table == DATASETS:
            return bool(self.datasets) and all(_given(dataset.get(key)) for dataset in self.datasets)
        found = self.tables.get(table)
        return isinstance(found, Mapping) and _given(found.get(key))


def read_answers(path: Path, questionnaire: Questionnaire) -> Answers:
    """Read and check a `review.toml`.

    Raises:
        RecipeError: it is missing, not TOML, or a key or value in it is wrong; the message names the file, the line
            where it is known, and the key.
        ChannelError: the questionnaire asks what no key answers.
    """
    text = read_text(path, "review", RecipeError)
    toml = StrictToml(text, name=str(path), what="review", error=RecipeError)
    document = toml.document
    known = keys_for(questionnaire)
    toml.check_keys(document, ("schema", RISK, *known, "accepted"))
    if document.get("schema") != SCHEMA:
        raise toml.error("schema", f"'schema' is {document.get('schema')!r:.80}; expected {SCHEMA!r}")
    risk = document.get(RISK)
    if not RISKS.fits(risk):
        raise toml.error(RISK, f"{RISK!r} is {risk!r:.80}; expected {RISKS.expected}")
    tables: dict[str, Any] = {}
    for name, keys in known.items():
        if name == DATASETS:
            tables[name] = [_checked(toml, entry, name, keys) for entry in toml.tables(name)]
        elif name in document:
            tables[name] = _checked(toml, toml.table(name), name, keys)
    return Answers(path, str(risk), tables, tuple(read_acceptances(toml)))


def read_acceptances(toml: StrictToml) -> Iterator[Acceptance]:
    """Read the entries of `[[accepted]]`, of a recipe or a review.

    Raises:
        RecipeError: an entry has an unknown key, or lacks one.
    """
    for number, entry in enumerate(toml.tables("accepted"), 1):
        toml.check_keys(entry, ACCEPTED_KEYS, "accepted")
        for key in ACCEPTED_KEYS:
            value = entry.get(key)
            if not isinstance(value, str) or not value.strip():
                raise toml.error(
                    "accepted",
                    f"entry {number} of [[accepted]] has no {key!r}; copy kind, file and fingerprint from what "
                    "add printed, and write a reason",
                )
        yield Acceptance(**{key: value.strip() for key, value in entry.items()})


def _checked(toml: StrictToml, table: Mapping[str, Any], name: str, keys: Mapping[str, Kind]) -> dict[str, Any]:
    toml.check_keys(table, keys, name)
    for key, value in table.items():
        if not keys[key].fits(value):
            raise toml.error(key, f"{key!r} of [{name}] is {value!r:.120}; expected {keys[key].expected}", name)
    return dict(table)


def _given(value: Any) -> bool:
    """Return whether this is an answer: an empty text or list is none, and `false` and 0 are."""
    return value is not None and value not in ("", [], {}) and not (isinstance(value, str) and not value.strip())
