#!/usr/bin/env python3
"""Our trust client behind the command line of The Update Framework's client conformance suite.

    tuf_client.py --metadata-dir D init ROOT
    tuf_client.py --metadata-url U --metadata-dir D refresh
    tuf_client.py --metadata-url U --metadata-dir D --target-name T… --target-dir X --target-base-url B download

Exit 0 or 1. D holds what is trusted, under unversioned names; our pinned root and floor lie there
without the ending `.json`, which the suite counts. What the product does in staging and commits as
a whole, this does in D, because the suite looks at what a failed refresh leaves behind.
"""

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata
from tuf.ngclient import Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from sealift.errors import Error
from sealift.trust import floor as floors
from sealift.trust.client import TrustClient
from sealift.trust.floor import Floor

PINNED = "pinned"
FLOOR = "floor"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url", default="")
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-dir", default="")
    parser.add_argument("--target-base-url", default="")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root")
    commands.add_parser("refresh")
    commands.add_parser("download")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "init":
            init(arguments.metadata_dir, arguments.root)
        else:
            client = refresh(arguments.metadata_dir, arguments.metadata_url)
            if arguments.command == "download":
                for name in arguments.target_name:
                    download(client.updater, name, arguments.target_dir, arguments.target_base_url)
    except (Error, RepositoryError, DownloadError, OSError, ValueError) as error:
        print(f"tuf_client: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def init(directory: Path, root: str) -> None:
    """Pin the root."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root, directory / PINNED)
    if not (directory / "root.json").is_symlink():
        shutil.copyfile(root, directory / "root.json")


def refresh(directory: Path, url: str) -> TrustClient:
    """Run the client; whatever it leaves behind becomes the floor of the next run."""
    floor_file = directory / FLOOR
    floor = Floor.from_bytes(floor_file.read_bytes()) if floor_file.exists() else None
    pinned = (directory / PINNED).read_bytes()
    client = TrustClient(directory, pinned, Urllib3Fetcher(), floor, datetime.now(UTC), base_url=url)
    # A refresh that fails may have moved the root on, and left the rest as the older root accepted it.
    root = floor.root if floor else version_of(directory / PINNED)
    try:
        root = client.refresh().root.version
    finally:
        seen = {role: version_of(directory / f"{role}.json") for role in floors.ROLES}
        # The suite moves the clock forth and back, so the floor of time stays where it is.
        floor_file.write_bytes(Floor(root=root, **seen, time=datetime(1970, 1, 1, tzinfo=UTC)).to_bytes())
    return client


def version_of(path: Path) -> int:
    return Metadata.from_bytes(path.read_bytes()).signed.version if path.exists() else 0


def download(updater: Updater, name: str, directory: str, base_url: str) -> None:
    """Fetch one target unless it is there already."""
    target = updater.get_targetinfo(name)
    if target is None:
        raise ValueError(f"no target {name!r}")
    updater.target_dir = directory
    if updater.find_cached_target(target) is None:
        updater.download_target(target, target_base_url=base_url)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
