"""Make the folder of a new pipeline: settings, data policy, key of pseudonyms, token of the hook, systemd units."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sealift_common import advice
from sealift_common.errors import UsageError
from sealift_common.files import durable
from sealift_pipeline.data_policy.key_file import make_key, make_token
from sealift_pipeline.settings.settings import DEFAULT_LISTEN, FILE, KEY_FILE, POLICY_FILE, TOKEN_FILE, Settings

CI_FILE = ".gitlab-ci.yml"
UNITS_FOLDER = "systemd"
UNITS = {"sealift-receive.service": "receive.service", "sealift-land.service": "land.service"}
_COMMAND = "sealift-pipeline"


@dataclass(frozen=True)
class Origin:
    """Which hook of which GitLab events come from; empty and 0 where that is filled in later."""

    url: str = ""
    project: str = ""
    hook: int = 0


def make(folder: Path, origin: Origin, *, listen: str = DEFAULT_LISTEN) -> Settings:
    """Make a pipeline's folder, for its owner alone; return its settings.

    Args:
        folder: new, or an empty folder of this user's.
        listen: address and port of the receiver.

    Raises:
        UsageError: the folder is there and not empty, or its path cannot stand in a unit.
        DataPolicyError: the address of GitLab, the project, the hook or `listen` is none.
        OSError: it cannot be written.
    """
    path = folder.absolute()
    if not str(path).isprintable() or set(str(path)) & set('"\\'):
        raise UsageError(f"the path {str(path)!r} cannot stand in a unit of systemd; use another one")
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{str(folder)!r} is not a folder; give a new path, or an empty folder")
    if path.is_dir() and any(path.iterdir()):
        raise UsageError(f"folder {str(folder)!r} is not empty; give a new path, or an empty folder")
    if not path.parent.is_dir():
        raise UsageError(f"folder {str(path.parent)!r} does not exist; make it first")
    path.mkdir(exist_ok=True)
    try:
        path.chmod(0o700)
        _fill(path, origin, listen)
        return Settings.load(path)
    except BaseException:
        # Nothing of it was used yet.
        for name in (UNITS_FOLDER, CI_FILE, FILE, POLICY_FILE, KEY_FILE, TOKEN_FILE):
            durable.remove_tree(path / name)
        path.rmdir()
        raise


def _fill(path: Path, origin: Origin, listen: str) -> None:
    values = {
        "@LISTEN@": _toml(listen),
        "@GITLAB@": _toml(origin.url),
        "@PROJECT@": _toml(origin.project),
        "@HOOK@": str(origin.hook),
    }
    make_key(path / KEY_FILE)
    make_token(path / TOKEN_FILE)
    _write(path / FILE, _template(FILE), values)
    _write(path / POLICY_FILE, _template(POLICY_FILE), {})
    (path / UNITS_FOLDER).mkdir()
    # A percent sign begins a specifier in a unit.
    unit = {
        "@HARDENING@": _template("hardening.txt"),
        "@FOLDER@": str(path).replace("%", "%%"),
        "@USER@": advice.account(os.geteuid()),
        "@COMMAND@": _command().replace("%", "%%").replace("$", "$$"),
    }
    for name, template in UNITS.items():
        _write(path / UNITS_FOLDER / name, _template(template), unit)
    # A dollar begins a variable in a pipeline of GitLab, and two are one.
    ci = {"@FOLDER@": str(path).replace("$", "$$"), "@COMMAND@": _command().replace("'", "''")}
    _write(path / CI_FILE, _template("gitlab-ci.yml"), ci)
    durable.sync_directory(path / UNITS_FOLDER)
    durable.sync_directory(path)
    durable.sync_directory(path.parent)


def _template(name: str) -> str:
    return files("sealift_pipeline.settings").joinpath("templates", name).read_text("utf-8")


def _write(path: Path, text: str, values: dict[str, str]) -> None:
    for mark, value in values.items():
        text = text.replace(mark, value)
    durable.write_new(path, [text.encode("utf-8")], mode=0o600 if path.suffix == ".toml" else 0o644)


def _toml(text: str) -> str:
    """Write text between quotes: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _command() -> str:
    beside = Path(sys.executable).with_name(_COMMAND)
    return str(beside) if beside.exists() else shutil.which(_COMMAND) or f"/usr/local/bin/{_COMMAND}"
