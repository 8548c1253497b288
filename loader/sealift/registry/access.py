"""Access to a registry, as the command line describes it. Pure."""

from pathlib import Path
from typing import NamedTuple


class Access(NamedTuple):
    """Options of one run.

    Attributes:
        ca_file: certificates (PEM) to trust in addition to the system's; None means only those.
        plain_http: use http without TLS also for hosts other than this one.
    """

    ca_file: Path | None = None
    plain_http: bool = False


DEFAULT_ACCESS = Access()
