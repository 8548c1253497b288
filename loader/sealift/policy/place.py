"""Find and read the policy: beside the pinned root, and as hard to replace as that."""

import os
from pathlib import Path

from sealift import plain_file
from sealift.errors import LocalError, UnsafeStoreError
from sealift.policy.policy import DIRECTORY, FILE_NAME, Policy, parse_policy
from sealift.trust import pin

# Of the last file that was read, so that each load parses nothing that it parsed before.
_parsed: dict[bytes, Policy] = {}
# With what this site's own reviewers say; the same object as long as nothing changed.
_complete: dict[str, Policy] = {}


def read_policy(directory: Path, store: Path | None) -> Policy | None:
    """Return the policy of an instance; None where it has none.

    Args:
        directory: of the pinned root.
        store: as for `pin.read`.

    Raises:
        LocalError: it cannot be read, or is not of its form.
        UnsafeStoreError: somebody can have changed it who may not change the pinned root.
    """
    path = directory / FILE_NAME
    try:
        problems = pin.unsafe_beside(path, store)
        from sealift_common.parsing.strict_toml import MAX_SIZE_BYTES

        data = plain_file.read(path, MAX_SIZE_BYTES, follow=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not os.path.lexists(path):
            return None
        # A link that leads nowhere is no decision to demand nothing.
        raise LocalError(
            f"the policy {str(path)!r} is a link that leads nowhere; restore it, or remove the link"
        ) from error
    except OSError as error:
        raise LocalError(
            f"the policy {str(path)!r} cannot be read: {error.strerror}; nothing is installed or loaded"
        ) from error
    if problems:
        raise UnsafeStoreError(f"the policy is not safe: {'; '.join(problems)}")
    known = _parsed.get(data)
    if known is None:
        known = parse_policy(data, str(path))
        _parsed.clear()
        _parsed[data] = known
    return with_own(known, directory, store)


def with_own(policy: Policy, directory: Path, store: Path | None) -> Policy:
    """Return a policy with what this site's own reviewers say, in files of the directory where it is in force.

    Raises:
        LocalError, UnsafeStoreError: as `own.read_own`.
    """
    if not policy.own_keys and not os.path.lexists(directory / DIRECTORY):
        return policy
    from sealift.policy.own import read_own

    own = read_own(directory, policy.own_keys, store)
    known = _complete.get(os.fspath(directory))
    if known is not None and known.own is own and known.digest == policy.digest:
        return known
    _complete[os.fspath(directory)] = made = policy._replace(own=own)
    return made
