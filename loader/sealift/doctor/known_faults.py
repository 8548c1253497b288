"""Known faults of installed packages that a signed graph or a bundle reaches. Pure: versions in, findings out.

Listed is what has a source and can be reached here; a fault of certificates, of TLS or of PKCS#7 cannot, for Sealift
uses none of them from these packages. ONNX Runtime's project publishes no advisories of its own: its release notes say
what was fixed. The table is as old as `AS_OF`, and nobody can know from it that a newer version has no fault.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sealift.doctor.finding import Finding, ok, warning
from sealift.doctor.packages import satisfies

# The day on which the sources were read.
AS_OF = "2026-11-29"
_RELEASES = "https://github.com/microsoft/onnxruntime/releases/tag/"


class Fault(NamedTuple):
    """A fault of a package.

    Attributes:
        affected: ranges of versions; one that fits is enough.
        fixed: the first version of the newest line that is fixed.
        name: the advisory, or the release that fixed it.
        allows: what it lets happen, and by which way it is reached here.
        source: where that is said.
    """

    package: str
    affected: tuple[str, ...]
    fixed: str
    name: str
    allows: str
    source: str


FAULTS = (
    Fault(
        "onnxruntime",
        ("<1.24.3",),
        "1.24.3",
        "ONNX Runtime 1.24.3",
        "reads and writes outside of the heap by Gather, RoiAlign and Resize, when a graph runs",
        _RELEASES + "v1.24.3",
    ),
    Fault(
        "onnxruntime",
        ("<1.24",),
        "1.24.3",
        "ONNX Runtime issue 27265",
        "reads outside of the heap by ArrayFeatureExtractor, which scikit-learn's models use, when a graph runs",
        "https://github.com/microsoft/onnxruntime/issues/27265",
    ),
    Fault(
        "onnxruntime",
        ("<1.25",),
        "1.25.0",
        "ONNX Runtime pull requests 27699 and 27950",
        "reads outside of memory by SVMClassifier and SVMRegressor, when a graph is loaded or runs",
        "https://github.com/microsoft/onnxruntime/pull/27699 and https://github.com/microsoft/onnxruntime/pull/27950",
    ),
    Fault(
        "onnxruntime",
        ("<1.27",),
        "1.27.0",
        "ONNX Runtime 1.27.0",
        "overflows and reads outside of memory by Expand, OneHot, Tile and others, when a graph is loaded or runs",
        _RELEASES + "v1.27.0",
    ),
    Fault(
        "onnxruntime",
        ("<1.28",),
        "1.28.0",
        "CVE-2026-14647",
        "a read outside of the heap while the shapes of a Conv are inferred, when a graph is loaded",
        "https://github.com/advisories/GHSA-226m-2jqq-4xgv; 1.28.0 is the first on the ONNX that is fixed",
    ),
    Fault(
        "onnxruntime",
        ("<1.28.3", ">=1.29,<1.30.1"),
        "1.30.1",
        "ONNX Runtime 1.28.3 and 1.30.1",
        "a heap buffer overflow by tensors of 2 and 4 bits, and reads outside of memory by Loop and Scan, "
        "when a graph is loaded or runs",
        _RELEASES + "v1.28.3 and " + _RELEASES + "v1.30.1",
    ),
    Fault(
        "cryptography",
        ("<48.0.1",),
        "48.0.1",
        "GHSA-537c-gmf6-5ccf",
        "known faults of the OpenSSL inside its wheels, which reads the keys of a root and checks signatures",
        "https://github.com/pyca/cryptography/security/advisories/GHSA-537c-gmf6-5ccf",
    ),
)


def judge(found: Mapping[str, str | None]) -> list[Finding]:
    """Judge the installed versions.

    Args:
        found: package to the installed version, or None.
    """
    findings = []
    for fault in FAULTS:
        version = found.get(fault.package)
        if version is not None and any(satisfies(version, affected) for affected in fault.affected):
            findings.append(
                warning(
                    "known fault",
                    f"{fault.package} {version}, {fault.name}: {fault.allows} ({fault.source})",
                    f"bring {fault.package} {fault.fixed} or newer, with the kit of a newer Sealift",
                )
            )
    return findings or [ok("known faults", f"none that a signed graph or a bundle reaches, by the table of {AS_OF}")]
