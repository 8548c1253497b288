"""People who hold keys of a channel, and what their ceremonies start from and leave."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner, SSlibKey

from sealift_common.metadata.release_document import KEY_NAME_FIELD, Release
from sealift_keys.channel.directory import Channel


def listing(channel: Channel, models: Any, released: str, withdrawn: Any = ()) -> Release:
    """What the next release of `channel` says."""
    time = datetime.strptime(released, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return channel.release()._replace(models=models, released=time, withdrawn=tuple(withdrawn))


def signer(name: str) -> CryptoSigner:
    made = CryptoSigner.generate_ecdsa()
    made.public_key.unrecognized_fields[KEY_NAME_FIELD] = name
    return made


PEOPLE = {name: signer(name) for name in ("alice", "bob", "carol", "builder", "approver", "dave", "erin")}
ALL = [PEOPLE[name] for name in ("alice", "bob", "carol", "builder", "approver")]


def public(name: str) -> SSlibKey:
    key = PEOPLE[name].public_key
    assert isinstance(key, SSlibKey)
    return key


def people(*names: str) -> list[CryptoSigner]:
    return [PEOPLE[name] for name in names]


def files_of(channel: Channel) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(channel.directory.rglob("*")) if path.is_file()}
