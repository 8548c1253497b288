"""What a job of GitLab says of itself, for the manifest of the version that it converts.

GitLab gives a job its project, commit and URLs as variables; with `id_tokens`, also a signed token (a JWT) that says
the same. Of the token only the claims named here are taken, and never the token itself: for as long as it is valid, it
is a login. Its signature is not checked, which would take GitLab's keys and so a network; what is checked is that it
speaks of this very job. Rules of GitLab's documentation: "Predefined CI/CD variables", "ID token authentication".
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sealift_common.errors import MalformedError, UsageError
from sealift_common.oci.provenance import ANNOTATION, MAX_VALUE_CHARS, Provenance, is_value
from sealift_common.parsing import strict_json

TOKEN = "SEALIFT_ID_TOKEN"  # noqa: S105 - its name
_URLS = {"job": "CI_JOB_URL", "pipeline": "CI_PIPELINE_URL", "project": "CI_PROJECT_URL"}
_COMMIT, _USER = "CI_COMMIT_SHA", "GITLAB_USER_LOGIN"
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
CLAIMS = (
    *("environment", "iss", "job_id", "pipeline_id", "pipeline_source", "project_path", "ref", "ref_protected"),
    *("ref_type", "runner_environment", "runner_id", "sha", "user_login"),
)
_MAX_TOKEN_CHARS = 16_384


def of_gitlab(environment: Mapping[str, str]) -> Provenance:
    """Read what the job says of itself from its environment.

    Raises:
        UsageError: this is no job of GitLab, a variable is not what GitLab writes, or the token is of another job.
    """
    pipeline = {name: _url(environment, variable) for name, variable in _URLS.items()}
    pipeline["commit"] = _variable(environment, _COMMIT)
    if not _SHA.fullmatch(pipeline["commit"]):
        raise UsageError(f"{_COMMIT} is {pipeline['commit'][:80]!r}; expected the 40 or 64 digits of a commit")
    if environment.get(_USER):
        pipeline["user"] = _variable(environment, _USER)
    claims = _claims(environment[TOKEN]) if environment.get(TOKEN) else {}
    _require_this_job(claims, pipeline, environment)
    return Provenance(dict(sorted(pipeline.items())), claims)


def same_conversion(first: bytes, second: bytes) -> bool:
    """Whether two manifests differ in nothing but which pipeline converted the version."""
    return _without(first) == _without(second)


def _without(manifest: bytes) -> tuple[Any, dict[str, Any]]:
    document = json.loads(manifest)
    annotations = {key: value for key, value in document.pop("annotations", {}).items() if key != ANNOTATION}
    return document, annotations


def _variable(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise UsageError(f"--provenance gitlab: {name} is not set; it is for jobs of GitLab, leave it out elsewhere")
    if not is_value(value):
        raise UsageError(
            f"{name} has {len(value):,} characters, or some that cannot be printed; expected one line of at most "
            f"{MAX_VALUE_CHARS}"
        )
    return value


def _url(environment: Mapping[str, str], name: str) -> str:
    value = _variable(environment, name)
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        known = False
    if not known:
        # Not shown: it may hold a login.
        raise UsageError(f"{name} is not an address that begins with https:// and has no login in it")
    return value


def _claims(token: str) -> dict[str, str]:
    """Take the claims that are kept; nothing of the token itself stands in a message.

    Raises:
        UsageError: it is not a JWT, or a claim is neither text nor number.
    """
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _MAX_TOKEN_CHARS:
        raise UsageError(f"{TOKEN} is not a token (JWT) as `id_tokens` gives it; look at the job's `id_tokens`")
    try:
        data = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
        document = strict_json.parse(data, TOKEN, max_size_bytes=_MAX_TOKEN_CHARS)
    except (binascii.Error, ValueError, MalformedError):
        document = None
    if not isinstance(document, dict):
        raise UsageError(f"{TOKEN} holds no JSON object; look at the job's `id_tokens`")
    found = {}
    for name in CLAIMS:
        value = document.get(name)
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, int):
            value = str(value)
        if value is None or value == "":
            continue
        if not is_value(value):
            raise UsageError(f"{TOKEN}: claim {name!r} is not one line of at most {MAX_VALUE_CHARS} characters")
        found[name] = value
    return found


def _require_this_job(claims: Mapping[str, str], pipeline: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Check that token and variables speak of the same job.

    Raises:
        UsageError: they do not.
    """
    expected = {
        "job_id": environment.get("CI_JOB_ID"),
        "pipeline_id": environment.get("CI_PIPELINE_ID"),
        "project_path": environment.get("CI_PROJECT_PATH") or urlsplit(pipeline["project"]).path.strip("/"),
        "sha": pipeline["commit"],
    }
    for name, value in expected.items():
        if value and claims.get(name, value) != value:
            raise UsageError(
                f"SEALIFT_ID_TOKEN is of another job: its {name} is {claims[name][:120]!r}, and this job's "
                f"{value[:120]!r}"
            )
