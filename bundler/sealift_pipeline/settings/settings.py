"""`pipeline.toml`: where events come in, where the log and the table are, and which GitLab they come from.

`docs/reference/formats/data-policy.md` describes the file. Paths are relative to the folder that holds it.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sealift_common.parsing.strict_toml import StrictToml, read_text
from sealift_pipeline.data_policy.policy import DataPolicy
from sealift_pipeline.errors import DataPolicyError
from sealift_pipeline.settings import erasure, nats

FORMAT = 1
FILE, POLICY_FILE, KEY_FILE, TOKEN_FILE = "pipeline.toml", "data-policy.toml", "pseudonym.key", "hook.token"
LOG_FILE, TABLE_FOLDER, SNAPSHOT_FOLDER, LOCK_FILE = "log/events.db", "table", "snapshots", "lander.lock"
DEFAULT_LISTEN = "127.0.0.1:8417"
_KEYS = {
    "receiver": ("listen", "token_file", "signing_secret_files", "system_token_file"),
    "log": ("url", *nats.KEYS),
    "table": ("url",),
    "gitlab": ("url", "project", "hook"),
    "erasure": erasure.KEYS,
}
_PROJECT = re.compile(r"[0-9]{1,12}|[A-Za-z0-9_.][A-Za-z0-9_.\-/]{0,254}")


@dataclass(frozen=True)
class Settings:
    """The settings of one pipeline.

    Attributes:
        folder: that holds the file.
        host: address of this machine alone, where the receiver listens.
        port: of the receiver; 0 for any free one.
        token_file: with the token of the hook; None for none.
        signing_secret_files: each with a secret of a hook that signs (Standard Webhooks).
        system_token_file: with the token of the system hook, which no other hook has; None for none.
        log_url: `sqlite:PATH`, or addresses of servers of NATS.
        nats: where the log is on NATS; None where it is embedded.
        table_url: a folder.
        gitlab_url: of the instance; empty where the file does not say.
        project: its number, or its path with groups.
        hook: number of the project's hook.
        erasure: what the removal of a user does.
    """

    folder: Path
    host: str
    port: int
    token_file: Path | None
    signing_secret_files: tuple[Path, ...]
    system_token_file: Path | None
    log_url: str
    nats: nats.NatsSettings | None
    table_url: str
    gitlab_url: str
    project: str
    hook: int
    erasure: erasure.ErasureSettings

    @classmethod
    def load(cls, folder: Path) -> "Settings":
        """Read the settings of a pipeline's folder.

        Raises:
            DataPolicyError: the file is missing, or has an unknown key or a wrong value; the message has its line.
            UnsupportedVersionError: it is of a newer format.
        """
        path = folder / FILE
        try:
            text = read_text(path, "settings", DataPolicyError)
        except DataPolicyError as error:
            if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                raise
            raise DataPolicyError(
                f"folder {str(folder)!r} is not that of a pipeline: it has no {FILE}; give that one: --pipeline DIR"
            ) from error
        toml = StrictToml(text, name=path.name, what="settings", error=DataPolicyError)
        toml.require_format(FORMAT)
        toml.check_keys(toml.document, ("format", *_KEYS))
        for section, keys in _KEYS.items():
            toml.check_keys(toml.table(section), keys, section)
        host, port = _listen(toml)
        token = _text(toml, "receiver", "token_file", "")
        secrets = toml.table("receiver").get("signing_secret_files", [])
        if not isinstance(secrets, list) or not all(isinstance(one, str) for one in secrets):
            raise toml.error("signing_secret_files", "'signing_secret_files' is not a list of paths", "receiver")
        system = _text(toml, "receiver", "system_token_file", "")
        if not token and not secrets:
            raise toml.error("token_file", "no way to know GitLab: give token_file or signing_secret_files", "receiver")
        log_url = _log(toml)
        return cls(
            folder=folder,
            host=host,
            port=port,
            token_file=folder / token if token else None,
            signing_secret_files=tuple(folder / one for one in secrets),
            system_token_file=folder / system if system else None,
            log_url=log_url,
            nats=nats.parse(toml, log_url, folder) if nats.is_nats(log_url) else None,
            table_url=_text(toml, "table", "url", TABLE_FOLDER),
            gitlab_url=_gitlab(toml),
            project=_project(toml),
            hook=_hook(toml),
            erasure=erasure.parse(toml, knows_system_hook=bool(system)),
        )

    @property
    def log_path(self) -> Path:
        """The file of the embedded log."""
        return self.folder / self.log_url.removeprefix("sqlite:")

    @property
    def table_place(self) -> str:
        """The address of the folder of tables: absolute where it is on this machine."""
        return self.table_url if "://" in self.table_url else str((self.folder / self.table_url).absolute())

    @property
    def key_file(self) -> Path:
        """The key of pseudonyms."""
        return self.folder / KEY_FILE

    def data_policy(self) -> DataPolicy:
        """Read the data policy of the folder; raises what `DataPolicy.load` raises."""
        return DataPolicy.load(self.folder / POLICY_FILE)


def _text(toml: StrictToml, section: str, key: str, default: str) -> str:
    value: Any = toml.table(section).get(key, default)
    if not isinstance(value, str) or not value.isprintable():
        raise toml.error(key, f"{key!r} is {value!r:.80}; expected text", section)
    return value


def _listen(toml: StrictToml) -> tuple[str, int]:
    value = _text(toml, "receiver", "listen", DEFAULT_LISTEN)
    host, _, port = value.rpartition(":")
    host = host.strip("[]")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise toml.error("listen", f"'listen' is {value!r:.80}; expected ADDRESS:PORT", "receiver")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        hint = "expected 127.0.0.1 or [::1], with a proxy in front that speaks TLS"
        raise toml.error("listen", f"'listen' is {value!r:.80}; {hint}", "receiver")
    return host, int(port)


def _log(toml: StrictToml) -> str:
    value = _text(toml, "log", "url", f"sqlite:{LOG_FILE}")
    if nats.is_nats(value):
        return value
    if not value.startswith("sqlite:") or value == "sqlite:":
        raise toml.error("url", f"'url' is {value!r:.80}; expected sqlite:PATH or tls://HOST:PORT", "log")
    nats.require_none(toml)
    return value


def _gitlab(toml: StrictToml) -> str:
    value = _text(toml, "gitlab", "url", "").rstrip("/")
    parts = urlsplit(value)
    if value and not (parts.scheme in ("http", "https") and parts.hostname and not parts.username):
        raise toml.error("url", f"'url' is {value!r:.80}; expected https://HOST without a login", "gitlab")
    return value


def _project(toml: StrictToml) -> str:
    value = str(toml.table("gitlab").get("project", ""))
    if value and not _PROJECT.fullmatch(value):
        raise toml.error("project", f"'project' is {value!r:.80}; expected its number or GROUP/NAME", "gitlab")
    return value


def _hook(toml: StrictToml) -> int:
    value = toml.table("gitlab").get("hook", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise toml.error("hook", f"'hook' is {value!r:.80}; expected the number of the hook", "gitlab")
    return value
