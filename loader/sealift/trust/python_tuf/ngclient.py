"""Import python-tuf's client without opening a socket, and reach the one thing of it that is private.

`tuf.ngclient` imports urllib3, which on import opens an IPv6 socket to find out whether IPv6 works.
On an instance that must not touch the network, and is watched for it, that is a defect. urllib3 asks
only where `socket.has_ipv6` is true.
"""

import socket
import sys
from datetime import datetime

_has_ipv6 = socket.has_ipv6
_first = "urllib3" not in sys.modules
try:
    if _first:
        socket.has_ipv6 = False
    from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig
    from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
finally:
    socket.has_ipv6 = _has_ipv6
if _first and "urllib3.util.connection" in sys.modules:
    # Code that uses urllib3 in this process later gets the platform's answer instead of "no".
    sys.modules["urllib3.util.connection"].HAS_IPV6 = _has_ipv6  # type: ignore[attr-defined]

__all__ = ["FetcherInterface", "Updater", "UpdaterConfig", "set_reference_time", "trusted_set"]


def trusted_set(updater: Updater) -> TrustedMetadataSet:
    """Return the verified objects of a client; python-tuf has no public way to list targets."""
    return updater._trusted_set  # noqa: SLF001 - the one private door, watched by a test


def set_reference_time(updater: Updater, time: datetime) -> None:
    """Set the time that expiry is compared with; python-tuf offers the system clock only.

    `tests/unit/documents/test_trust_client.py` fails when upstream changes what this relies on.
    """
    trusted_set(updater).reference_time = time
