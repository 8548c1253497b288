"""Let Sealift 0.1.0 install a bundle whose root and targets carry reviews, which it does not know, and load its model."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from first_reader.old_release import OLD, Instance, old_reader
from support.release.reviews import ReviewedChannel

PROGRAM = "import sealift; print(sealift.__file__, sealift.load('toy').version)"
STEPS = (
    ("verify BUNDLE", "accepted: sim release 2"),
    ("install BUNDLE", "installed toy 1.0.0"),
    ("check", "all is as it was signed"),
    ("list", "toy"),
)


def main() -> int:
    old_reader()
    with tempfile.TemporaryDirectory(prefix="sealift-first-reader-") as name:
        work = Path(name)
        channel = ReviewedChannel(work / "channel")
        model = channel.stage("1.0.0", "limited")
        channel.say(model, "security", "ada")
        channel.say(model, "legal", "bob")
        channel.release()
        bundle = str(channel.pack(work / "bundle.tar"))
        instance = Instance(work, channel.root_bytes)
        for command, expected in STEPS:
            done = instance.sealift(*command.replace("BUNDLE", bundle).split())
            if done.returncode != 0 or expected not in done.stdout:
                print(f"sealift 0.1.0 {command}: status {done.returncode}\n{done.stdout}{done.stderr}")
                return 1
            print(f"sealift 0.1.0 {command}: as expected")
        loaded = instance.python(PROGRAM)
        if not loaded.stdout.startswith(str(OLD)) or not loaded.stdout.endswith(" 1.0.0\n"):
            print(f"sealift 0.1.0 does not load it: {loaded.stdout}{loaded.stderr}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
