"""Sealift's own wheel: built from the checkout, or put together again from what pip installed.

What pip installed is compared with the hashes that it recorded, so that a file edited on this machine
does not travel.
"""

import base64
import hashlib
import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.metadata import PackagePath
from pathlib import Path

import sealift
from sealift.child_environment import child_environment
from sealift.errors import LocalError
from sealift_bundler.errors import GateError
from sealift_bundler.kit import carried
from sealift_bundler.kit.wheels import Wheel, open_wheel
from sealift_common.parent import bound

# What pip adds to a wheel's own files says how it was installed here.
_ADDED = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
# As hatchling dates the files of a wheel.
_DATE = (2020, 2, 2, 0, 0, 0)


def own_wheel(directory: Path) -> Wheel:
    """Write the wheel of this Sealift into `directory`.

    Raises:
        LocalError: there is nothing here that it can be made from.
        GateError: an installed file is not what was installed.
    """
    checkout = carried.checkout()
    wheel = open_wheel(_repack(directory) if checkout is None else _build(checkout, directory))
    if str(wheel.version) != sealift.__version__:
        raise GateError(f"the wheel made here is Sealift {wheel.version}; expected {sealift.__version__}")
    return wheel


def _build(checkout: Path, directory: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    environment = child_environment()
    done = subprocess.run(bound(command), cwd=checkout, capture_output=True, text=True, check=False, env=environment)
    if "No module named hatchling" in done.stderr:
        raise LocalError("hatchling is not installed, so this checkout cannot be built; run: pip install hatchling")
    if done.returncode != 0:
        raise LocalError(f"hatchling cannot build {str(checkout)!r}: {' '.join(done.stderr.split())[-300:]}")
    (path,) = directory.glob("sealift-*.whl")
    return path


def _repack(directory: Path) -> Path:
    try:
        distribution = metadata.distribution("sealift")
    except metadata.PackageNotFoundError:
        raise LocalError("Sealift was not installed by pip, so its wheel cannot be made; install it") from None
    path = directory / f"sealift-{distribution.version}-py3-none-any.whl"
    files = {file.as_posix(): _read(file) for file in distribution.files or () if _belongs(file)}
    if not any(name.startswith("sealift_bundler/") for name in files):
        raise LocalError("pip's record of Sealift lists no files; install Sealift from its wheel, or run in a checkout")
    (info,) = {name.partition("/")[0] for name in files if ".dist-info/" in name}
    record = [f"{name},sha256={_hash(data)},{len(data)}\n" for name, data in sorted(files.items())]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(entry, data)
    return path


def _belongs(file: PackagePath) -> bool:
    """Tell a file of the wheel from what pip made beside it: commands elsewhere, bytecode, its own notes."""
    top = file.parts[0]
    if top.endswith(".dist-info"):
        return file.name not in _ADDED
    return top.isidentifier() and "__pycache__" not in file.parts


def _read(file: PackagePath) -> bytes:
    path = Path(str(file.locate()))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise GateError(f"{str(path)!r} of the installed Sealift is missing; install Sealift again") from None
    if file.hash is None or file.hash.mode != "sha256" or file.hash.value != _hash(data):
        raise GateError(f"{str(path)!r} is not what was installed; install Sealift again")
    return data


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
