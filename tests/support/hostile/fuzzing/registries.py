"""Parsers of what a registry says, and of its address."""

import contextlib
import sys
from collections.abc import Callable

from sealift.errors import Error
from sealift.registry import address
from sealift.registry.sources.release_artifact import artifact_bytes, parse_artifact
from sealift.registry.tags import annotations, claimed_release

if sys.version_info >= (3, 14):
    pass
else:
    pass
from support.hostile.fuzzing.samples import SHA


def release_artifact(data: bytes) -> None:
    claimed_release(data)
    parse_artifact(data, "a release")


def registry_address(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for prefix in ("", address.OCI, address.GITLAB):
        with contextlib.suppress(Error):
            found = address.parse(prefix + text)
            # What is shown is what was given, so that nobody is led elsewhere.
            assert address.parse(str(found)) == found


# Each target, and good inputs for it, from which a fuzzer departs.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "release_artifact": (
        release_artifact,
        lambda: [artifact_bytes({"index.json": b"{}", "tuf/1.root.json": b""}, annotations("sim", 3, ""))],
    ),
    "registry_address": (
        registry_address,
        lambda: [b"oci://host:5000/a/b:tag", b"gitlab://[::1]:8080/a%2Fb/c/3", f"oci://h/r@{SHA}".encode()],
    ),
}
