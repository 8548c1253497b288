"""Write `REVIEW.json`, which `sealift_common.review.record` reads: canonical JSON (RFC 8785)."""

import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from sealift_bundler.disclosure import Disclosure, withheld
from sealift_bundler.review.answers import Answers
from sealift_common.names import ModelVersion
from sealift_common.review.questionnaire import Questionnaire
from sealift_common.review.record import SCHEMA


def record_bytes(
    model: ModelVersion,
    answers: Answers,
    questionnaire: Questionnaire,
    disclosure: Disclosure,
    *,
    source: str,
    samples: str,
    probe: Mapping[str, Any],
    versions: Mapping[str, str],
) -> bytes:
    """Return the record of a version.

    Args:
        disclosure: what was found in its other files, and accepted.
        source, samples: their digests.
        probe: as `probe_model` gives it.
        versions: of the libraries that made and converted the model.
    """
    document = {
        "schema": SCHEMA,
        "model": model.name,
        "version": str(model.version),
        "risk": answers.risk,
        "personal_data": answers.personal_data,
        "roles": list(answers.demand(questionnaire).roles),
        "questionnaire": questionnaire.digest,
        "answers": dict(answers.tables),
        "source": source,
        "samples": samples,
        "accepted": [one.document() for one in disclosure.accepted],
        "authors": [one.document() for one in disclosure.authors],
        # Labels of a model can hold what the scan withholds everywhere else.
        "probe": withheld(json.loads(json.dumps(probe, default=_number))),
        "versions": dict(versions),
    }
    return rfc8785.dumps(document)


def _number(value: Any) -> Any:
    """Return NumPy's numbers and texts as Python's."""
    return value.item()
