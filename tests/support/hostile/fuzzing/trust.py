"""Parsers of trust: metadata of TUF, roots, floors."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sealift.inspection.explain import explain
from sealift.trust import pin
from sealift.trust.client import TrustClient, same_channel
from sealift.trust.floor import Floor
from sealift.trust.python_tuf.fetcher import BundleFetcher
from sealift.trust.release import release_of
from sealift_common.parsing import strict_json

if sys.version_info >= (3, 14):
    pass
else:
    pass
from support.hostile.fuzzing.samples import NOW, good


def json_document(data: bytes) -> None:
    strict_json.parse(data, "x")


def metadata(data: bytes) -> None:
    """Replace one metadata file of a good bundle; the first byte says which."""
    files = dict(good()[1])
    pinned = files["1.root.json"]
    names = [*sorted(files), "2.root.json"]
    files[names[data[0] % len(names) if data else 0]] = data[1:]
    explain(files, pinned, None, NOW)
    with tempfile.TemporaryDirectory() as scratch:
        same_channel(pinned, files)
        trusted = TrustClient(Path(scratch), pinned, BundleFetcher(files), None, NOW).refresh()
        release_of(trusted.root, trusted.targets)


def root(data: bytes) -> None:
    pin.parse_root(data)


def floor(data: bytes) -> None:
    Floor.from_bytes(data)


# Each target, and good inputs for it, from which a fuzzer departs.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "json_document": (json_document, lambda: [good()[1]["targets.json"]]),
    "metadata": (metadata, lambda: [bytes([place]) + good()[1][file] for place, file in enumerate(sorted(good()[1]))]),
    "root": (root, lambda: [good()[1]["1.root.json"]]),
    "floor": (floor, lambda: [Floor(1, 2, 3, 4, NOW).to_bytes()]),
}
