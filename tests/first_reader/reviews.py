"""Let release 0.1.0, taken from this repository's own history, install a bundle whose targets carry reviews.

Formats stay readable by every release that is out there, and root and targets got new fields for reviews.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.release.reviews import ReviewedChannel  # noqa: E402 - found by the line above

COMMIT = "d751702"
WINGS = ("loader", "keys", "bundler", "common")
PROGRAM = "import sys; sys.argv[0] = 'sealift'; from sealift.cli import main; main()"
STEPS = (
    ("trust init ROOT", "pinned the root"),
    ("verify BUNDLE", "accepted: sim release 2"),
    ("install BUNDLE", "installed toy 1.0.0"),
    ("check", "all is as it was signed"),
    ("list", "toy"),
)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        # From the top: `git archive` in a folder gives that folder alone.
        archive = subprocess.run(["git", "archive", COMMIT], cwd=HERE.parents[1], stdout=subprocess.PIPE, check=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(work / "old", filter="data")
        channel = ReviewedChannel(work / "channel")
        model = channel.stage("1.0.0", "limited")
        channel.say(model, "security", "ada")
        channel.say(model, "legal", "bob")
        channel.release()
        bundle = channel.pack(work / "bundle.tar")
        (work / "root.json").write_bytes(channel.root_bytes)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(work / "old" / wing) for wing in WINGS),
            "SEALIFT_STORE": str(work / "store"),
            "SEALIFT_TRUST": str(work / "etc"),
        }
        for command, expected in STEPS:
            words = command.replace("ROOT", str(work / "root.json")).replace("BUNDLE", str(bundle)).split()
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, *words], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode != 0 or expected not in done.stdout:
                print(f"sealift 0.1.0 {command}: status {done.returncode}\n{done.stdout}{done.stderr}")
                return 1
            print(f"sealift 0.1.0 {command}: as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
