"""The processor, the C library, Python, the locale and FIPS mode. Pure: facts in, findings out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sealift.doctor.finding import Finding, ok, problem, unknown, warning
from sealift.errors import IncompatibleError

# The flags by which ONNX Runtime chooses among its kernels; more of them is faster, none is needed.
_FLAGS = {
    "x86_64": ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_tile", "amx_int8"),
    "aarch64": ("asimd", "asimddp", "i8mm", "bf16", "sve"),
}
_LOCALE = "C.UTF-8"


@dataclass(frozen=True)
class MachineFacts:
    """Facts about the machine; None where it does not.

    Attributes:
        libc: name and version, such as `("glibc", "2.36")`; empty texts where unknown.
        encoding: of text in the current locale, such as `UTF-8`.
        locales: locale name to whether the C library has it.
        needed: locale name to the installed models whose graph asks for it; None where models cannot be read.
        fips_kernel: what `/proc/sys/crypto/fips_enabled` holds.
        fips_openssl: whether the OpenSSL that `cryptography` uses has its FIPS provider on.
    """

    architecture: str
    cpu_model: str | None
    cpu_flags: Collection[str] | None
    libc: tuple[str, str]
    python: str
    python_wanted: bool | None
    encoding: str
    locales: Mapping[str, bool]
    needed: Mapping[str, Collection[str]] | None
    fips_kernel: str | None
    fips_openssl: bool | None


def judge(facts: MachineFacts) -> list[Finding]:
    """Judge all of them."""
    return [_libc(facts), _cpu(facts), _python(facts), *_locales(facts), *_fips(facts)]


def parse_cpuinfo(text: str) -> tuple[str | None, frozenset[str] | None]:
    """Return the model and the flags from the text of `/proc/cpuinfo`."""
    model, flags = None, None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        name = key.strip().lower()
        if name == "model name" and model is None:
            model = value.strip()
        if name in {"flags", "features"} and flags is None:
            flags = frozenset(value.split())
    return model, flags


def _libc(facts: MachineFacts) -> Finding:
    name, version = facts.libc
    if not name:
        return unknown("C library", "it does not say what it is", "ONNX Runtime's wheels need glibc")
    if name != "glibc":
        return problem(
            "C library", f"{name} {version}", "use a system with glibc: ONNX Runtime needs it", IncompatibleError
        )
    return ok("C library", f"{name} {version}")


def _cpu(facts: MachineFacts) -> Finding:
    wanted = _FLAGS.get(facts.architecture)
    what = f"{facts.architecture}, {facts.cpu_model or 'model unknown'}"
    if wanted is None:
        return warning("processor", what, "there are no official ONNX Runtime wheels for it; build your own")
    if facts.cpu_flags is None:
        return unknown("processor", f"{what}; /proc/cpuinfo lists no flags")
    there = [flag for flag in wanted if flag in facts.cpu_flags]
    missing = [flag for flag in wanted if flag not in facts.cpu_flags]
    lacks = f"; not: {' '.join(missing)}" if missing else ""
    return ok("processor", f"{what}; ONNX Runtime can use: {' '.join(there) or 'none of its extensions'}{lacks}")


def _python(facts: MachineFacts) -> Finding:
    if facts.python_wanted is None:
        return unknown("Python", f"{facts.python}; which versions Sealift needs is not recorded here")
    if not facts.python_wanted:
        return problem(
            "Python", f"{facts.python}, which Sealift does not support", "use a supported one", IncompatibleError
        )
    return ok("Python", facts.python)


def _locales(facts: MachineFacts) -> list[Finding]:
    findings = []
    if facts.encoding.upper().replace("-", "") == "UTF8":
        findings.append(ok("text", f"text is {facts.encoding}"))
    else:
        findings.append(warning("text", f"text is {facts.encoding}", f"set LANG={_LOCALE}"))
    if facts.needed is None:
        findings.append(unknown("locales of models", "there is no installed model, or it cannot be read"))
    for name in sorted({_LOCALE, *(facts.needed or {})}):
        users = ", ".join(sorted((facts.needed or {}).get(name, ())))
        if facts.locales.get(name, False):
            findings.append(ok("locale", f"{name} is here" + (f"; needed by {users}" if users else "")))
        elif users:
            findings.append(
                problem("locale", f"{name} is missing; needed by {users}", f"install {name}", IncompatibleError)
            )
        else:
            findings.append(warning("locale", f"{name} is missing", f"install {name}: models of text ask for it"))
    return findings


def _fips(facts: MachineFacts) -> list[Finding]:
    if facts.fips_kernel is None:
        kernel = unknown("FIPS mode", "the kernel does not say")
    else:
        kernel = ok("FIPS mode", f"the kernel has it {'on' if facts.fips_kernel.strip() == '1' else 'off'}")
    if facts.fips_openssl is None:
        return [kernel, unknown("FIPS provider", "the cryptography package does not say")]
    state = "on" if facts.fips_openssl else "off"
    if facts.fips_kernel is not None and facts.fips_kernel.strip() == "1" and not facts.fips_openssl:
        return [
            kernel,
            warning(
                "FIPS provider",
                f"{state} in the OpenSSL that checks signatures, on in the kernel",
                "see the page `Use the system's OpenSSL`",
            ),
        ]
    return [kernel, ok("FIPS provider", f"{state} in the OpenSSL that checks signatures")]
