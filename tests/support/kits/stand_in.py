"""Kits that are real but for the Sealift in them, a stand-in of one module: what is tried is the script of a kit."""

import compileall
import hashlib
import json
import os
import py_compile
import shutil
import sys
import zipfile
from pathlib import Path

from sealift_bundler.kit import carried
from sealift_bundler.kit.download import download
from sealift_bundler.kit.lock import parse_lock
from sealift_bundler.kit.target import Target

PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
# Large enough that a disk can be full in the middle of it.
DATA_FILES, DATA_BYTES = 40, 256 * 1024
# It answers what install.py asks. Asked for its version, it waits where its store is a pipe, so that a test can be sure
# of the moment.
STAND_IN = """
import json, os, pathlib, sys
def main():
    store = pathlib.Path(os.environ.get("SEALIFT_STORE", ""))
    if store.is_fifo() and "--version" in sys.argv:
        store.open().read()
    print(json.dumps({"findings": []}) if "doctor" in sys.argv else "sealift VERSION")
"""


def wheel(version: str, folder: Path) -> Path:
    path, info = folder / f"sealift-{version}-py3-none-any.whl", f"sealift-{version}.dist-info"
    files = {
        "sealift_stand_in/__init__.py": STAND_IN.replace("VERSION", version),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: sealift\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsealift = sealift_stand_in:main\n"
        "sealift-keys = sealift_stand_in:main\n",
        **{f"sealift_stand_in/{number}.txt": "x" * DATA_BYTES for number in range(DATA_FILES)},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return path


def make_kit(folder: Path, version: str, pip: Path, unpacked_bytes: int = 1000) -> Path:
    for name in ("wheels", "requirements", "man/man1", "docs"):
        (folder / name).mkdir(parents=True)
    shutil.copy(pip, folder / "wheels")
    digest = hashlib.sha256(wheel(version, folder / "wheels").read_bytes()).hexdigest()
    (folder / "requirements" / f"{PYTHON}.txt").write_text(f"sealift=={version} --hash=sha256:{digest}\n")
    for name in ("sealift.1", "sealift-keys.1"):
        (folder / "man" / "man1" / name).write_text(version)
    (folder / "docs" / "index.html").write_text(version)
    for script in carried.INSTALL_SCRIPTS:
        shutil.copy(script, folder)
    described = {
        "schema": "sealift.kit/1",
        "version": version,
        "machine": os.uname().machine,
        "glibc": [2, 17],
        "pip": pip.name,
        "pythons": {PYTHON: "this one"},
        "unpacked_bytes": unpacked_bytes,
    }
    (folder / "kit.json").write_text(json.dumps(described))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))
    return folder


def write_pip(folder: Path) -> None:
    """Write the wheel of pip that every kit brings, with its modules compiled as well.

    Run from its wheel, pip compiles itself each time, which takes most of the time of an install of so little.
    """
    target = Target(f"linux-{os.uname().machine}", f"{sys.version_info.major}.{sys.version_info.minor}")
    download(parse_lock(carried.lock("kit.lock").read_text(), target), target, folder)
    (path,) = folder.glob("pip-*.whl")
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    never_stale = py_compile.PycInvalidationMode.UNCHECKED_HASH
    assert compileall.compile_dir(unpacked, quiet=1, legacy=True, invalidation_mode=never_stale)
    shutil.make_archive(str(path), "zip", unpacked)
    path.with_name(f"{path.name}.zip").replace(path)
    shutil.rmtree(unpacked)
