"""The Python packages that Sealift stands on, against what it asks for. Pure, but for `read` at the end."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from sealift.doctor.finding import Finding, ok, problem, unknown
from sealift.errors import IncompatibleError

# What the extra `serve` brings.
_SERVER = ("uvicorn", "httptools", "h11")


@dataclass(frozen=True)
class PackageFacts:
    """Installed packages.

    Attributes:
        wanted: package to the versions that Sealift asks for, such as `>=7.0,<8`; None where that is not recorded.
        found: package to the installed version, or None.
        runtime_error: why ONNX Runtime cannot be imported; empty if it can.
        telemetry_off: whether ONNX Runtime was told to report nothing to its vendor.
        has_server: whether `sealift serve` finds its packages.
    """

    wanted: Mapping[str, str] | None
    found: Mapping[str, str | None]
    runtime_error: str
    telemetry_off: bool
    has_server: bool = True


def judge(facts: PackageFacts) -> list[Finding]:
    """Judge every package, and whether ONNX Runtime works and is silent."""
    if facts.wanted is None:
        findings = [unknown("packages", "Sealift was not installed by pip, so what it needs is not recorded")]
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
    if not facts.has_server:
        findings.append(
            unknown(
                "model server",
                "not in this environment",
                "where `sealift serve` is wanted, install from a kit that was made with `--extra serve`",
            )
        )
    return findings


def satisfies(version: str, wanted: str) -> bool:
    """Return whether `version` meets `wanted`, such as `>=3.11,<3.15`, by the rules of PEP 440."""
    try:
        return SpecifierSet(wanted).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def parse_requirements(lines: list[str], python: tuple[int, int]) -> dict[str, str]:
    """Return package to wanted versions, without those of extras, of other systems and of other Python versions."""
    environment = {"extra": "", "python_version": ".".join(map(str, python))}
    wanted = {}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment):
            # Metadata has them in no order; people read the lower bound first.
            wanted[requirement.name] = ",".join(sorted(map(str, requirement.specifier), reverse=True))
    return wanted


def _package(name: str, wanted: str, found: str | None) -> Finding:
    if found is None:
        return problem(
            name, f"not installed; Sealift needs {wanted}", "install Sealift with its packages", IncompatibleError
        )
    if not satisfies(found, wanted):
        return problem(name, f"{found}; Sealift needs {wanted}", f"install {name} {wanted}", IncompatibleError)
    return ok(name, f"{found}; Sealift needs {wanted}")


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
    telemetry_off = os.environ.get("ORT_DISABLE_TELEMETRY") == "1"
    # Looked for, not imported: none of them is needed where no server runs.
    has_server = all(find_spec(name) for name in _SERVER)
    return PackageFacts(wanted, found, error, telemetry_off, has_server)
