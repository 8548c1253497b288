"""`sudo -u NAME COMMAND` for the pages: two users without accounts, in a container that shares one directory."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.machine.containers import Volume, run, stages

USERS = {"sealift": 10001, "git": 10002}


def main() -> int:
    place, flag, name, *command = sys.argv[1:]
    if flag != "-u" or name not in USERS:
        sys.exit(f"sudo: this stand-in knows only -u and {sorted(USERS)}")
    done = run(
        command,
        [Volume(Path(place), place, read_only=False)],
        user=f"{USERS[name]}:{USERS[name]}",
        # sudo passes on neither SEALIFT_STORE nor SEALIFT_TRUST.
        environment={"PATH": stages()["sealift"].environment["PATH"], "LANG": "C.UTF-8"},
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
