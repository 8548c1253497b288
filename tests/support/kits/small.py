"""A small kit: whole by its list, but its wheels are none."""

import hashlib
import json
import os
import shutil
import sys

from sealift_bundler.kit import carried

PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"


def describe(**changes):
    return {
        "schema": "sealift.kit/1",
        "version": "1.0.0",
        "machine": os.uname().machine,
        "glibc": [2, 17],
        "pip": "pip-1-py3-none-any.whl",
        "pythons": {PYTHON: "this one"},
        "unpacked_bytes": 1000,
        **changes,
    }


def seal(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def write_small(folder):
    for name in (f"requirements/{PYTHON}.txt", "wheels/pip-1-py3-none-any.whl", "docs/how-to/a.html", "man/man1/s.1"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    for one in carried.INSTALL_SCRIPTS:
        shutil.copy(one, folder)
    (folder / "kit.json").write_text(json.dumps(describe()))
    seal(folder)
