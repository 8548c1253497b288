"""Which keys named the persons of what was received: a fingerprint of each, in `pseudonym-keys.json`.

An erasure finds a person under the keys that it has. Where one is missing that rows were named with, it would find
nothing and say that all is gone; so it asks here.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path

from sealift_common.errors import KeyFileError, MalformedError
from sealift_common.files import durable
from sealift_common.parsing import strict_json

FILE = "pseudonym-keys.json"
_DIGITS = 16


def fingerprint(key: bytes) -> str:
    """Return 16 hexadecimal digits that say which key it is, and nothing of it."""
    return hmac.digest(key, b"sealift: fingerprint of a key of pseudonyms", hashlib.sha256).hex()[:_DIGITS]


def used(folder: Path) -> list[str]:
    """Return the fingerprints of all keys that named persons of this pipeline, the oldest first.

    Raises:
        KeyFileError: somebody else wrote the file.
    """
    path = folder / FILE
    try:
        found = strict_json.parse(path.read_bytes(), FILE)
    except FileNotFoundError:
        return []
    except MalformedError as error:
        raise KeyFileError(f"{error}; restore {str(path)!r} from a backup") from error
    if not isinstance(found, list) or not all(isinstance(one, str) and len(one) == _DIGITS for one in found):
        raise KeyFileError(f"{str(path)!r} is not a list of fingerprints; restore it from a backup")
    return found


def remember(folder: Path, key: bytes) -> None:
    """Note durably that a key names persons from now on; raises what `used` raises."""
    before = used(folder)
    if fingerprint(key) not in before:
        data = json.dumps([*before, fingerprint(key)]).encode("ascii") + b"\n"
        durable.write_file(folder / FILE, data, mode=0o600)


def missing(folder: Path, keys: Sequence[bytes]) -> list[str]:
    """Return the fingerprints of keys that were used and are not among these; raises what `used` raises."""
    known = {fingerprint(key) for key in keys}
    return [one for one in used(folder) if one not in known]
