"""Can this machine run a graph of these requirements? Asked of ONNX Runtime itself, with a graph of one node.

Runs in the self-test's child process: whoever asks needs neither NumPy nor ONNX Runtime in memory.
"""

import locale
import platform
import re
from collections.abc import Mapping
from typing import Any

# The default domain has an empty name in a graph, and this one in documents.
_DEFAULT_DOMAIN = "ai.onnx"


def problems(requires: Mapping[str, Any]) -> list[str]:
    """Return what this machine lacks, each as a clause that follows "this machine …"; empty where it lacks nothing.

    Args:
        requires: the `requires` object of a `model.json`, parsed before.
    """
    from sealift.model.runtime import onnxruntime, operator_domains

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
    from sealift.model.runtime import onnxruntime

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
        shape = _field(2, _field(1, _number(1, 1)))
        return _field(1, name) + _field(2, _field(1, _number(1, 1) + shape))

    node = _field(1, b"x") + _field(2, b"y") + _field(4, b"Identity")
    graph = _field(1, node) + _field(2, b"probe") + _field(11, value(b"x")) + _field(12, value(b"y"))
    imports = [_field(8, _field(1, domain.encode()) + _number(2, version)) for domain, version in versions.items()]
    return _number(1, ir_version) + _field(7, graph) + b"".join(imports)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data
