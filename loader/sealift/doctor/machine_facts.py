"""Read what `doctor.machine` judges: files of the kernel, the C library, installed models. Changes nothing."""

import locale
import mmap
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

from sealift.doctor.machine import MachineFacts, parse_cpuinfo
from sealift.doctor.packages import satisfies
from sealift.errors import Error
from sealift.store import Store

_CPUINFO = Path("/proc/cpuinfo")
_FIPS = Path("/proc/sys/crypto/fips_enabled")
# An attribute `locale` of a node of an ONNX graph, in Protocol Buffers: name (field 1), then text (field 4).
_LOCALE_ATTRIBUTE = re.compile(rb'\n\x06locale"([\x01-\x40])([A-Za-z0-9_.@-]+)')


def read(store: Store) -> MachineFacts:
    """Read everything that can be read."""
    cpu_model, cpu_flags = parse_cpuinfo(_text(_CPUINFO) or "")
    needed = _needed_locales(store)
    return MachineFacts(
        architecture=platform.machine(),
        cpu_model=cpu_model,
        cpu_flags=cpu_flags,
        libc=platform.libc_ver(),
        python=platform.python_version(),
        python_wanted=_python_wanted(),
        encoding=locale.getencoding(),
        locales={name: _has_locale(name) for name in {"C.UTF-8", *(needed or {})}},
        needed=needed,
        fips_kernel=_text(_FIPS),
        fips_openssl=_fips_openssl(),
    )


def locales_in(graph: bytes | mmap.mmap) -> set[str]:
    """Return the locales that the nodes of a serialized ONNX graph ask for."""
    found = set()
    for match in _LOCALE_ATTRIBUTE.finditer(graph):
        found.add(match[2][: match[1][0]].decode("ascii"))
    return found


def _needed_locales(store: Store) -> dict[str, set[str]] | None:
    try:
        models = store.active().models.values()
    except (Error, OSError):
        return None
    needed: dict[str, set[str]] = {}
    for model in models:
        for path in sorted(store.layout.model(model).glob("*model.onnx")):
            try:
                with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as graph:
                    for name in locales_in(graph):
                        needed.setdefault(name, set()).add(str(model))
            except (OSError, ValueError):
                # Unreadable or empty: the store's own probe says so.
                continue
    return needed


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    else:
        return True
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def _python_wanted() -> bool | None:
    try:
        wanted = metadata.metadata("sealift")["Requires-Python"]
    except (metadata.PackageNotFoundError, KeyError):
        return None
    return satisfies(".".join(map(str, sys.version_info[:3])), wanted) if wanted else None


def _fips_openssl() -> bool | None:
    try:
        from cryptography.hazmat.backends.openssl import backend

        return bool(backend._fips_enabled)  # noqa: SLF001 - there is no public way to ask
    except (ImportError, AttributeError):
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return None
