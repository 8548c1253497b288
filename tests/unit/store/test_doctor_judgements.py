"""Facts in, findings out: one test for each thing that the doctor can find, without a machine that has it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import onnx
import pytest

from sealift.doctor import health, known_faults, machine, packages
from sealift.doctor.finding import problem, worst
from sealift.doctor.health import Room, StoreFacts, Trust
from sealift.doctor.machine import MachineFacts, parse_cpuinfo
from sealift.doctor.machine_facts import locales_in
from sealift.doctor.packages import PackageFacts, parse_requirements, satisfies
from sealift.errors import CorruptError, IncompatibleError, NoSpaceError, UnsafeStoreError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
GOOD_MACHINE = MachineFacts(
    architecture="x86_64",
    cpu_model="A CPU",
    cpu_flags={"avx2", "fma"},
    libc=("glibc", "2.36"),
    python="3.11.7",
    python_wanted=True,
    encoding="UTF-8",
    locales={"C.UTF-8": True},
    needed={},
    fips_kernel="0\n",
    fips_openssl=False,
)
GOOD_STORE = StoreFacts(
    now=NOW,
    store="/s",
    pin="/t/root.json",
    owner="sealift (uid 998)",
    is_owner=True,
    run_as="run the same command with `sudo -u sealift` in front",
    pinned=True,
    pin_writers=["root (uid 0)"],
    room=Room(10**10, 10**6, 10**6),
    lock_holder=0,
    newest_file=NOW - timedelta(days=1),
    trust=Trust("sim", {"root": NOW + timedelta(days=100)}, 3, NOW - timedelta(days=7), NOW - timedelta(days=7)),
)


def _only(findings, level):
    return [finding for finding in findings if finding.level == level]


def _judged(facts):
    *_, left = [finding for finding in health.judge(facts) if finding.about == "files"] or [None]
    assert (left is None) == (facts.owner is None)
    return [finding for finding in health.judge(facts) if finding != left]


def test_nothing_to_say_about_good_ones():
    findings = [*machine.judge(GOOD_MACHINE), *_judged(GOOD_STORE)]
    assert {finding.level for finding in findings} == {"ok"}
    assert worst(findings) is None
    assert any("100 days left" in finding.seen for finding in findings)
    assert any("7 days ago; whether there is a newer one cannot be known" in finding.seen for finding in findings)


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({"libc": ("musl", "1.2")}, "problem", "musl"),
        ({"libc": ("", "")}, "unknown", "does not say"),
        ({"architecture": "riscv64"}, "warning", "riscv64"),
        ({"cpu_flags": None}, "unknown", "no flags"),
        ({"python_wanted": False}, "problem", "does not support"),
        ({"python_wanted": None}, "unknown", "not recorded"),
        ({"encoding": "ANSI_X3.4-1968"}, "warning", "ANSI"),
        ({"locales": {}}, "warning", "C.UTF-8 is missing"),
        ({"needed": {"en_US.UTF-8": {"toy 1.0.0"}}}, "problem", "en_US.UTF-8 is missing; needed by toy 1.0.0"),
        ({"needed": None}, "unknown", "no installed model"),
        ({"fips_kernel": None}, "unknown", "kernel does not say"),
        ({"fips_kernel": "1\n"}, "warning", "off in the OpenSSL"),
        ({"fips_openssl": None}, "unknown", "cryptography package does not say"),
    ],
)
def test_the_machine(change, level, words):
    found = _only(machine.judge(replace(GOOD_MACHINE, **change)), level)
    assert len(found) == 1
    assert words in found[0].seen


def test_flags_are_stated_as_facts():
    seen = next(finding.seen for finding in machine.judge(GOOD_MACHINE) if finding.about == "processor")
    assert seen.startswith("x86_64, A CPU; ONNX Runtime can use: avx2 fma; not: avx avx512f")
    arm = replace(GOOD_MACHINE, architecture="aarch64", cpu_flags={"asimd"})
    assert any("can use: asimd; not:" in finding.seen for finding in machine.judge(arm))


def test_cpuinfo_of_both_architectures():
    x86 = "processor\t: 0\nmodel name\t: Xeon\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: other\n"
    assert parse_cpuinfo(x86) == ("Xeon", {"fpu", "avx2"})
    assert parse_cpuinfo("processor\t: 0\nFeatures\t: fp asimd\n") == (None, {"fp", "asimd"})
    assert parse_cpuinfo("") == (None, None)


def test_the_locale_that_a_graph_asks_for():
    node = onnx.helper.make_node("StringNormalizer", ["x"], ["y"], locale="tr_TR.UTF-8", stopwords=["locale"])
    info = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.STRING, [1])
    graph = onnx.helper.make_graph([node], "g", [info], [info])
    assert locales_in(onnx.helper.make_model(graph).SerializeToString()) == {"tr_TR.UTF-8"}
    assert locales_in(b"locale and nothing else") == set()


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({"owner": None, "reasons": {"store": "gone"}}, "unknown", "gone"),
        ({"unsafe": ["'/s' is writable by group or others; run `chmod go-w /s`"]}, "problem", "'/s' is writable"),
        ({"unsafe": ["'/s' cannot be checked: Permission denied"]}, "unknown", "cannot be checked"),
        ({"pinned": None}, "problem", "cannot be read"),
        ({"pinned": False}, "unknown", "does not exist"),
        ({"pin_unsafe": ["'/t' is writable by group or others; run `chmod go-w /t`"]}, "problem", "'/t'"),
        ({"pin_owner_is_trusted": False}, "warning", "can be replaced"),
        ({"trust_error": CorruptError("damaged")}, "problem", "damaged"),
        ({"room": None}, "unknown", "not looked at"),
        ({"room": Room(1000, 10**6, 10)}, "problem", "1.0 kB"),
        ({"room": Room(10**8, 10**6, 10**9)}, "warning", "100.0 MB"),
        ({"room": Room(10**10, 5, 10)}, "problem", "5"),
        ({"lock_holder": None}, "unknown", "not looked at"),
        ({"lock_is_open": True}, "warning", "any user can hold it"),
        ({"debris": ["staging"]}, "warning", "'staging' was left"),
        ({"newest_file": NOW + timedelta(hours=1)}, "warning", "before the newest file"),
        ({"now": datetime(1970, 1, 1, tzinfo=UTC)}, "warning", "before what an install saw pass"),
    ],
)
def test_the_store(change, level, words):
    found = _only(_judged(replace(GOOD_STORE, **change)), level)
    assert found
    assert words in found[0].seen
    assert found[0].do or level == "unknown"


def test_expiry_never_is_a_problem():
    expired = replace(GOOD_STORE.trust, expires={"targets": NOW - timedelta(days=3)})
    findings = _judged(replace(GOOD_STORE, trust=expired))
    assert [finding.seen for finding in _only(findings, "warning")] == [
        "expired on 2026-11-22; models are still loaded"
    ]
    assert worst(findings) is None


def test_nothing_to_compare_the_clock_with():
    findings = _judged(replace(GOOD_STORE, trust=None, newest_file=None))
    assert {finding.about for finding in _only(findings, "unknown")} == {"trust", "clock"}


def test_the_worst_problem_decides():
    found = [problem("a", "", "", error) for error in (IncompatibleError, NoSpaceError, UnsafeStoreError)]
    assert worst(found) is UnsafeStoreError
    assert worst(found[:2]) is NoSpaceError


def test_the_packages():
    wanted = {"tuf": ">=7.0,<8", "numpy": ">=1.26", "click": ">=8.1"}
    facts = PackageFacts(wanted, {"tuf": "8.0", "numpy": "2.4.1", "click": None}, "", telemetry_off=True)
    findings = packages.judge(facts)
    assert [(finding.about, finding.level) for finding in findings] == [
        ("click", "problem"),
        ("numpy", "ok"),
        ("tuf", "problem"),
        ("ONNX Runtime", "ok"),
    ]
    assert _only(packages.judge(replace(facts, wanted=None)), "unknown")
    assert _only(packages.judge(replace(facts, has_server=False)), "unknown")[0].about == "model server"
    assert "no symbol" in _only(packages.judge(replace(facts, runtime_error="no symbol")), "problem")[-1].seen
    assert "is on" in _only(packages.judge(replace(facts, telemetry_off=False)), "problem")[-1].seen


def test_requirements():
    lines = [
        "numpy>=1.26",
        "tuf<8,>=7.0",
        'backports-zstd>=1.0; python_version < "3.14"',
        "onnx==1.23.2; extra == 'bundler'",
    ]
    assert parse_requirements(lines, (3, 11)) == {"numpy": ">=1.26", "tuf": ">=7.0,<8", "backports-zstd": ">=1.0"}
    assert "backports-zstd" not in parse_requirements(lines, (3, 14))
    assert satisfies("3.14.0", ">=3.11,<3.15")
    assert not satisfies("3.15.0rc1", ">=3.11,<3.15")
    assert satisfies("2", "==2.0")
    assert satisfies("2.4.1", "==2.4.*")
    assert not satisfies("2.4.1", "~=2.3.0")
    assert not satisfies("1.27rc1", ">=1.27")
    assert not satisfies("unknown", ">=1.27")
    assert parse_requirements(['x>=1; sys_platform == "win32"', "no requirement at all"], (3, 11)) == {}


@pytest.mark.parametrize(
    ("package", "version", "count"),
    [
        ("onnxruntime", "1.17.0", 6),
        ("onnxruntime", "1.24.1", 5),
        ("onnxruntime", "1.24.3", 4),
        ("onnxruntime", "1.27.1", 2),
        ("onnxruntime", "1.28.2", 1),
        ("onnxruntime", "1.28.3", 0),
        ("onnxruntime", "1.29.1", 1),
        ("onnxruntime", "1.30.0", 1),
        ("onnxruntime", "1.30.1", 0),
        ("onnxruntime", "1.32.0", 0),
        ("cryptography", "44.0.0", 1),
        ("cryptography", "48.0.1", 0),
    ],
)
def test_known_faults_of_a_version(package, version, count):
    findings = known_faults.judge({package: version, "numpy": "1.26", "tuf": None})
    warnings = _only(findings, "warning")
    assert len(warnings) == count
    assert worst(findings) is None
    for finding in warnings:
        assert finding.seen.startswith(f"{package} {version}, ")
        assert "https://" in finding.seen
        assert finding.do.startswith(f"bring {package} ")
    if not count:
        assert known_faults.AS_OF in findings[0].seen


def test_no_fixed_version_has_the_fault_that_it_mends():
    for fault in known_faults.FAULTS:
        assert not any(satisfies(fault.fixed, affected) for affected in fault.affected)


def test_what_is_locked_has_no_fault_that_is_known():
    lines = (Path(__file__).parents[3] / "requirements" / "base.lock").read_text().splitlines()
    pins = dict(line.split(" ")[0].split("==") for line in lines if "==" in line.split(" ")[0])
    assert {"onnxruntime", "cryptography"} <= pins.keys()
    assert [finding.level for finding in known_faults.judge(pins)] == ["ok"]
