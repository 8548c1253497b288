"""Which pipeline converted a version, as an annotation of its manifest: bytes in, verified texts out.

    "io.sealift.provenance": {"claims": {"project_path": …, "sha": …, …},
                              "pipeline": {"commit": …, "job": …, "pipeline": …, "project": …, "user": …}}

The channel's signatures cover it with the manifest. It is what the pipeline said of itself; `claims` are of a token
whose signature nobody checked here. A reader that does not know the annotation passes it over.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sealift_common.errors import LimitError, MalformedError
from sealift_common.parsing import strict_json

ANNOTATION = "io.sealift.provenance"
MAX_VALUE_CHARS = 500
_MAX_ENTRIES = 40
# Both tables at their limits, in characters of four bytes, and then some.
_MAX_BYTES = 200_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_TABLES = ("claims", "pipeline")


class Provenance(NamedTuple):
    """What a pipeline says of itself; names are those of `docs/reference/formats/bundle-format.md`, values text.

    Attributes:
        pipeline: from the job's variables: project, commit, pipeline, job, and the user who started it.
        claims: from the job's ID token; empty where it had none.
    """

    pipeline: Mapping[str, str]
    claims: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"claims": dict(self.claims), "pipeline": dict(self.pipeline)}

    def lines(self) -> Iterator[str]:
        """Write it for people."""
        said = ", ".join(f"{name} {value}" for name, value in sorted(self.pipeline.items()))
        yield f"converted by a pipeline: {said}"
        if self.claims:
            claims = ", ".join(f"{name} {value}" for name, value in sorted(self.claims.items()))
            yield f"token of that job, whose signature nobody checked: {claims}"


def parse_provenance(text: object, what: str) -> Provenance:
    """Parse the annotation's value.

    Raises:
        MalformedError, LimitError: it is not of this form.
    """
    if not isinstance(text, str):
        raise MalformedError(f"{what}: {ANNOTATION!r} is not text")
    document = strict_json.parse(text.encode("utf-8", "replace"), f"{what}: {ANNOTATION}", max_size_bytes=_MAX_BYTES)
    if not isinstance(document, dict) or not all(isinstance(document.get(key), dict) for key in _TABLES):
        raise MalformedError(f"{what}: {ANNOTATION!r} is not an object with {' and '.join(map(repr, _TABLES))}")
    for key in _TABLES:
        table = document[key]
        if len(table) > _MAX_ENTRIES:
            raise LimitError(f"{what}: {key!r} has {len(table):,} entries; expected at most {_MAX_ENTRIES}")
        for name, value in table.items():
            if not _NAME.fullmatch(name) or not is_value(value):
                raise MalformedError(
                    f"{what}: {name[:40]!r} of {key!r} is {value!r:.80}; expected one line of 1 to {MAX_VALUE_CHARS} "
                    "printable characters under a name of small letters"
                )
    return Provenance(document["pipeline"], document["claims"])


def is_value(value: object) -> bool:
    """Whether `value` is a text that may stand there."""
    return isinstance(value, str) and 0 < len(value) <= MAX_VALUE_CHARS and value.isprintable()
