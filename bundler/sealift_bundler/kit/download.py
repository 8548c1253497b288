"""Fetch the wheels of a lock file for another machine, with pip, from where this machine's pip is configured to."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from sealift.child_environment import child_environment
from sealift.errors import LocalError
from sealift_bundler.errors import GateError
from sealift_bundler.kit.lock import Pin
from sealift_bundler.kit.target import Target
from sealift_common.files import scratch
from sealift_common.parent import bound

_NOT_FOUND = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")
# Where it downloads from, by which way, and which certificates it believes; logins to an index are in them or in
# `~/.netrc`.
FOR_PIP = (
    *(
        "PIP_",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    ),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "XDG_CONFIG", "XDG_CACHE_HOME"),
)
_MISMATCH = re.compile(r"DO NOT MATCH THE HASHES")


def download(pins: Iterable[Pin], target: Target, directory: Path) -> None:
    """Put a wheel of each pin into `directory`; what is there already is not fetched again.

    Raises:
        GateError: there is no wheel for this Python and platform, or it is not one that the lock file lists.
        LocalError: there is no pip here, or it cannot reach a package index.
    """
    wanted = sorted(pins, key=lambda pin: pin.name)
    with scratch.folder("sealift-download") as work:
        # Markers are evaluated before: pip would compare them with the Python that runs it.
        requirements = work / "requirements.txt"
        requirements.write_text("".join(f"{pin.requirement()}\n" for pin in wanted), "utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--dest", str(directory)]
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [word for abi in (target.interpreter, "abi3", "none") for word in ("--abi", abi)]
        command += [word for tag in target.platform_tags for word in ("--platform", tag)]
        command += ["-r", str(requirements)]
        environment = child_environment(also=FOR_PIP)
        done = subprocess.run(bound(command), capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise _explained(done.stderr, wanted, target)


def _explained(said: str, wanted: list[Pin], target: Target) -> Exception:
    if "No module named pip" in said:
        return LocalError(f"{sys.executable} has no pip to download with; install pip, or give --wheels DIR")
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    summary = " ".join((errors[-1] if errors else said.strip()[-300:]).split())
    if match := _NOT_FOUND.search(said):
        named = next((str(pin) for pin in wanted if pin.name == match[1].lower()), match[1])
        reached = "" if "from versions: none" not in said else "; if it should exist, check pip's index and network"
        return GateError(f"pip finds no wheel of {named} for {target}{reached}")
    if _MISMATCH.search(said):
        return GateError(f"pip was offered a file that the lock file does not list, for {target}: {summary}")
    return LocalError(f"pip cannot download the wheels for {target}: {summary}; or give --wheels DIR")
