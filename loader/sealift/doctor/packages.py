"""The Python packages that Sealift stands on, against what it asks for. Pure, but for `read` at the end."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from sealift.doctor.finding import Finding, ok, problem, unknown
from sealift.errors import IncompatibleError

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*([^;\[]*)(?:;(.*))?")
_CLAUSE = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9][0-9A-Za-z.]*)")


@dataclass(frozen=True)
class PackageFacts:
    """What is installed.

    Attributes:
        wanted: package to the versions that Sealift asks for, such as `>=7.0,<8`; None where that is not recorded.
        found: package to the installed version, or None.
        runtime_error: why ONNX Runtime cannot be imported; empty if it can.
        telemetry_off: whether ONNX Runtime was told to report nothing to its vendor.
    """

    wanted: Mapping[str, str] | None
    found: Mapping[str, str | None]
    runtime_error: str
    telemetry_off: bool


def judge(facts: PackageFacts) -> list[Finding]:
    """Judge every package, and whether ONNX Runtime works and is silent."""
    if facts.wanted is None:
        findings = [unknown("packages", "Sealift was not installed by pip, so what it wants is not recorded")]
    else:
        findings = [_package(name, wanted, facts.found.get(name)) for name, wanted in sorted(facts.wanted.items())]
    if facts.runtime_error:
        findings.append(
            problem("ONNX Runtime", facts.runtime_error, "install a build for this machine", IncompatibleError)
        )
    elif facts.telemetry_off:
        findings.append(ok("ONNX Runtime", "it can be imported; its telemetry is off"))
    else:
        findings.append(
            problem("ONNX Runtime", "its telemetry is on", "set ORT_DISABLE_TELEMETRY=1", IncompatibleError)
        )
    return findings


def satisfies(version: str, wanted: str) -> bool:
    """Tell whether `version` meets comma-separated comparisons such as `>=3.11,<3.14`; by its numbers only."""
    found = _numbers(version)
    for operator, bound in _CLAUSE.findall(wanted):
        limit = _numbers(bound)
        width = max(len(found), len(limit))
        left, right = (part + (0,) * (width - len(part)) for part in (found, limit))
        holds = {
            ">=": left >= right,
            "<=": left <= right,
            "==": left == right,
            "!=": left != right,
            "<": left < right,
            ">": left > right,
        }
        if not holds[operator]:
            return False
    return True


def parse_requirements(lines: list[str], python: tuple[int, int]) -> dict[str, str]:
    """Return package to wanted versions, without those of extras and of other Python versions."""
    wanted = {}
    for line in lines:
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is None or "extra" in (match[3] or ""):
            continue
        marker = re.search(r"python_version\s*(.*)", (match[3] or "").replace('"', "").replace("'", ""))
        if marker is None or satisfies(".".join(map(str, python)), marker[1]):
            # Metadata has them in no order; people read the lower bound first.
            wanted[match[1]] = ",".join(sorted(match[2].replace(" ", "").strip("()").split(","), reverse=True))
    return wanted


def _package(name: str, wanted: str, found: str | None) -> Finding:
    if found is None:
        return problem(
            name, f"not installed; {wanted} is wanted", "install Sealift with its packages", IncompatibleError
        )
    if not satisfies(found, wanted):
        return problem(name, f"{found}; {wanted} is wanted", f"install {name} {wanted}", IncompatibleError)
    return ok(name, f"{found}; {wanted} is wanted")


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def read() -> PackageFacts:
    """Look the packages up, and import ONNX Runtime as a load does."""
    try:
        lines = metadata.requires("sealift")
    except metadata.PackageNotFoundError:
        lines = None
    wanted = None if lines is None else parse_requirements(lines, sys.version_info[:2])
    found: dict[str, str | None] = {}
    for name in wanted or {}:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    error = ""
    try:
        from sealift.model.runtime import onnx as runtime  # noqa: F401 - importing it is the probe
    except (ImportError, OSError) as failure:
        error = " ".join(str(failure).split())[:300]
    return PackageFacts(wanted, found, error, telemetry_off=os.environ.get("ORT_DISABLE_TELEMETRY") == "1")
