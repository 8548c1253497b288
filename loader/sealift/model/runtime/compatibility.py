"""Can this machine run a graph of these requirements? Asked of ONNX Runtime itself, with a graph of one node.

Runs in the self-test's child process: the caller needs neither NumPy nor ONNX Runtime in memory.
"""

import locale
import platform
import re
from collections.abc import Mapping
from typing import Any

from sealift.model.runtime.wire import encode

# The default domain has an empty name in a graph, and this one in documents.
_DEFAULT_DOMAIN = "ai.onnx"


def problems(requires: Mapping[str, Any]) -> list[str]:
    """Return what this machine lacks, each as a clause that follows "this machine …"; empty where it lacks nothing.

    Args:
        requires: the `requires` object of a `model.json`, parsed before.
    """
    from sealift.model.runtime.onnx import onnxruntime, operator_domains

    here = onnxruntime.__version__
    found = []
    if numbers(here) < numbers(requires["onnxruntime"]):
        found.append(f"has onnxruntime {here}; expected {requires['onnxruntime']} or newer")
    domains = operator_domains()
    for domain, version in requires["opsets"].items():
        name = "" if domain == _DEFAULT_DOMAIN else domain
        if name not in domains:
            known = ", ".join(sorted(domain or _DEFAULT_DOMAIN for domain in domains))
            found.append(f"has no operators of domain {domain[:80]!r}; its onnxruntime {here} has {known}")
        elif not _loads(_probe(3, {name: version})):
            found.append(f"has onnxruntime {here}, which does not know opset {version} of {domain[:80]!r}")
    if not _loads(_probe(requires["ir_version"], {"": 1})):
        found.append(f"has onnxruntime {here}, which does not read ONNX IR version {requires['ir_version']}")
    architectures = requires.get("architectures", ())
    if architectures and platform.machine() not in architectures:
        found.append(f"is {platform.machine()}; expected {' or '.join(map(repr, architectures))}")
    found += [
        f"has no locale {name[:80]!r}, which its text operators name; generate it"
        for name in requires.get("locales", ())
        if not _has_locale(name)
    ]
    return found


def numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version, for comparison."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True


def _loads(graph: bytes) -> bool:
    from sealift.model.runtime.onnx import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - ONNX Runtime's own classes have no other root
        return False
    return True


def _probe(ir_version: int, opsets: Mapping[str, int]) -> bytes:
    """Return the smallest graph that states these versions: y = Identity(x), x one float.

    Field numbers: onnx.proto of ONNX 1.17 (ModelProto, GraphProto, NodeProto, ValueInfoProto).
    """
    versions = {"": 1, **opsets}

    def value(name: bytes) -> bytes:
        shape = encode(2, encode(1, encode(1, 1)))
        return encode(1, name) + encode(2, encode(1, encode(1, 1) + shape))

    node = encode(1, b"x") + encode(2, b"y") + encode(4, b"Identity")
    graph = encode(1, node) + encode(2, b"probe") + encode(11, value(b"x")) + encode(12, value(b"y"))
    imports = [encode(8, encode(1, domain.encode()) + encode(2, version)) for domain, version in versions.items()]
    return encode(1, ir_version) + encode(7, graph) + b"".join(imports)
