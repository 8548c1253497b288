"""deploy/docker: every command of the image runs, in containers without an engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.machine import containers
from support.machine.containers import Volume

pytestmark = pytest.mark.slow

USER = "10001:10001"
TRY = """
import os
for path in ("/", "/opt/sealift", "/var/opt/gitlab", "/volume", "/fixed"):
    try:
        open(os.path.join(path, "x"), "w").close()
        print(path, "written")
    except OSError as error:
        print(path, error.strerror)
print(os.getuid(), os.getgid(), os.getgroups())
print(open("/proc/self/status").read().split("CapBnd:")[1].split()[0])
print(sorted(os.listdir("/sys")) if os.path.exists("/sys") else "no /sys", os.path.exists("/tmp"))
import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError as error:
    print(error.strerror)
"""


def test_the_stand_in_confines_as_a_container_does(tmp_path):
    volumes = []
    for name, read_only in (("volume", False), ("fixed", True)):
        (tmp_path / name).mkdir(mode=0o777)
        (tmp_path / name).chmod(0o777)
        volumes.append(Volume(tmp_path / name, f"/{name}", read_only))
    done = containers.run(
        ["python", "-c", TRY], volumes, user=USER, environment=containers.stages()["sealift"].environment
    )
    assert done.stdout.splitlines() == [
        "/ Read-only file system",
        "/opt/sealift Read-only file system",
        "/var/opt/gitlab Read-only file system",
        "/volume written",
        "/fixed Read-only file system",
        "10001 10001 []",
        "0000000000000000",
        "no /sys False",
        "Network is unreachable",
    ], done.stderr


def test_the_image_runs_as_a_number_and_asks_no_network():
    stages = containers.stages()
    assert list(stages) == ["build", "sealift", "build-server", "server", "application"]
    for name in ("sealift", "server", "application"):
        assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", stages[name].user)
        assert {"SEALIFT_STORE", "SEALIFT_TRUST"} <= set(stages[name].environment)
    text = "\n".join(value for _, value in containers.instructions())
    assert not re.findall(r"https?:|git@|apt-get|apk |curl|wget|--index-url", text)
    installs = [run for stage in stages.values() for run in stage.runs if "pip install" in run]
    assert len(installs) > 2
    assert all("--no-index" in run for run in installs)
    # Names of images without the address of a registry, and never "whatever is newest".
    bases = [value.partition(" AS ")[0] for name, value in containers.instructions() if name == "FROM"]
    (default,) = [value.partition("=")[2] for name, value in containers.instructions() if name == "ARG"]
    assert set(bases) <= {"${BASE}", *stages}
    assert re.fullmatch(r"[a-z]+:\d[\w.-]+", default)


def test_the_commands_of_the_build_make_an_environment_that_works(tmp_path, unpacked):
    """The RUN lines by hand, in a directory in place of the image's root; the dependencies' wheels are what is here."""
    (tmp_path / "wheels").mkdir()
    (own,) = unpacked.glob("wheels/sealift-*.whl")
    shutil.copy(own, tmp_path / "wheels")
    # Everything that is installed here but Sealift itself, as if from wheels.
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for folder in (path for path in sys.path if path.endswith("site-packages")):
        for entry in Path(folder).iterdir():
            if "sealift" not in entry.name and entry.suffix != ".pth" and not (libraries / entry.name).exists():
                (libraries / entry.name).symlink_to(entry)
    stage = containers.stages()["build"]
    assert stage.copies == [("wheels", "/wheels")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_"))}
    for number, line in enumerate(stage.runs):
        here = re.sub(r"(?<![\w.])/(opt/sealift|wheels)\b", rf"{tmp_path}/\1", line)
        if line.startswith("python "):
            here = here.replace("python", shlex.quote(sys.executable), 1)
        done = subprocess.run(here, shell=True, capture_output=True, text=True, check=False, env=environment)  # noqa: S602
        assert done.returncode == 0, f"{here}\n{done.stdout}{done.stderr}"
        if number == 0:
            (site,) = (tmp_path / "opt" / "sealift" / "lib").glob("python*/site-packages")
            (site / "libraries.pth").write_text(f"{libraries}\n")
    installed = tmp_path / "opt" / "sealift"
    assert list(installed.rglob("sealift/__pycache__/loading.*.pyc"))
    places = ["--store", str(tmp_path / "store"), "--trust", str(tmp_path / "etc")]
    done = subprocess.run(
        [installed / "bin" / "sealift", "doctor", "--json", *places],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd="/",
    )
    findings = json.loads(done.stdout)["findings"]
    assert {found["level"] for found in findings if found["group"] == "packages"} <= {"ok", "note"}, findings
