"""Import python-tuf's client without its HTTP library, and reach the one thing of it that is private.

`tuf.ngclient` imports `Urllib3Fetcher`, which is what a client takes that was given no fetcher; ours always is
(`trust.client`). With it comes urllib3: a quarter of all that `sealift verify` imports, and a socket that it opens to
find out whether IPv6 works. On an instance that must not touch the network, and is watched for it, that is a defect. So
the name stands for a function while `tuf.ngclient` is imported. Code in the same process that wants python-tuf's own
fetcher gets it.

This relies on `tuf.ngclient.updater` using the name only to make the fetcher that it was not given;
`tests/unit/documents/test_trust_client.py` fails when upstream changes that.
"""

import sys
from datetime import datetime
from types import ModuleType
from typing import Any

_FETCHER = "tuf.ngclient.urllib3_fetcher"


def _real(name: str) -> Any:
    if name == "Urllib3Fetcher":
        from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

        return Urllib3Fetcher
    raise AttributeError(f"module 'tuf.ngclient' has no attribute {name!r}")


def _make(*arguments: Any, **named: Any) -> Any:
    return _real("Urllib3Fetcher")(*arguments, **named)


def _import_without_http() -> None:
    """Import `tuf.ngclient`, unless somebody did."""
    if "tuf.ngclient" in sys.modules or _FETCHER in sys.modules:
        return
    _make.__name__ = "Urllib3Fetcher"  # tuf.ngclient lists it in __all__
    sys.modules[_FETCHER] = ModuleType(_FETCHER)
    sys.modules[_FETCHER].Urllib3Fetcher = _make  # type: ignore[attr-defined]
    try:
        import tuf.ngclient
    finally:
        del sys.modules[_FETCHER]
    del tuf.ngclient.Urllib3Fetcher
    tuf.ngclient.__getattr__ = _real  # type: ignore[method-assign]


_import_without_http()
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig  # noqa: E402 - see above
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet  # noqa: E402

__all__ = ["FetcherInterface", "Updater", "UpdaterConfig", "set_reference_time", "trusted_set"]


def trusted_set(updater: Updater) -> TrustedMetadataSet:
    """Return the verified objects of a client; python-tuf has no public way to list targets."""
    return updater._trusted_set  # noqa: SLF001 - the one private door, watched by a test


def set_reference_time(updater: Updater, time: datetime) -> None:
    """Set the time that expiry is compared with; python-tuf offers the system clock only.

    `tests/unit/documents/test_trust_client.py` fails when upstream changes what this relies on.
    """
    trusted_set(updater).reference_time = time
