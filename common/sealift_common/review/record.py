"""`REVIEW.json`: what the author answered, and what machines found, of one model version. Schema /1.

It is a file of the version, so the manifest digest that people approve covers it: another answer is another digest.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sealift_common.blob import is_digest
from sealift_common.errors import MalformedError, UnsupportedVersionError
from sealift_common.names import ModelVersion, is_model_name
from sealift_common.parsing import strict_json
from sealift_common.review.questionnaire import CLASSES

FILE_NAME = "REVIEW.json"
SCHEMA = "sealift.record/1"
_KEYS = frozenset(
    {
        *("schema", "model", "version", "risk", "personal_data", "roles", "questionnaire", "answers", "source"),
        *("samples", "accepted", "authors", "probe", "versions"),
    }
)


class Record(NamedTuple):
    """A parsed record.

    Attributes:
        model: the version it is about.
        risk: the author's class of risk, one of `CLASSES`.
        personal_data: whether a data set of the author's answers holds any.
        roles: who reviews it, by the questionnaire of its day.
        questionnaire: digest of that questionnaire.
        answers: `review.toml`, by table and key.
        source, samples: digests of the trained model and of its samples.
        accepted: findings of the disclosure scan that may leave, each with its reason.
        authors: findings that are addresses of authors.
        probe: what the probe found; empty where nothing was probed.
        versions: of the libraries that made and converted the model.
    """

    model: ModelVersion
    risk: str
    personal_data: bool
    roles: tuple[str, ...]
    questionnaire: str
    answers: Mapping[str, Any]
    source: str
    samples: str
    accepted: tuple[Mapping[str, Any], ...]
    authors: tuple[Mapping[str, Any], ...]
    probe: Mapping[str, Any]
    versions: Mapping[str, str]


def parse_record(data: bytes, model: ModelVersion) -> Record:
    """Parse the record of `model`, whose bytes match a signed digest.

    Raises:
        UnsupportedVersionError: the schema is one that this version does not know.
        LimitError, MalformedError: anything else that is not as the schema demands.
    """
    what = f"{FILE_NAME!r} of {model}"
    document = strict_json.parse(data, what)
    if not isinstance(document, dict):
        raise MalformedError(f"{what} is not a JSON object")
    if document.get("schema") != SCHEMA:
        raise UnsupportedVersionError(
            f"{what} has schema {document.get('schema')!r:.80}; this Sealift knows {SCHEMA!r}; install a newer Sealift"
        )
    if document.keys() != _KEYS:
        other = min(document.keys() ^ _KEYS)
        raise MalformedError(f"{what}: key {other[:80]!r} is {'missing' if other in _KEYS else 'not known'}")
    if (document["model"], document["version"]) != (model.name, str(model.version)):
        raise MalformedError(f"{what} is about {document['model']!r:.120} {document['version']!r:.120}")
    for key in ("questionnaire", "source", "samples"):
        if not is_digest(document[key]):
            raise MalformedError(f"{what}: {key!r} is {document[key]!r:.120}; expected 'sha256:<hex>'")
    roles = document["roles"]
    if not isinstance(roles, list) or not all(isinstance(role, str) and is_model_name(role) for role in roles):
        raise MalformedError(f"{what}: 'roles' is {roles!r:.120}; expected a list of names")
    if document["risk"] not in CLASSES or not isinstance(document["personal_data"], bool):
        raise MalformedError(
            f"{what} has no class of risk among {', '.join(CLASSES)}, or does not say of personal data"
        )
    tables = {key: _table(document, key, what) for key in ("answers", "probe", "versions")}
    if not all(isinstance(text, str) for text in tables["versions"].values()):
        raise MalformedError(f"{what}: 'versions' holds something that is not text")
    return Record(
        model=model,
        risk=document["risk"],
        personal_data=document["personal_data"],
        roles=tuple(roles),
        questionnaire=document["questionnaire"],
        answers=tables["answers"],
        source=document["source"],
        samples=document["samples"],
        accepted=_findings(document, "accepted", what),
        authors=_findings(document, "authors", what),
        probe=tables["probe"],
        versions=tables["versions"],
    )


def _table(document: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
    value = document[key]
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: {key!r} is not an object")
    return value


def _findings(document: Mapping[str, Any], key: str, what: str) -> tuple[Mapping[str, Any], ...]:
    value = document[key]
    texts = ("kind", "file", "place", *(["reason"] if key == "accepted" else []))
    if not isinstance(value, list) or not all(
        isinstance(one, dict) and all(isinstance(one.get(text), str) for text in texts) for one in value
    ):
        raise MalformedError(f"{what}: {key!r} is not a list of findings")
    return tuple(value)
